"""Temperature scaling: one number by which logits are divided so that probabilities mean what they say (Guo 2017).

It changes no decision of one answer at a probability of one half, nor which class is the most probable in it. Where
several answers to a voxel are averaged it can: the one that was sure beyond measure counts less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax

from napari_brainseg.evaluation.calibration import Reliability, reliability

# No network that has learnt is off by more.
LOWEST, HIGHEST = 0.05, 20.0


@dataclass(frozen=True, eq=False)
class LogitSample:
    """Voxels of a case.

    Attributes:
        logits: (V, n, K) float32 of V answers to each voxel, whose probabilities are averaged.
        truth: (n, K) bool, what each voxel belongs to.
        weight: How many voxels of the case each of them stands for.
        exclusive: Whether the outputs are classes of which a voxel has one (a softmax), not regions (a sigmoid each).
    """

    logits: NDArray[np.float32]
    truth: NDArray[np.bool_]
    weight: float = 1.0
    exclusive: bool = False


def fit_temperatures(samples: Sequence[LogitSample]) -> NDArray[np.float64]:
    """Return the temperatures (K,) that minimise the negative log likelihood over the voxels; of classes it is one.

    An output that no voxel belongs to keeps 1: nothing tells how sure it may be.
    """
    count = samples[0].logits.shape[-1]
    if samples[0].exclusive:
        return np.full(count, _fitted(partial(_loss, samples, None)))
    known = [any(sample.truth[:, k].any() for sample in samples) for k in range(count)]
    return np.array([_fitted(partial(_loss, samples, k)) if known[k] else 1.0 for k in range(count)])


def reliability_at(samples: Sequence[LogitSample], temperatures: NDArray[np.float64]) -> list[Reliability]:
    """Return the reliability bins of each output, the voxels of each case counted by their weight."""
    by_case = [_bins(sample, temperatures) for sample in samples]
    return [reduce(add, outputs) for outputs in zip(*by_case, strict=True)]


def _bins(sample: LogitSample, temperatures: NDArray[np.float64]) -> list[Reliability]:
    divided = sample.logits / temperatures.astype(np.float32)
    maps = (softmax(divided, -1) if sample.exclusive else expit(divided)).mean(0)
    found = [reliability(maps[:, k], sample.truth[:, k]) for k in range(maps.shape[1])]
    return [Reliability(*(values * sample.weight for values in (b.voxels, b.predicted, b.true))) for b in found]


def _loss(samples: Sequence[LogitSample], k: int | None, temperature: float) -> float:
    return sum(_class_loss(s, temperature) if k is None else _region_loss(s, k, temperature) for s in samples)


def _region_loss(sample: LogitSample, k: int, temperature: float) -> float:
    logits = sample.logits[..., k] / np.float32(temperature)
    # The logarithm of the probability of what is true: the logit's sign turned where the voxel is outside.
    return _mean_loss(sample, -np.logaddexp(np.float32(0), np.where(sample.truth[:, k], -logits, logits)))


def _class_loss(sample: LogitSample, temperature: float) -> float:
    return _mean_loss(sample, log_softmax(sample.logits / np.float32(temperature), -1)[:, sample.truth])


def _mean_loss(sample: LogitSample, logarithms: NDArray[np.float32]) -> float:
    """Return the loss of the mean of V probabilities (V, n) of what is true, given by their logarithms."""
    of_mean = np.logaddexp.reduce(logarithms, 0) - np.log(len(logarithms))
    return -sample.weight * float(of_mean.sum(dtype=np.float64))


def _fitted(loss: Callable[[float], float]) -> float:
    """Return the temperature with the least loss, which has one minimum in its inverse."""
    bounds = (np.log(LOWEST), np.log(HIGHEST))
    found = minimize_scalar(lambda log: loss(float(np.exp(log))), bounds=bounds, method="bounded")
    return float(np.exp(found.x))
