from __future__ import annotations

import numpy as np
import pytest

from napari_brainseg.cases.phantom_anatomy import (
    BrainShape,
    Places,
    brain_anatomy,
    capsule,
    ellipsoid,
    places,
    ramp,
    united,
    ventricles,
)
from napari_brainseg.cases.smooth_field import Grid


def at(*points):
    return Places(*np.array(points, np.float32).T)


@pytest.fixture(scope="module")
def brain():
    grid, rng = Grid.centred((36, 48, 48), (4.0, 4.0, 4.0)), np.random.default_rng(5)
    shape = BrainShape()
    return brain_anatomy(places(grid, shape, rng), grid, shape, 4.0, rng)


def test_distance_to_a_ball_is_exact():
    ball = ellipsoid(at((0, 0, 13), (0, 5, 0), (0, 10, 0)), (0, 0, 0), (10, 10, 10))
    np.testing.assert_allclose(ball, [3, -5, 0], atol=1e-4)


def test_a_boxier_ellipsoid_has_the_same_tips_and_fuller_corners():
    tip, corner = (0, 10, 0), (0, 8, 8)
    box = ellipsoid(at(tip, corner), (0, 0, 0), (10, 10, 10), power=8)
    assert box[0] == pytest.approx(0, abs=1e-4)
    assert box[1] < 0 < ellipsoid(at(corner), (0, 0, 0), (10, 10, 10))[0]


def test_distance_to_a_capsule():
    tube = capsule(at((5, 0, 3), (-4, 0, 0), (10, 0, 5)), (0, 0, 0), (10, 0, 0), (1, 3))
    np.testing.assert_allclose(tube, [3 - 2, 4 - 1, 5 - 3], atol=1e-5)


def test_union_is_the_nearer_shape_far_from_the_seam():
    first, second = np.array([-5.0, 1.0, 0.0], np.float32), np.array([9.0, -8.0, 0.0], np.float32)
    np.testing.assert_allclose(united(first, second, 2.0), [-5, -8, -0.5])


def test_ramp_is_the_share_of_a_voxel_inside():
    np.testing.assert_allclose(ramp(np.array([-3.0, -0.5, 0, 0.5, 3]), 2.0), [1, 0.75, 0.5, 0.25, 0])


def test_tissue_shares_fill_the_brain(brain):
    total = sum(brain.fractions.values())
    np.testing.assert_allclose(total, 1, atol=1e-5)
    assert all(f.min() >= -1e-6 for f in brain.fractions.values())
    assert {"csf", "grey", "white", "blood"} == set(brain.fractions)


def test_proportions_are_those_of_a_brain(brain):
    inside = brain.stripped < 0
    litres = inside.sum() * 4**3 / 1e6
    assert 1.2 < litres < 1.9
    for name, low, high in (("grey", 0.2, 0.6), ("white", 0.3, 0.7), ("csf", 0.05, 0.3)):
        assert low < brain.fractions[name][inside].mean() < high, name


def test_stripping_keeps_the_whole_brain(brain):
    assert not (brain.stripped > 1)[brain.brain < -1].any()


def test_the_left_ventricle_can_be_told_from_the_right():
    left, right = ventricles(at((17, 10, 14), (17, 10, -14)), BrainShape(left_ventricle=1.4, right_ventricle=0.8))
    assert left < right < 0


def test_cerebellum_lies_behind_and_below(brain):
    tissue = brain.brain < 0
    z, y, _ = (axis.mean() for axis in np.nonzero(tissue))
    lowest = np.argwhere(tissue[:10].any(0))
    assert lowest[:, 0].mean() > y
    assert tissue[-4:].sum() > 0
    assert z == pytest.approx(18, abs=3)
