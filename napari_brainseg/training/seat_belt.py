"""What a fine-tuning did, in scores before and after, and whether the new model should be taken. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import sqrt
from statistics import fmean
from typing import Any

# Changes of Dice, means over the regions. Less than this makes no difference …
NOISE = 0.005
# … and by so much a single slice may be off by chance.
_CHANCE = 0.02
# What may be lost on slices that were corrected before, and on phantoms, which no person will ever see.
EARLIER_LOSS = 0.02
PHANTOM_LOSS = 0.25


class Kind(Enum):
    """Where a score was taken: how its row is called."""

    HELD_OUT = "held out"
    LEARNT = "learnt"
    EARLIER = "earlier corrections"
    PHANTOM = "phantoms"


class Verdict(Enum):
    """What is recommended."""

    ACCEPT = "accept"
    DISCARD = "discard"
    LOOK = "look"


@dataclass(frozen=True)
class Scored:
    """One thing that was segmented by both models: a slice that was held out, a case, a phantom.

    Attributes:
        kind: Where it is from.
        name: Which it is, in words: `slice 61`, the id of a case.
        before: Dice per region of the model as it was.
        after: Dice per region of the new one.
    """

    kind: Kind
    name: str
    before: Mapping[str, float]
    after: Mapping[str, float]

    @property
    def change(self) -> float:
        """Of the mean over the regions."""
        return fmean(self.after.values()) - fmean(self.before.values())


@dataclass(frozen=True)
class SeatBelt:
    """The table of a fine-tuning.

    Attributes:
        scored: Everything that both models segmented.
        held_out: What was held out, in words; empty where nothing could be.
    """

    scored: tuple[Scored, ...] = ()
    held_out: str = ""
    verdict: Verdict = field(init=False, default=Verdict.LOOK)
    reason: str = field(init=False, default="")

    def __post_init__(self) -> None:
        verdict, reason = _judged(self)
        object.__setattr__(self, "verdict", verdict)
        object.__setattr__(self, "reason", reason)

    def of(self, kind: Kind) -> tuple[Scored, ...]:
        """Return what is of one kind."""
        return tuple(one for one in self.scored if one.kind == kind)

    def rows(self) -> list[tuple[str, float, float]]:
        """Return (what, before, after) for each kind and region; means over what is of the kind."""
        rows = []
        for kind in Kind:
            some = self.of(kind)
            for region in some[0].before if some else ():
                before, after = mean_of(some, region)
                rows.append((f"{kind.value}, {region}", before, after))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Return the table as plain values, for `model.json`."""
        table = {
            kind.name.lower(): {
                region: dict(zip(("before", "after"), mean_of(some, region), strict=True)) for region in some[0].before
            }
            for kind in Kind
            if (some := self.of(kind))
        }
        return {**table, "held_out_words": self.held_out, "recommendation": self.verdict.value, "reason": self.reason}


def by_chance(count: int) -> float:
    """Return by how much the mean Dice of so many slices may be off by chance."""
    return _CHANCE / sqrt(count)


def mean_of(some: Sequence[Scored], region: str) -> tuple[float, float]:
    """Return the mean Dice of a region before and after."""
    return fmean(one.before[region] for one in some), fmean(one.after[region] for one in some)


def _judged(table: SeatBelt) -> tuple[Verdict, str]:
    held, earlier, phantoms = (table.of(k) for k in (Kind.HELD_OUT, Kind.EARLIER, Kind.PHANTOM))
    forgotten = _forgotten(earlier, phantoms)
    if forgotten:
        return Verdict.DISCARD, forgotten
    if not held:
        if table.of(Kind.LEARNT):
            # There may have been too few slices for it, or a person did not want it: the table does not know.
            why = "nothing was held out to judge it by, for which three slices are needed"
            return Verdict.LOOK, f"{why}: look at the difference first"
        return Verdict.LOOK, "nothing was scored"
    change = _change(held)
    better, count = sum(one.change > 0 for one in held), len(held)
    words = f"better on {better} of {count} held-out {_things(held)} ({change:+.3f} Dice)"
    learnt = _change(table.of(Kind.LEARNT))
    if change > NOISE:
        return Verdict.ACCEPT, words
    if change >= -by_chance(count) and learnt > max(NOISE, -change):
        return Verdict.ACCEPT, f"as good on the held-out {_things(held)} ({change:+.3f} Dice), better on what it learnt"
    if change < -NOISE:
        worse = sum(one.change < 0 for one in held)
        return Verdict.DISCARD, f"worse on {worse} of {count} held-out {_things(held)} ({change:+.3f} Dice)"
    return Verdict.DISCARD, f"it makes no difference on the held-out {_things(held)} ({change:+.3f} Dice)"


def _forgotten(earlier: Sequence[Scored], phantoms: Sequence[Scored]) -> str:
    if earlier and _change(earlier) < -EARLIER_LOSS:
        return f"it forgets what was corrected before ({_change(earlier):+.3f} Dice)"
    if phantoms and _change(phantoms) < -PHANTOM_LOSS:
        return f"it does worse on synthetic cases ({_change(phantoms):+.3f} Dice), a sign that it forgets"
    return ""


def _change(some: Iterable[Scored]) -> float:
    changes = [one.change for one in some]
    return fmean(changes) if changes else 0.0


def _things(some: Sequence[Scored]) -> str:
    what = "slice" if some[0].name.startswith("slice") else "case"
    return what if len(some) == 1 else f"{what}s"
