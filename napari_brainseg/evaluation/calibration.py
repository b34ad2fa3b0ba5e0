"""Whether probabilities mean what they say: reliability bins and the expected calibration error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

BINS = 15  # as Guo 2017


@dataclass(frozen=True, eq=False)
class Reliability:
    """Voxels by predicted probability, in equal bins from 0 to 1; each array is (BINS,). Adds up over cases.

    Attributes:
        voxels: How many there are.
        predicted: The sum of their probabilities.
        true: How many of them belong to the part.
    """

    voxels: NDArray[np.float64]
    predicted: NDArray[np.float64]
    true: NDArray[np.float64]

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """Return the bins that plain lists of the three names hold."""
        return cls(*(np.asarray(facts[name], np.float64) for name in ("voxels", "predicted", "true")))

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(self.voxels + other.voxels, self.predicted + other.predicted, self.true + other.true)

    @property
    def ece(self) -> float:
        """The expected calibration error (Naeini 2015, Guo 2017): mean |predicted - true| over bins, by voxels."""
        total = float(self.voxels.sum())
        return float(np.abs(self.predicted - self.true).sum() / total) if total else float("nan")


def reliability(probability: NDArray[np.floating], truth: NDArray[np.bool_]) -> Reliability:
    """Count the voxels of a probability map, 0 to 1, and a mask of one shape into bins; a bin holds its lower end."""
    values = probability.ravel().astype(np.float32, copy=False)
    bins = np.minimum((values * BINS).astype(np.intp), BINS - 1)
    voxels, true = (np.bincount(b, minlength=BINS) for b in (bins, bins[truth.ravel()]))
    predicted = np.bincount(bins, values, BINS).astype(np.float64)
    return Reliability(voxels.astype(np.float64), predicted, true.astype(np.float64))
