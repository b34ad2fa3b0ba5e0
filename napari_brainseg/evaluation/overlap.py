"""Voxel counts of two label arrays, and every score that follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.labels import LabelArray, LabelScheme

BACKGROUND = "background"


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


@dataclass(frozen=True)
class Counts:
    """True positive, false positive, false negative and true negative voxels; counts add up over slices and patients.

    Where prediction and truth are both empty, Dice, IoU and F1 are 1, since nothing was missed or invented; so are
    sensitivity and precision. Sensitivity without truth but with a prediction is 1 (nothing was missed), precision
    without a prediction but with truth is 0 (nothing was found).
    """

    tp: int
    fp: int
    fn: int
    tn: int

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def is_empty(self) -> bool:
        """Whether neither the prediction nor the truth holds a voxel."""
        return self.tp + self.fp + self.fn == 0

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN), Dice 1945."""
        return 1.0 if self.is_empty else _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and sensitivity, which is Dice."""
        return self.dice

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), Jaccard 1912."""
        return 1.0 if self.is_empty else _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN), also called recall."""
        return 1.0 if self.tp + self.fn == 0 else _ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> float:
        """TN / (TN + FP); 1 where the truth fills everything."""
        return 1.0 if self.tn + self.fp == 0 else _ratio(self.tn, self.tn + self.fp)

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        if self.tp + self.fp == 0:
            return 1.0 if self.fn == 0 else 0.0
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def volume_error(self) -> float:
        """(predicted - true volume) / true volume; NaN without truth."""
        return _ratio(self.fp - self.fn, self.tp + self.fn)


def counts(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Counts:
    """Count the voxels of two masks of one shape."""
    both = int(np.count_nonzero(prediction & truth))
    predicted, true = int(np.count_nonzero(prediction)), int(np.count_nonzero(truth))
    return Counts(both, predicted - both, true - both, truth.size - predicted - true + both)


def scheme_counts(prediction: LabelArray, truth: LabelArray, scheme: LabelScheme) -> dict[str, Counts]:
    """Return the counts of `background`, of each class and of each region of a scheme, by name."""
    highest = len(scheme.classes) + 1
    # One pass over the voxels; everything else is sums over this small table.
    pairs = np.bincount((truth.astype(np.intp) * highest + prediction).ravel(), minlength=highest * highest)
    table = pairs.reshape(highest, highest)
    groups: dict[str, tuple[int, ...]] = {BACKGROUND: (0,)}
    groups.update({c.name: (c.value,) for c in scheme.classes})
    groups.update({r.name: r.values for r in scheme.regions})
    return {name: _of_table(table, values) for name, values in groups.items()}


def _of_table(table: NDArray[np.intp], values: tuple[int, ...]) -> Counts:
    chosen = list(values)
    both = int(table[np.ix_(chosen, chosen)].sum())
    true, predicted = int(table[chosen].sum()), int(table[:, chosen].sum())
    return Counts(both, predicted - both, true - both, int(table.sum()) - true - predicted + both)


def macro(by_class: Mapping[str, Counts], measure: str, *, background: bool) -> float:
    """Return the mean of a measure (a property of `Counts`) over classes, with or without the background."""
    values = [getattr(c, measure) for name, c in by_class.items() if background or name != BACKGROUND]
    return float(np.mean(values))
