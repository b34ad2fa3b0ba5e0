"""Whether half precision gives the labels of fp32: asked once per model and machine, on a part with tumour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.inference.planning import Plan, tuple_of
from napari_brainseg.inference.predictor import Predictor
from napari_brainseg.inference.results import Results
from napari_brainseg.inference.windows import Window

# Of the voxels that either calls tumour. Rounding moves only voxels at a border.
AGREEMENT = 0.98
ENOUGH = 200  # voxels of tumour; fewer tell nothing
_SLICES = 4
_WINDOW = 64


class Disagreement(Exception):  # noqa: N818 - a message from the run to the one that started it
    """Half precision does not give the labels of fp32."""


def agreement(first: LabelArray, second: LabelArray) -> float:
    """Return the share of equal labels among the voxels that are not 0 in both; 1 where there are none."""
    either = (first > 0) | (second > 0)
    return float((first == second)[either].mean()) if either.any() else 1.0


def halves_agree(predictor: Predictor, results: Results, plan: Plan, places: Sequence[int]) -> bool | None:
    """Return whether the labels of fp32 are those of half precision, or None where there is too little tumour.

    Args:
        predictor: Computes again, on a few slices or one small window.
        results: With labels of half precision.
        plan: The run's.
        places: Slices of the box that are done.
    """
    chosen = list(places)
    counts = np.count_nonzero(results.labels[chosen], axis=(1, 2))
    if counts.sum() < ENOUGH:
        return None
    if plan.window is None:
        best = sorted(chosen[i] for i in np.argsort(-counts, kind="stable")[:_SLICES])
        both = [results.labels_of(predictor.slices(best, p)) for p in (plan, replace(plan, half=None))]
    else:
        place = _around(results.labels, chosen)
        size = tuple_of(s.stop - s.start for s in place)
        both = [results.labels_of(predictor.windows([place], size, p)[0]) for p in (plan, replace(plan, half=None))]
    return agreement(*both) >= AGREEMENT


def _around(labels: LabelArray, places: Sequence[int]) -> Window:
    """Return a small window around the middle of the tumour in these slices."""
    found = np.argwhere(labels[min(places) : max(places) + 1])
    middle = np.median(found, axis=0).astype(int) + np.array([min(places), 0, 0])
    first = [max(0, min(int(m) - _WINDOW // 2, n - _WINDOW)) for m, n in zip(middle, labels.shape, strict=True)]
    return tuple_of(slice(f, min(f + _WINDOW, n)) for f, n in zip(first, labels.shape, strict=True))
