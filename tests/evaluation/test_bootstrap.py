from __future__ import annotations

import math

import numpy as np
import pytest

from napari_brainseg.evaluation.bootstrap import estimate


def test_the_interval_of_many_values_is_that_of_the_normal_mean() -> None:
    values = np.random.default_rng(1).normal(0.8, 0.1, 400)
    e = estimate(values.tolist(), [str(i) for i in range(400)])
    half = 1.96 * values.std() / 20
    assert e.mean == pytest.approx(values.mean())
    assert (e.low, e.high) == pytest.approx((e.mean - half, e.mean + half), abs=0.002)
    assert (e.median, e.deviation, e.cases) == (np.median(values), np.std(values, ddof=1), 400)


def test_the_exams_of_one_patient_are_drawn_together() -> None:
    values = [0.0, 1.0] * 50
    apart = estimate(values, [str(i) for i in range(100)])
    together = estimate(sorted(values), [str(i // 50) for i in range(100)])
    assert (together.low, together.high) == (0.0, 1.0)
    assert apart.high - apart.low < 0.3


def test_weights_and_missing_values() -> None:
    e = estimate([1.0, 0.0, math.nan], ["a", "b", "c"], [3, 1, 5])
    assert (e.mean, e.cases) == (0.75, 2)
    assert (e.low, e.high) == (0.0, 1.0)
    nothing = estimate([math.nan], ["a"])
    assert math.isnan(nothing.mean)
    assert nothing.cases == 0


def test_one_case_has_no_width() -> None:
    e = estimate([0.7], ["a"])
    assert (e.mean, e.low, e.high, e.deviation) == (0.7, 0.7, 0.7, 0.0)
