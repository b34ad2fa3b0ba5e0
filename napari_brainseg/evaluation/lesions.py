"""Scores lesion by lesion, by the rule of the BraTS challenges since 2023.

Source: R. Saluja, BraTS 2023 Lesion-Wise Performance Metrics (github.com/rachitsaluja/BraTS-2023-Metrics), with the
numbers of the glioma challenge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_brainseg.evaluation.metrics import dice
from napari_brainseg.evaluation.surfaces import Box, Mask, SurfaceDistances

DILATION = 3  # voxels that a true lesion reaches out, to take its satellites in and to find what was predicted for it
SMALLEST = 50.0  # mm³; a true lesion that is not larger counts neither as found nor as missed
MISSED_DISTANCE = 374.0  # mm; the HD95 of what was missed or invented, about the diagonal of a BraTS volume
_TOUCHING = ndimage.generate_binary_structure(3, 3)  # 26 neighbours
_GROWING = ndimage.generate_binary_structure(3, 2)  # 18 neighbours


@dataclass(frozen=True)
class LesionScores:
    """Means over the true lesions and the invented ones, and how many there are of each kind."""

    dice: float
    hd95: float
    found: int
    missed: int
    invented: int
    ignored: int


def score_lesions(prediction: Mask, truth: Mask, spacing: Sequence[float]) -> LesionScores:
    """Score two masks (Z, Y, X) lesion by lesion.

    True lesions are the 26-connected components of the truth, joined where their dilations touch. Each is scored
    against all the predicted components that touch its own dilation. One that is not larger than `SMALLEST` is left
    out. A true lesion that nothing touches, and a predicted one that touches none, count Dice 0 and HD95
    `MISSED_DISTANCE`. Without any lesion Dice is 1 and HD95 0.

    Args:
        prediction: (Z, Y, X).
        truth: (Z, Y, X).
        spacing: mm along (Z, Y, X).
    """
    grown, count = ndimage.label(
        ndimage.binary_dilation(truth, _GROWING, DILATION) if truth.any() else truth, _TOUCHING
    )
    lesions = np.where(truth, grown, 0)
    predicted, predicted_count = ndimage.label(prediction, _TOUCHING)
    boxes = ndimage.find_objects(predicted)
    touched: set[int] = set()
    dices, distances = [], []
    found = missed = ignored = 0
    for number, place in enumerate(ndimage.find_objects(lesions, count), start=1):
        box = _grown(place, truth.shape)
        lesion = lesions[box] == number
        near = ndimage.binary_dilation(lesion, _GROWING, DILATION)
        matched = set(np.unique(predicted[box][near]).tolist()) - {0}
        touched |= matched
        if np.count_nonzero(lesion) * float(np.prod(spacing)) <= SMALLEST:
            ignored += 1
            continue
        if not matched:
            missed += 1
            continue
        found += 1
        # What was predicted for a lesion may reach far beyond the lesion's own box.
        both = _around([place, *(boxes[m - 1] for m in matched)])
        pair = np.isin(predicted[both], list(matched)), lesions[both] == number
        dices.append(dice(*pair))
        distances.append(SurfaceDistances(*pair, spacing).hd95)
    invented = predicted_count - len(touched)
    failed = missed + invented
    if not found + failed:
        return LesionScores(1.0, 0.0, 0, 0, 0, ignored)
    mean_dice = sum(dices) / (found + failed)
    mean_distance = (sum(distances) + failed * MISSED_DISTANCE) / (found + failed)
    return LesionScores(mean_dice, mean_distance, found, missed, invented, ignored)


def _grown(place: Box, shape: Sequence[int]) -> Box:
    """Return a place and as far around it as a lesion can grow."""
    return tuple(
        slice(max(0, s.start - DILATION), min(n, s.stop + DILATION)) for s, n in zip(place, shape, strict=True)
    )


def _around(places: Sequence[Box]) -> Box:
    """Return the smallest box that holds all places."""
    return tuple(slice(min(s.start for s in axis), max(s.stop for s in axis)) for axis in zip(*places, strict=True))
