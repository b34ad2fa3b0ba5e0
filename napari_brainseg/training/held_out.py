"""Which part of the corrections is held out: whole cases where there are several, else a block of slices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_brainseg.training.corrected import CorrectedCase

SHARE = 0.2
FEWEST = 3  # slices of a single case: of fewer none is held out, they are needed to learn from


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The corrections in two parts that share no voxel.

    Attributes:
        learnt: What may be learnt from.
        held: What the new model is judged by: each part with its own name.
        words: What was held out; empty where nothing was.
    """

    learnt: tuple[CorrectedCase, ...]
    held: tuple[tuple[str, CorrectedCase], ...]
    words: str = ""


def hold_out(cases: Sequence[CorrectedCase], seed: int, newest: str = "") -> HeldOut:
    """Divide corrected cases.

    Args:
        cases: All of them, with what is confirmed.
        seed: Of chance; the same seed divides alike.
        newest: The case that is learnt from in any case: the one that is open.
    """
    usable = [case for case in cases if case.confirmed.any()]
    if len({case.id for case in usable}) > 1:
        return _cases_held_out(usable, seed, newest)
    if len(usable) == 1:
        return _slices_held_out(usable[0], seed)
    return HeldOut(tuple(usable), ())


def _cases_held_out(cases: Sequence[CorrectedCase], seed: int, newest: str) -> HeldOut:
    names = sorted({case.id for case in cases if case.id != newest})
    count = min(max(1, round(SHARE * len(cases))), len(names))
    chosen = set(np.random.default_rng(seed).permutation(names)[:count].tolist())
    held = tuple((case.id, case) for case in cases if case.id in chosen)
    words = f"{len(held)} of {len(cases)} cases: {', '.join(sorted(chosen))}"
    return HeldOut(tuple(case for case in cases if case.id not in chosen), held, words)


def _slices_held_out(case: CorrectedCase, seed: int) -> HeldOut:
    planes = confirmed_planes(case)
    if len(planes) < FEWEST:
        return HeldOut((case,), ())
    size = max(1, round(SHARE * len(planes)))
    blocks = [planes[i : i + size] for i in range(len(planes) - size + 1)]
    # Dice of a slice with hardly any tumour says hardly anything: a few voxels make or break it.
    areas = {place: int(np.count_nonzero(_on(case, place, case.labels))) for place in planes}
    telling = [block for block in blocks if min(areas[place] for place in block) >= max(areas.values()) / 2] or blocks
    block = telling[int(np.random.default_rng(seed).integers(len(telling)))]
    learnt = case.confirmed.copy()
    held = []
    for place in block:
        only = np.zeros_like(case.confirmed)
        _on(case, place, only)[...] = _on(case, place, case.confirmed)
        _on(case, place, learnt)[...] = False
        name = f"slice {place + case.box[case.axis].start}"
        held.append((name, replace(case, confirmed=only)))
    words = f"{len(block)} of {len(planes)} slices: {_runs(place + case.box[case.axis].start for place in block)}"
    return HeldOut((replace(case, confirmed=learnt),), tuple(held), words)


def confirmed_planes(case: CorrectedCase) -> list[int]:
    """Return the planes along the case's axis of confirming that are confirmed, at least half as far as any is."""
    others = tuple(axis for axis in range(3) if axis != case.axis)
    counts = case.confirmed.sum(axis=others)
    return [int(place) for place in np.flatnonzero(counts >= max(1, counts.max() / 2))]


def _runs(places: Iterable[int]) -> str:
    """Return places in rising order in words, neighbours joined: `3, 5 to 9`."""
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][1] + 1:
            runs[-1][1] = place
        else:
            runs.append([place, place])
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in runs)


def _on(case: CorrectedCase, place: int, array: np.ndarray) -> np.ndarray:
    """Return a view of one plane."""
    return array[tuple(place if axis == case.axis else slice(None) for axis in range(3))]
