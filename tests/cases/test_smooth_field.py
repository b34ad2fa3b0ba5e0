from __future__ import annotations

import numpy as np
import pytest

from napari_brainseg.cases.smooth_field import Grid, SmoothField


def test_a_field_does_not_depend_on_the_grid():
    field = SmoothField.random(np.random.default_rng(3), 10.0)
    fine = Grid(*(np.arange(-20, 21, dtype=np.float32) for _ in range(3)))
    coarse = Grid(*(np.arange(-20, 21, 4, dtype=np.float32) for _ in range(3)))
    np.testing.assert_allclose(field.on(fine)[::4, ::4, ::4], field.on(coarse), atol=1e-5)


def test_constant_coefficients_give_a_constant():
    flat = SmoothField(np.full((28, 28, 28), 2.5, np.float32), 10.0)
    grid = Grid.centred((5, 6, 7), (31.0, 17.3, 11.1))
    np.testing.assert_allclose(flat.on(grid), 2.5, rtol=1e-5)


def test_mean_and_variance_are_standard():
    values = SmoothField.random(np.random.default_rng(0), 5.0).on(Grid.centred((50, 50, 50), (4.1, 4.1, 4.1)))
    assert abs(values.mean()) < 0.05
    assert values.std() == pytest.approx(1.0, abs=0.05)


def test_beyond_its_reach_the_field_stays_at_its_edge():
    field = SmoothField.random(np.random.default_rng(1), 20.0)
    edge, middle = np.array([120.0, 150.0], np.float32), np.zeros(1, np.float32)
    values = field.on(Grid(edge, middle, middle))
    assert values[0] == values[1]


def test_grid_is_centred_with_its_spacing():
    grid = Grid.centred((2, 3, 4), (5.0, 2.0, 1.0))
    assert grid.shape == (2, 3, 4)
    np.testing.assert_array_equal(grid.z, [-2.5, 2.5])
    np.testing.assert_array_equal(grid.y, [-2, 0, 2])
