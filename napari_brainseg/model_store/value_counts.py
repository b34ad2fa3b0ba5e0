"""Images of whole numbers, as scanners store them: percentiles and moments from how often each value occurs.

Sorting millions of voxels takes most of the time before the first label; counting them gives the same numbers, and a
table with a row for each value then scales the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST = 65535


@dataclass(frozen=True, eq=False)
class ValueCounts:
    """How often each whole number from 0 on occurs; `codes` is the image itself, uint8 or uint16."""

    codes: NDArray[np.uint8] | NDArray[np.uint16]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, image: NDArray[Any]) -> ValueCounts | None:
        """Count an image's values; None where they are not all whole numbers from 0 to 65535."""
        if not image.size or not (image.min() >= 0 and image.max() <= _LARGEST):
            return None
        if image.dtype in (np.uint8, np.uint16):
            return cls(image, np.bincount(image.ravel()))
        codes = image.astype(np.uint16)
        return cls(codes, np.bincount(codes.ravel())) if np.array_equal(codes, image) else None

    def above(self, threshold: float) -> ValueCounts:
        """Return the counts of the values above a threshold; the image stays whole."""
        counts = self.counts.copy()
        counts[: int(np.floor(threshold)) + 1] = 0
        return ValueCounts(self.codes, counts)

    @property
    def size(self) -> int:
        """How many voxels are counted."""
        return int(self.counts.sum())

    def percentile(self, share: float) -> float:
        """Return what `numpy.percentile` would: linear between the two nearest voxels in order."""
        place = share / 100 * (self.size - 1)
        below = int(np.floor(place))
        first, second = np.searchsorted(self.counts.cumsum(), [below, min(below + 1, self.size - 1)], side="right")
        return float(first + (place - below) * (second - first))

    def clipped_moments(self, low: float, high: float) -> tuple[float, float]:
        """Return mean and standard deviation of the counted voxels, clipped to a range."""
        values = np.arange(len(self.counts)).clip(low, high)
        mean = float(np.average(values, weights=self.counts))
        return mean, float(np.sqrt(np.average((values - mean) ** 2, weights=self.counts)))
