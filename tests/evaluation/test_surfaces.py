"""Borders by hand and against MONAI."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from numpy.typing import NDArray
from scipy import ndimage

from napari_brainseg.evaluation.surfaces import SurfaceDistances, border, border_band, box_around

Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def blobs(seed: int, shape: tuple[int, ...]) -> Masks:
    chance = np.random.default_rng(seed)
    first, second = (ndimage.gaussian_filter(chance.normal(size=shape), 2) for _ in range(2))
    return first > 0.04, 0.6 * first + 0.8 * second > 0.04


def tensors(masks: Masks) -> list[torch.Tensor]:
    return [torch.from_numpy(mask)[None, None].float() for mask in masks]


@pytest.mark.parametrize(
    ("shape", "spacing"), [((14, 22, 26), (1.0, 1.0, 1.0)), ((9, 30, 24), (3.0, 0.8, 1.3)), ((40, 36), (1.5, 0.7))]
)
def test_distances_agree_with_monai(shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    for seed in (1, 2):
        masks = blobs(seed, shape)
        ours = SurfaceDistances(*masks, spacing)
        hausdorff = compute_hausdorff_distance(*tensors(masks), True, percentile=95, spacing=list(spacing))
        surface = compute_surface_dice(*tensors(masks), [1.0], True, spacing=list(spacing))
        assert ours.hd95 == pytest.approx(float(hausdorff), rel=1e-5)
        assert ours.surface_dice(1.0) == pytest.approx(float(surface), rel=1e-5)


def test_a_shifted_plate_is_as_far_away_as_it_was_moved() -> None:
    truth = np.zeros((3, 20, 20), bool)
    truth[:, 5] = True
    prediction = np.roll(truth, 3, 1)
    distances = SurfaceDistances(prediction, truth, (1.0, 2.0, 1.0))
    assert distances.hd95 == 6.0
    assert (distances.surface_dice(5.9), distances.surface_dice(6.0)) == (0.0, 1.0)


def test_empty_masks() -> None:
    nothing, something = np.zeros((4, 4, 4), bool), np.ones((4, 4, 4), bool)
    both, one = (SurfaceDistances(nothing, truth, (1, 1, 1)) for truth in (nothing, something))
    assert (both.hd95, both.surface_dice(1.0)) == (0.0, 1.0)
    assert (one.hd95, one.surface_dice(1.0)) == (float("inf"), 0.0)


def test_the_border_of_a_cube_that_fills_its_array() -> None:
    cube = np.ones((5, 5, 5), bool)
    assert np.count_nonzero(border(cube)) == 5**3 - 3**3


def test_the_band_around_a_straight_border() -> None:
    truth = np.zeros((2, 40, 60), bool)
    truth[0, :, 30:] = True
    band = border_band(truth, 3)
    assert not band[1].any()
    # The border is column 30 and what lies at the array's end; three pixels to either side belong to the band.
    assert np.flatnonzero(band[0, 20, :45]).tolist() == [27, 28, 29, 30, 31, 32, 33]


def test_the_band_is_a_disc_around_a_single_pixel() -> None:
    truth = np.zeros((1, 15, 15), bool)
    truth[0, 7, 7] = True
    rows, columns = np.indices((15, 15)) - 7
    np.testing.assert_array_equal(border_band(truth, 3)[0], rows**2 + columns**2 <= 9)
    corner = np.zeros((1, 6, 6), bool)
    corner[0, 0, 5] = True
    assert np.count_nonzero(border_band(corner, 3)) == 11  # a quarter of the disc


def test_a_box_ends_at_the_array() -> None:
    mask = np.zeros((6, 8, 10), bool)
    assert box_around(mask, 2) is None
    mask[0, 4, 9] = True
    assert box_around(mask, 2) == (slice(0, 3), slice(2, 7), slice(7, 10))
