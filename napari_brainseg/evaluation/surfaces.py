"""How far two masks' borders lie apart: HD95, normalised surface Dice, and the band around the true border."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

Mask = NDArray[np.bool_]
Box = tuple[slice, ...]


def box_around(mask: Mask, margin: int) -> Box | None:
    """Return the smallest box that holds a mask, with a margin that ends at the array; None for an empty mask."""
    box = []
    for axis in range(mask.ndim):
        there = np.flatnonzero(mask.any(tuple(a for a in range(mask.ndim) if a != axis)))
        if not there.size:
            return None
        box.append(slice(max(0, int(there[0]) - margin), min(mask.shape[axis], int(there[-1]) + 1 + margin)))
    return tuple(box)


def border(mask: Mask) -> Mask:
    """Return the voxels of a mask with a face neighbour outside of it; what lies beyond the array is outside."""
    return np.asarray(mask & ~ndimage.binary_erosion(mask))


class SurfaceDistances:
    """Distances from every border voxel of each of two masks to the nearest border voxel of the other.

    They are infinite where the other mask is empty. The border is made of voxels, as in MONAI's metrics.
    """

    def __init__(self, prediction: Mask, truth: Mask, spacing: Sequence[float]) -> None:
        """Measure two masks of one shape, in the unit of `spacing`, which has a step for each axis."""
        found, true = (np.argwhere(border(mask)).astype(np.float64) * spacing for mask in (prediction, truth))
        self.from_prediction = _nearest(found, true)
        self.from_truth = _nearest(true, found)

    @property
    def hd95(self) -> float:
        """The greater of the two 95th percentiles; 0 where both masks are empty, infinite where one is."""
        if not len(self.from_prediction) and not len(self.from_truth):
            return 0.0
        if not len(self.from_prediction) or not len(self.from_truth):
            return float("inf")
        return float(max(np.percentile(self.from_prediction, 95), np.percentile(self.from_truth, 95)))

    def surface_dice(self, tolerance: float) -> float:
        """Return the share of both borders within `tolerance` of the other (Nikolov 2018); 1 where both are empty."""
        together = np.concatenate([self.from_prediction, self.from_truth])
        return float(np.mean(together <= tolerance)) if len(together) else 1.0


def _nearest(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance from each of the points (N, D) to the nearest of the others (M, D)."""
    if not len(others) or not len(points):
        return np.full(len(points), np.inf)
    # A tree of the few border voxels is quicker than a distance transform of the whole array.
    return np.asarray(KDTree(others, leafsize=32).query(points)[0])


def border_band(truth: Mask, width: int) -> Mask:
    """Return the voxels at most `width` pixels, within their slice, from the border that a mask (Z, Y, X) has there."""
    outlines = truth & ~ndimage.binary_erosion(truth, np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], bool))
    rows, columns = np.mgrid[-width : width + 1, -width : width + 1]
    disc = rows**2 + columns**2 <= width**2
    band = np.zeros([n + 2 * width if axis else n for axis, n in enumerate(truth.shape)], np.bool_)
    z, y, x = (index[:, None] for index in np.nonzero(outlines))
    band[z, y + rows[disc] + width, x + columns[disc] + width] = True
    return band[:, width:-width, width:-width]
