"""Every change of geometry has the place of every voxel that its definition says."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from napari_brainseg.training.augmentation_settings import AugmentationSettings
from napari_brainseg.training.geometry_changes import (
    Motion,
    deformation,
    move,
    random_affines,
    random_motion,
    rotations,
    warp,
)

STILL = AugmentationSettings(rotation=0, scale=0, shift=0, flip=0)


def chance(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(*shape: int) -> tuple[Tensor, Tensor]:
    labels = torch.randint(0, 4, (shape[0], *shape[2:]), dtype=torch.uint8, generator=chance())
    return torch.rand(shape, generator=chance()), labels


def affine(linear: Tensor, *shift: float) -> Tensor:
    return torch.cat([linear, torch.tensor(shift)[:, None]], 1)[None]


def ramps(*shape: int) -> Tensor:
    """Return the place of every voxel from the middle along each axis, (1, D, *shape)."""
    axes = [torch.arange(extent) - (extent - 1) / 2 for extent in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]


def moved(images: Tensor, labels: Tensor, settings: AugmentationSettings, seed: int = 1) -> tuple[Tensor, Tensor]:
    return move(images, labels, random_motion(len(images), images.shape[2:], settings, chance(seed)))


def test_a_quarter_turn_is_exact_in_plane_and_through_it() -> None:
    images, labels = drawn(1, 2, 9, 9)
    quarter = rotations(torch.tensor([[math.pi / 2]]))[0]
    turned, classes = warp(images, labels, affine(quarter, 0, 0))
    # The map leads back to the image, so that what is seen turns the other way.
    torch.testing.assert_close(turned, images.rot90(-1, (2, 3)), atol=1e-5, rtol=0)
    assert torch.equal(classes, labels.rot90(-1, (1, 2)))
    volume, classes = drawn(1, 2, 5, 5, 5)
    for index, axes in enumerate([(3, 4), (2, 3), (2, 4)]):
        angles = torch.zeros(1, 3)
        angles[0, index] = math.pi / 2
        turned, turned_classes = warp(volume, classes, affine(rotations(angles)[0], 0, 0, 0))
        torch.testing.assert_close(turned, volume.rot90(-1, axes), atol=1e-5, rtol=0)
        assert torch.equal(turned_classes, classes.rot90(-1, (axes[0] - 1, axes[1] - 1)))


def test_slices_of_a_volume_move_as_images_do() -> None:
    volume, labels = drawn(2, 3, 4, 10, 14)
    matrices = random_affines(2, (10, 14), AugmentationSettings(), chance())
    turned, classes = warp(volume, labels, matrices)
    for z in range(4):
        slice_, slice_classes = warp(volume[:, :, z], labels[:, z], matrices)
        torch.testing.assert_close(turned[:, :, z], slice_)
        assert torch.equal(classes[:, z], slice_classes)


def test_an_affine_map_samples_ramps_exactly() -> None:
    linear = torch.tensor([[0.9, 0.2], [-0.1, 0.8]])
    places = ramps(21, 33)
    result, _ = warp(places, places[:, 0], affine(linear, 0.5, -1.25))
    expected = torch.einsum("ab,nbyx->nayx", linear, places) + torch.tensor([0.5, -1.25]).reshape(2, 1, 1)
    inside = (expected.abs() <= torch.tensor([10.0, 16.0]).reshape(2, 1, 1)).all(1)
    assert inside.float().mean() > 0.8
    torch.testing.assert_close(result[0][:, inside[0]], expected[0][:, inside[0]], atol=1e-4, rtol=0)


def test_rotation_keeps_lengths_and_reaches_its_angle() -> None:
    settings = replace(STILL, rotation=45)
    linear = random_affines(500, (30, 60), settings, chance())[..., :2]
    torch.testing.assert_close(linear @ linear.mT, torch.eye(2).expand(500, 2, 2), atol=1e-5, rtol=0)
    angles = torch.rad2deg(torch.atan2(linear[:, 1, 0], linear[:, 0, 0]))
    assert 43 < angles.max() <= 45.001
    assert -45.001 <= angles.min() < -43


def test_scale_is_a_ratio_and_shift_a_share_of_the_image() -> None:
    scaled = random_affines(500, (30, 60), replace(STILL, scale=0.25), chance())
    sizes = scaled[:, 0, 0]
    assert 1 / 1.25 <= sizes.min() < 0.82 < 1.22 < sizes.max() <= 1.25
    torch.testing.assert_close(scaled[:, 1, 1], sizes)
    shifts = random_affines(500, (30, 60), replace(STILL, shift=0.1), chance())[..., 2].abs().amax(0)
    assert 2.9 < shifts[0] <= 3
    assert 5.8 < shifts[1] <= 6


def test_a_crop_is_a_window_of_the_image_that_fills_the_result() -> None:
    places = ramps(40, 80)
    matrices = random_affines(200, (40, 80), replace(STILL, crop=0.5), chance())
    shares = matrices[:, 0, 0]
    assert 0.5 <= shares.min() < 0.52
    assert 0.98 < shares.max() <= 1
    corners = torch.tensor([[-20.0, -40.0], [20.0, 40.0]]) @ matrices[:, :, :2].mT + matrices[:, None, :, 2]
    assert (corners.abs() <= torch.tensor([20.001, 40.001])).all()
    half = affine(torch.eye(2) / 2, -10, 20)  # the upper right quarter
    result, _ = warp(places, places[:, 0], half)
    torch.testing.assert_close(result[0, 0, :, 0], torch.linspace(-19.75, -0.25, 40).clamp(min=-19.5))
    torch.testing.assert_close(result[0, 1, 0], torch.linspace(0.25, 39.75, 80).clamp(max=39.5), atol=1e-4, rtol=0)


def test_through_plane_moves_the_first_axis_by_its_share() -> None:
    strong = AugmentationSettings(rotation=30, scale=0.2, shift=0.1, crop=0.2, elastic=3)
    assert random_motion(2, (8, 32, 32), strong, chance()).matrices.shape == (2, 2, 3)
    whole = random_motion(50, (8, 32, 32), replace(strong, through_plane=1, chance=1), chance())
    assert whole.matrices.shape == (50, 3, 4)
    assert (whole.matrices[:, 0, 1:3].abs().amax(0) > 0.1).all()
    assert whole.controls is not None
    torch.testing.assert_close(whole.controls.abs().amax((0, 2, 3, 4)), torch.full((3,), 3.0), rtol=0.02, atol=0)
    tenth = random_motion(50, (8, 32, 32), replace(strong, through_plane=0.1, chance=1), chance())
    assert tenth.controls is not None
    assert tenth.controls[:, 0].abs().max() <= 0.3
    assert tenth.matrices[:, 0, 3].abs().max() < 0.8 * 0.1 * 1.3 + 0.1


def test_mirror_images_and_transposition_are_exact() -> None:
    images, labels = drawn(6, 2, 8, 8)
    flipped, classes = moved(images, labels, replace(STILL, flip=1))
    assert torch.equal(flipped, images.flip(2, 3))
    assert torch.equal(classes, labels.flip(1, 2))
    transposed, classes = moved(images, labels, replace(STILL, transpose=1))
    assert torch.equal(transposed, images.mT)
    assert torch.equal(classes, labels.mT)


def test_each_axis_is_mirrored_on_its_own() -> None:
    images, labels = drawn(64, 1, 3, 4, 4)
    flipped, classes = moved(images, labels, replace(STILL, flip=0.5))
    seen = set()
    for image, result, mask, result_mask in zip(images, flipped, labels, classes, strict=True):
        for axes in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
            if torch.equal(image.flip([a + 1 for a in axes]), result):
                assert torch.equal(mask.flip(axes), result_mask)
                seen.add(axes)
    assert len(seen) == 8


@pytest.mark.parametrize("through_plane", [0.0, 1.0])
@pytest.mark.parametrize("shape", [(40, 1, 8, 8), (40, 1, 4, 8, 8)])
def test_mirrors_within_the_sampling_are_those_without(shape: tuple[int, ...], through_plane: float) -> None:
    # A shift of next to nothing sends every image through the sampling.
    images, labels = drawn(*shape)
    exact = replace(STILL, flip=0.5, transpose=0.5, through_plane=through_plane)
    still = random_motion(len(images), images.shape[2:], exact, chance())
    sampled = replace(still, warped=torch.ones(len(images), dtype=torch.bool))
    expected, actual = move(images, labels, still), move(images, labels, sampled)
    torch.testing.assert_close(actual[0], expected[0], atol=1e-5, rtol=0)
    assert torch.equal(actual[1], expected[1])


def test_an_oblong_image_is_transposed_about_its_middle() -> None:
    places = ramps(5, 9)
    result, _ = moved(places, places[:, 0], replace(STILL, transpose=1))
    torch.testing.assert_close(result[0, 0], places[0, 1].clamp(-2, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(result[0, 1], places[0, 0], atol=1e-5, rtol=0)


def test_equal_control_points_shift_and_none_deform_nothing() -> None:
    controls = torch.full((1, 2, 6, 7), 2.0)
    controls[:, 1] = -1.0
    field = deformation(controls, (24, 32), 8.0)
    torch.testing.assert_close(field[:, 0], torch.full((1, 24, 32), 2.0))
    images, labels = drawn(1, 2, 24, 32)
    shifted, classes = warp(images, labels, affine(torch.eye(2), 0, 0), controls, 8.0)
    torch.testing.assert_close(shifted[..., :-2, 1:], images[..., 2:, :-1], atol=1e-4, rtol=0)
    assert torch.equal(classes[..., :-2, 1:], labels[..., 2:, :-1])
    still, classes = warp(images, labels, affine(torch.eye(2), 0, 0), torch.zeros_like(controls), 8.0)
    torch.testing.assert_close(still, images, atol=1e-4, rtol=0)
    assert torch.equal(classes, labels)


def test_one_control_point_gives_the_cubic_spline() -> None:
    controls = torch.zeros(1, 1, 5, 5)
    controls[0, 0, 2, 2] = 1.0  # stands one spacing from the border
    field = deformation(controls, (16, 16), 8.0)[0, 0]

    def spline(voxel: int) -> float:
        far = abs((voxel + 0.5) / 8 - 1)
        return 2 / 3 - far**2 + far**3 / 2 if far < 1 else (2 - far) ** 3 / 6

    for y, x in ((0, 0), (7, 8), (3, 15)):
        assert field[y, x] == pytest.approx(spline(y) * spline(x), abs=1e-6)


def test_a_deformation_is_bounded_smooth_and_does_not_fold() -> None:
    settings = replace(STILL, elastic=6, elastic_spacing=15, chance=1)
    motion = random_motion(20, (48, 64), settings, chance())
    assert motion.controls is not None
    field = deformation(motion.controls, (48, 64), 15)
    assert 1 < field.abs().max() <= 6
    rise, run = torch.gradient(field[:, 0], dim=(1, 2)), torch.gradient(field[:, 1], dim=(1, 2))
    assert ((1 + rise[0]) * (1 + run[1]) - rise[1] * run[0] > 0).all()


def test_images_that_are_not_warped_are_left_as_they_are() -> None:
    images, labels = drawn(40, 1, 16, 16)
    turned, classes = moved(images, labels, AugmentationSettings(flip=0, warp=0.5))
    same = (turned == images).flatten(1).all(1)
    assert 8 < same.sum() < 32
    assert torch.equal(classes[same], labels[same])


def test_a_motion_moves_what_it_is_told() -> None:
    images, labels = drawn(2, 1, 4, 4)
    eye = torch.eye(2, 3).repeat(2, 1, 1)
    eye[1, 0, 2] = 1.0
    no = torch.zeros(2, dtype=torch.bool)
    motion = Motion(eye, None, 32.0, no[:, None].repeat(1, 2), no, torch.tensor([False, True]))
    result, classes = move(images, labels, motion)
    assert torch.equal(result[0], images[0])
    torch.testing.assert_close(result[1, :, :3], images[1, :, 1:], atol=1e-5, rtol=0)
    assert torch.equal(classes[1, :3], labels[1, 1:])
    assert torch.equal(classes[1, 3], labels[1, 3])  # the border is repeated
