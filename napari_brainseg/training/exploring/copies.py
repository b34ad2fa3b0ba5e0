"""Channels that are copies of another, and which one the copies copy: in the LGG set that is FLAIR.

A patient without a sequence has FLAIR in its place, so the colour that takes part in every copy is FLAIR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.case import Case, Naming
from napari_brainseg.training.exploring.findings import CaseFacts

Pair = tuple[int, int]


def copied_slices(case: Case, blank: Mapping[str, NDArray[np.bool_]]) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return the slices in which two channels hold the same, by pair; `blank` (Z,) are those without content."""
    found = {}
    for first, second in combinations(case.channels, 2):
        one, other = case.channels[first].data, case.channels[second].data
        # The middle row tells nearly all slices apart.
        middle = one.shape[1] // 2
        likely = np.flatnonzero((one[:, middle] == other[:, middle]).all(1) & ~blank[first])
        slices = tuple(int(z) for z in likely if np.array_equal(one[z], other[z]))
        if slices:
            found[first, second] = slices
    return found


def copied_colours(case: Case, partial: dict[tuple[str, str], tuple[int, ...]], shown: int) -> dict[Pair, int]:
    """Return in how many slices two colours of an LGG case, numbered as in its files, hold the same.

    Args:
        case: Its missing channels are copies over the whole case.
        partial: Copies among the channels that it has.
        shown: Slices with content.
    """
    if case.naming is not Naming.LGG or len(case.order) < 3:
        return {}
    pairs = {(first, second): len(slices) for (first, second), slices in partial.items()}
    gone = [name for name in case.order if name not in case.channels]
    pairs.update({(name, "flair"): shown for name in gone if "flair" in case.channels})
    pairs.update(dict.fromkeys(combinations(gone, 2), shown))
    found = {}
    for (first, second), count in pairs.items():
        low, high = sorted((case.order.index(first), case.order.index(second)))
        found[low, high] = count
    return found


@dataclass(frozen=True)
class FlairEvidence:
    """What the copies say of the place of FLAIR.

    Attributes:
        pairs: Cases in which just two colours hold the same, by pair.
        alike: Cases whose three colours hold the same, which tells nothing.
        candidates: Colours that take part in every copy; one is certain, several leave it open, none contradicts.
    """

    pairs: dict[Pair, int]
    alike: int
    candidates: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """The verdict in words; colours are numbered from 0."""
        if not self.pairs and not self.alike:
            return "No channel is a copy of another, so the copies do not tell which colour is FLAIR."
        alike = "hold the same, in one slice or in all,"
        seen = [f"colours {a} and {b} {alike} in {_cases(n)}" for (a, b), n in sorted(self.pairs.items())]
        if self.alike:
            seen.append(f"all three in {_cases(self.alike)}")
        told = f"{', '.join(seen)}. "
        told = told[0].upper() + told[1:]
        if not self.pairs:
            return told + "That does not tell which one is FLAIR; the published order puts it at 1."
        if len(self.candidates) == 1:
            return told + f"Only FLAIR is copied, and colour {self.candidates[0]} is in every copy: it is FLAIR."
        if self.candidates:
            either = " or ".join(map(str, self.candidates))
            return told + f"Only FLAIR is copied, so FLAIR is colour {either}; the published order puts it at 1."
        return told + "No colour takes part in every copy: the cases do not all have one order of channels."


def flair_evidence(cases: Sequence[CaseFacts]) -> FlairEvidence:
    """Return what the copies in all cases say."""
    pairs: dict[Pair, int] = {}
    alike = 0
    for case in cases:
        whole = {pair for pair, count in case.copies.items() if count == max(case.copies.values())}
        if len(whole) == 1:
            pair = next(iter(whole))
            pairs[pair] = pairs.get(pair, 0) + 1
        elif whole:
            alike += 1
    candidates = set.intersection(*(set(pair) for pair in pairs)) if pairs else set()
    return FlairEvidence(pairs, alike, tuple(sorted(candidates)))


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"
