from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from napari_brainseg.evaluation.temperature import LogitSample, fit_temperatures, reliability_at


def logistic(temperature: float, count: int = 50_000, seed: int = 1) -> LogitSample:
    """Voxels whose truth is drawn with the probability that their logits have at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (count, 1)).astype(np.float32)
    return LogitSample(logits[None], rng.random((count, 1)) < expit(logits / temperature))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_finds_the_temperature_that_made_the_data(temperature: float) -> None:
    sample = logistic(temperature)
    found = fit_temperatures([sample])
    assert found == pytest.approx([temperature], rel=0.03)
    (after,) = reliability_at([sample], found)
    assert after.ece < 0.01
    (before,) = reliability_at([sample], np.ones(1))
    assert (before.ece > 0.05) == (temperature != 1.0)


def test_of_two_points_the_answer_is_exact() -> None:
    # A logit of 2 that is right in 3 of 4 voxels: sigmoid(2 / T) = 3 / 4, so T = 2 / log 3.
    sample = LogitSample(np.full((1, 4, 1), 2, np.float32), np.array([[True], [True], [True], [False]]))
    assert fit_temperatures([sample]) == pytest.approx([2 / np.log(3)], rel=1e-4)


def test_regions_have_a_temperature_each_and_one_that_is_nowhere_keeps_its_own() -> None:
    one, other = logistic(2.0), logistic(0.5, seed=2)
    nowhere = np.zeros_like(one.truth)
    sample = LogitSample(
        np.concatenate([one.logits, other.logits, one.logits], -1), np.hstack([one.truth, other.truth, nowhere])
    )
    found = fit_temperatures([sample])
    assert found[:2] == pytest.approx([2.0, 0.5], rel=0.03)
    assert found[2] == 1


def test_classes_share_one_temperature() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 3, (50_000, 3)).astype(np.float32)
    chances = softmax(logits / 1.5, 1).cumsum(1)
    truth = np.eye(3, dtype=bool)[(rng.random((len(logits), 1)) > chances).sum(1).clip(0, 2)]
    found = fit_temperatures([LogitSample(logits[None], truth, exclusive=True)])
    assert found == pytest.approx([1.5] * 3, rel=0.03)
    assert found[0] == found[1] == found[2]


def test_answers_that_are_averaged_share_a_temperature() -> None:
    # Logits of 6 and -2 for voxels of which 7 in 10 belong to it: (sigmoid(6 / T) + sigmoid(-2 / T)) / 2 = 0.7.
    logits = np.repeat(np.array([[[6.0]], [[-2.0]]], np.float32), 10, 1)
    sample = LogitSample(logits, np.arange(10)[:, None] < 7)
    (found,) = fit_temperatures([sample])
    assert (expit(6 / found) + expit(-2 / found)) / 2 == pytest.approx(_highest_mean(), abs=1e-4)
    (bins,) = reliability_at([sample], np.array([found]))
    assert bins.predicted.sum() == pytest.approx(10 * _highest_mean(), abs=1e-3)


def _highest_mean() -> float:
    """The mean of the two answers that is nearest to 0.7 at any temperature."""
    means = (expit(6 / (t := np.geomspace(0.05, 20, 200_000))) + expit(-2 / t)) / 2
    return float(means[np.abs(means - 0.7).argmin()])


def test_a_voxel_counts_as_many_as_it_stands_for() -> None:
    sure = LogitSample(np.full((1, 1, 1), 2, np.float32), np.array([[True]]), weight=3)
    wrong = LogitSample(np.full((1, 1, 1), 2, np.float32), np.array([[False]]))
    assert fit_temperatures([sure, wrong]) == pytest.approx([2 / np.log(3)], rel=1e-4)
    (bins,) = reliability_at([sure, wrong], np.ones(1))
    assert (bins.voxels.sum(), bins.true.sum()) == (4, 3)
