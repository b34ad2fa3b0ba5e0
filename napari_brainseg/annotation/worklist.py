"""Where to look next: the slices of a case, ranked by how many wrong voxels are expected in each.

The signs of `slice_suspicion` are each made a share of the case's total and added with fixed weights. The weights were
chosen on 14 LGG patients and 4 BraTS cases that the shipped models had not learnt from, by the share of the wrongly
labelled voxels that lies in the first five slices: the uncertainty says nearly all of it, and where a model left none
the area of the tumour, its border and its jumps together say more than any of them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.annotation.slice_suspicion import (
    Evidence,
    area_evidence,
    disagreement_evidence,
    jump_evidence,
    shape_evidence,
    uncertainty_evidence,
)
from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.labels import LabelArray, LabelScheme

Signs = Mapping[str, Evidence]
_Array = NDArray[np.float64]

WEIGHTS: Mapping[str, float] = {"uncertainty": 1.0, "disagreement": 0.25, "shape": 0.05, "jumps": 0.1, "area": 0.05}
METHODS = ("combined", *WEIGHTS, "random", "even")

# A slice that was picked, or confirmed, takes this share of the interest from itself and less from those around it …
_DAMPING = 0.4
# … which are as near as this part of the labelled slices, but never less than most of one slice.
_REACH = 1 / 16
_LEAST_REACH = 0.6
# Halfway between counting voxels alike, which leaves small classes out, and counting classes alike.
_BALANCE = 0.5
# What each pick takes from the classes that it was mostly for.
_CLASS_DAMPING = 0.1


@dataclass(frozen=True)
class Place:
    """A slice worth looking at.

    Attributes:
        index: Its place along Z, from 0.
        score: The share of the case's errors that is expected in it, 0 to 1, as the signs have it.
        reason: Why it is here, in a few words that begin in lower case; counts are voxels.
    """

    index: int
    score: float
    reason: str


def rank_slices(
    labels: LabelArray,
    scheme: LabelScheme,
    *,
    uncertainty: NDArray[np.floating] | None = None,
    other: LabelArray | None = None,
    confirmed: Iterable[int] = (),
    method: str = "combined",
    seed: int = 0,
) -> list[Place]:
    """Return the axial slices that should be looked at, the one that gains most first.

    A slice near one that is confirmed or comes earlier in the list is put back, and so is a class that earlier slices
    were mostly for; classes count by the square root of their evidence. So the first few differ, and a small class is
    not left for last. Slices that nothing speaks against are left out.

    Args:
        labels: uint8 (Z, Y, X), program values of `scheme`.
        scheme: What they mean.
        uncertainty: Entropy or margin (Z, Y, X), from 0 (sure) to 1, or None.
        other: Another answer for the same case, such as that of mirrored copies or of an older model, or None.
        confirmed: Slices that need no more looking at.
        method: `combined`, one sign alone (`uncertainty`, `disagreement`, `shape`, `jumps`, `area`), or, to compare
            with, `random` and `even`: those draw from the labelled slices and their neighbours, in random order, or so
            that the first k are spread evenly for every k.
        seed: Of the random order.

    Raises:
        InputError: There is no such method, or it needs an uncertainty or another answer and there is none.
    """
    if method in ("random", "even"):
        left_out = set(confirmed)
        order = _order_without_signs(labels, method, seed)
        reason = "chosen at random" if method == "random" else "evenly spaced"
        return [Place(index, 1 / len(labels), reason) for index in order if index not in left_out]
    _refuse_unless_possible(method, uncertainty is not None, other is not None)
    names = WEIGHTS if method == "combined" else (method,)
    return rank_signs(signs_of(labels, scheme, uncertainty=uncertainty, other=other, names=names), confirmed)


def signs_of(
    labels: LabelArray,
    scheme: LabelScheme,
    *,
    uncertainty: NDArray[np.floating] | None = None,
    other: LabelArray | None = None,
    names: Iterable[str] = tuple(WEIGHTS),
) -> dict[str, Evidence]:
    """Return those of the signs in `names` for which there is what they need; the arguments are as in `rank_slices`.

    This is the part that takes time: 0.2 s for 155 slices of 240 x 240. What it gives can be ranked again and again.
    """
    wanted, made = set(names), dict[str, Evidence]()
    if "uncertainty" in wanted and uncertainty is not None:
        made["uncertainty"] = uncertainty_evidence(uncertainty, labels, scheme)
    if "disagreement" in wanted and other is not None:
        made["disagreement"] = disagreement_evidence(labels, other, scheme)
    of_labels = {"shape": shape_evidence, "jumps": jump_evidence, "area": area_evidence}
    return made | {name: sign(labels, scheme) for name, sign in of_labels.items() if name in wanted}


def rank_signs(signs: Signs, confirmed: Iterable[int] = ()) -> list[Place]:
    """Return what `rank_slices` returns, from signs that were gathered already; takes about a millisecond."""
    shares = {name: WEIGHTS[name] * _share(sign.by_class) for name, sign in signs.items()}
    if not shares:
        return []
    suspicion = _share(np.sum(list(shares.values()), axis=0))
    scores = suspicion.sum(axis=1)
    left_out = {index for index in confirmed if 0 <= index < len(scores)}
    wanted = [index for index in _picked_in_order(suspicion, sorted(left_out)) if index not in left_out]
    return [Place(index, float(scores[index]), _reason(signs, shares, index)) for index in wanted]


def expected_error(signs: Signs) -> float | None:
    """Return about how many voxels are wrong for each that is labelled, at most 1; None where nothing is labelled.

    Taken from the uncertainty where there is one, else from the jumps. On the 14 patients that the weights were chosen
    on, its rank correlation with the true share was 0.86 and 0.62.
    """
    sign = signs.get("uncertainty") or signs.get("jumps")
    labelled = signs["area"].by_slice.sum() if "area" in signs else 0.0
    if sign is None or not labelled:
        return None
    return float(min(1.0, sign.by_slice.sum() / labelled))


def _picked_in_order(suspicion: _Array, already: Sequence[int]) -> list[int]:
    """Return the slices that have any suspicion (Z, K + 1), `already` first, each the best after those before it."""
    totals = suspicion.sum(axis=0)
    worth = np.zeros_like(totals)
    np.power(totals, -_BALANCE, where=totals > 0, out=worth)
    slices = np.arange(len(suspicion))
    reach = _reach(suspicion)
    fresh = np.ones(len(suspicion))
    open_now = suspicion.sum(axis=1) > 0
    picked: list[int] = []
    waiting = list(already)
    while waiting or open_now.any():
        gains = suspicion * worth
        total = gains.sum(axis=1)
        index = waiting.pop(0) if waiting else int(np.where(open_now, total * fresh, -1.0).argmax())
        picked.append(index)
        open_now[index] = False
        fresh *= 1 - _DAMPING * np.exp(-0.5 * ((slices - index) / reach) ** 2)
        if total[index] > 0:
            worth *= 1 - _CLASS_DAMPING * gains[index] / total[index]
    return picked


def _reach(suspicion: _Array) -> float:
    """Return how many slices away one still resembles another, by how many have any suspicion of a class."""
    of_classes = suspicion[:, 1:].any(axis=1)
    return max(_LEAST_REACH, _REACH * int(np.count_nonzero(of_classes)))


def _share(evidence: _Array) -> _Array:
    total = evidence.sum()
    return evidence / total if total > 0 else evidence


def _reason(signs: Signs, shares: Mapping[str, _Array], index: int) -> str:
    """Return the words of the sign that says most against a slice; the area says it only where nothing else does."""
    said = {name: float(share[index].sum()) for name, share in shares.items()}
    telling = {name: size for name, size in said.items() if size > 0 and name != "area"} or said
    return signs[max(telling, key=lambda name: telling[name])].words(index)


def _order_without_signs(labels: LabelArray, method: str, seed: int) -> list[int]:
    """Return the labelled slices and one on either side, or all where none is labelled, in a random or even order."""
    labelled = np.flatnonzero(labels.any(axis=(1, 2)))
    first, last = (labelled[0] - 1, labelled[-1] + 1) if labelled.size else (0, len(labels) - 1)
    indices = np.arange(max(0, first), min(len(labels) - 1, last) + 1)
    if method == "random":
        return [int(index) for index in np.random.default_rng(seed).permutation(indices)]
    return [int(indices[position]) for position in _spread_evenly(len(indices))]


def _spread_evenly(count: int) -> list[int]:
    """Return 0 to count - 1, the middle first, then always the one that is farthest from those before and the ends."""
    left, order = list(range(count)), list[int]()
    while left:
        known = [*order, -1, count]
        best = max(left, key=lambda position: min(abs(position - other) for other in known))
        order.append(best)
        left.remove(best)
    return order


def _refuse_unless_possible(method: str, has_uncertainty: bool, has_other: bool) -> None:
    if method not in METHODS:
        raise InputError(f"There is no ranking {method!r}. Choose one of {', '.join(METHODS)}.")
    if method == "uncertainty" and not has_uncertainty:
        raise InputError("The ranking by uncertainty needs the map of a model run. Give one, or choose combined.")
    if method == "disagreement" and not has_other:
        raise InputError("The ranking by disagreement needs another answer. Give one, or choose combined.")
