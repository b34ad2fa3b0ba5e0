"""Means with their uncertainty: percentile bootstrap over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
_LOW, _HIGH = 2.5, 97.5


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval, and how the values of the single cases lie. NaN where there are none."""

    mean: float
    low: float
    high: float
    median: float
    deviation: float
    cases: int


def estimate(
    values: Sequence[float], patients: Sequence[str], weights: Sequence[float] | None = None, seed: int = 1
) -> Estimate:
    """Return the mean over cases with the percentile interval of a bootstrap over patients (Efron 1979).

    Patients are drawn, not cases, because the exams of one patient are alike. The same seed gives the same interval.

    Args:
        values: One per case; NaN is left out.
        patients: Whose each case is.
        weights: What each case counts in the mean, its number of slices for example; by default 1.
        seed: Of the draws.
    """
    array = np.asarray(values, np.float64)
    mass = np.ones(len(array)) if weights is None else np.asarray(weights, np.float64)
    known = np.isfinite(array) & (mass > 0)
    if not known.any():
        return Estimate(*(float("nan"),) * 5, cases=0)
    array, mass = array[known], mass[known]
    groups = np.unique([p for p, k in zip(patients, known, strict=True) if k], return_inverse=True)[1]
    total, size = np.bincount(groups, array * mass), np.bincount(groups, mass)
    draws = _draws(len(total), seed)
    low, high = np.percentile(draws @ total / (draws @ size), (_LOW, _HIGH))
    mean = float(np.average(array, weights=mass))
    deviation = float(np.std(array, ddof=1)) if len(array) > 1 else 0.0
    return Estimate(mean, float(low), float(high), float(np.median(array)), deviation, len(array))


def _draws(patients: int, seed: int) -> NDArray[np.float64]:
    """Return how often each patient is drawn in each resample, (RESAMPLES, patients)."""
    chance = np.random.default_rng(seed)
    return chance.multinomial(patients, np.full(patients, 1 / patients), RESAMPLES).astype(np.float64)
