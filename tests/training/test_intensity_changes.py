"""Every change of intensity is its formula."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from napari_brainseg.training.augmentation_settings import AugmentationSettings
from napari_brainseg.training.intensity_changes import (
    add_noise,
    bias_field,
    blur,
    change_gamma,
    change_intensities,
    kept_channels,
    lower_resolution,
)

SHAPES = [(3, 2, 12, 16), (3, 2, 5, 8, 6)]


def chance(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def only(**amounts: float | tuple[float, ...]) -> AugmentationSettings:
    return AugmentationSettings(**{"intensity": 0.0, "noise": 0.0, "chance": 1.0, **amounts})


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=chance())


@pytest.mark.parametrize("shape", SHAPES)
def test_contrast_multiplies_and_brightness_is_added(shape: tuple[int, ...]) -> None:
    images = drawn(*shape)
    changed = change_intensities(images, only(intensity=0.3), chance(2))
    flat, result = images.flatten(2), changed.flatten(2)
    slope = (result[..., 1] - result[..., 0]) / (flat[..., 1] - flat[..., 0])
    shift = result[..., 0] - slope * flat[..., 0]
    torch.testing.assert_close(result, flat * slope[..., None] + shift[..., None], atol=1e-4, rtol=0)
    assert ((slope - 1).abs() <= 0.3001).all()
    assert (shift.abs() <= 0.3001).all()
    assert len(slope.unique()) == slope.numel()


def test_gamma_bends_between_the_extremes() -> None:
    image = torch.tensor([[[-1.0, 0.0, 1.0, 3.0]]])
    bent = change_gamma(image, torch.tensor(2.0))
    torch.testing.assert_close(bent, torch.tensor([[[-1.0, -0.75, 0.0, 3.0]]]))
    assert torch.equal(change_gamma(torch.full((1, 1, 4), 5.0), torch.tensor(0.5)), torch.full((1, 1, 4), 5.0))
    grey = torch.tensor([0.0, 0.5, 1.0]).expand(200, 1, 3)
    exponents = -change_intensities(grey, only(gamma=0.5), chance())[:, 0, 1].log2()
    assert 1 / 1.5 <= exponents.min() < 0.7
    assert 1.45 < exponents.max() <= 1.5


def test_a_bias_field_is_the_cosines_that_it_is_made_of() -> None:
    waves = torch.tensor([[[0.0, 3.0], [-1.0, 0.0]]])
    field = bias_field(waves, (4, 6), 0.5)[0]
    y, x = (torch.arange(4)[:, None] + 0.5) / 4, (torch.arange(6) + 0.5) / 6
    expected = 0.5 * (3 * torch.cos(math.pi * x) - torch.cos(math.pi * y)) / 4
    torch.testing.assert_close(field.log(), expected.expand(4, 6), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(3, 2, 64, 64), (2, 2, 32, 32, 32)])
def test_a_bias_field_multiplies_all_channels_smoothly(shape: tuple[int, ...]) -> None:
    images = drawn(*shape).abs() + 0.1
    field = (change_intensities(images, only(bias_field=0.4), chance()) / images).log()
    torch.testing.assert_close(field[:, 0], field[:, 1], atol=1e-5, rtol=0)
    assert field.abs().max() <= 0.4001
    assert field.flatten(2).std(-1).min() > 0.01
    # No wave is steeper than pi (waves - 1) / extent.
    steps = torch.stack([field.diff(dim=axis).abs().max() for axis in range(2, field.ndim)])
    assert steps.max() < 0.4 * 2 * math.pi / shape[-1]


def test_a_bias_field_of_no_waves_is_one() -> None:
    assert torch.equal(bias_field(torch.zeros(1, 3, 3), (4, 4), 0.5), torch.ones(1, 4, 4))


def test_blur_of_a_point_is_a_gaussian_that_adds_up_to_one() -> None:
    image = torch.zeros(2, 1, 21, 21)
    image[..., 10, 10] = 1
    blurred = blur(image, torch.tensor([1.5, 0.0]))
    torch.testing.assert_close(blurred.sum((2, 3)), torch.ones(2, 1))
    torch.testing.assert_close(blurred[1], image[1])
    ratio = blurred[0, 0, 10, 12] / blurred[0, 0, 10, 10]
    assert ratio == pytest.approx(math.exp(-(2**2) / (2 * 1.5**2)), rel=1e-5)
    torch.testing.assert_close(blurred[0, 0], blurred[0, 0].T)


@pytest.mark.parametrize("shape", SHAPES)
def test_blur_is_a_convolution_along_each_axis_and_keeps_a_constant(shape: tuple[int, ...]) -> None:
    images = drawn(*shape)
    places = torch.arange(-3, 4)
    kernel = torch.exp(-(places**2) / 2.0)
    kernel = kernel / kernel.sum()
    expected = images
    for axis in range(2, images.ndim):
        lines = expected.movedim(axis, -1)
        padded = functional.pad(lines.reshape(-1, 1, lines.shape[-1]), (3, 3), "replicate")
        expected = functional.conv1d(padded, kernel[None, None]).reshape(lines.shape).movedim(-1, axis)
    torch.testing.assert_close(blur(images, torch.ones(3)), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(blur(torch.full(shape, 2.0), torch.ones(3)), torch.full(shape, 2.0))


def test_low_resolution_is_averaging_and_interpolation_back() -> None:
    image = drawn(2, 8, 12)
    means = image.reshape(2, 4, 2, 6, 2).mean((2, 4))
    expected = functional.interpolate(means[None], size=(8, 12), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(lower_resolution(image, 2.0), expected)
    assert torch.equal(lower_resolution(image, 1.0), image)
    volume = drawn(1, 3, 4, 4)
    coarsest = lower_resolution(volume, 100.0)
    torch.testing.assert_close(coarsest, volume.mean().expand_as(volume))


def test_noise_has_its_strength_in_every_image_and_no_memory() -> None:
    images = torch.full((3, 4, 64, 64), 2.0)
    add_noise(images, torch.tensor([0.0, 0.5, 2.0]), chance())
    noise = images - 2
    assert noise[0].abs().max() == 0
    torch.testing.assert_close(noise[1:].std((2, 3)), torch.tensor([[0.5], [2.0]]).expand(2, 4), rtol=0.06, atol=0)
    assert noise[1:].mean((2, 3)).abs().max() < 0.15
    flat = noise[1:].flatten(2).flatten(0, 1)
    assert (torch.corrcoef(flat) - torch.eye(8)).abs().max() < 0.1
    assert torch.corrcoef(torch.stack([flat[0, 1:], flat[0, :-1]]))[0, 1].abs() < 0.1


@pytest.mark.parametrize("shape", SHAPES)
def test_one_channel_at_least_is_kept(shape: tuple[int, ...]) -> None:
    many = torch.ones(50, 4, *shape[2:])
    kept = change_intensities(many, only(drop_channel=1.0), chance()).flatten(2)
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert kept.amin(2).sum(1).eq(1).all()
    assert kept.amin(2).sum(0).gt(0).all()


def test_channels_are_lost_by_their_chance() -> None:
    kept = kept_channels(torch.zeros(4000, 4, 1, 1), [0.25, 0.5, 0.0, 1.0], 1, chance()).flatten(1)
    # Lost by its chance, unless it is the one in four that is kept whatever comes.
    expected = 1 - 0.75 * torch.tensor([0.25, 0.5, 0.0, 1.0])
    torch.testing.assert_close(kept.mean(0), expected, atol=0.02, rtol=0)


def test_each_channel_may_have_its_own_chance_to_be_lost() -> None:
    settings = only(drop_channel=(1.0, 0.0, 1.0))
    changed = change_intensities(torch.ones(60, 6, 2, 2), settings, chance(), slices=2).amin((2, 3))
    assert changed[:, [1, 4]].eq(1).all()
    assert torch.equal(changed[:, :3], changed[:, 3:])
    assert changed.sum(1).unique().tolist() == [2, 4]
    edges = change_intensities(torch.ones(60, 4, 2, 2), settings, chance())[:, 3]
    assert edges.eq(1).all()


def test_a_sequence_changes_alike_in_all_slices_of_a_stack() -> None:
    images = drawn(20, 2, 6, 6).repeat(1, 3, 1, 1)
    settings = AugmentationSettings(noise=0, drop_channel=0.5, gamma=0.5, chance=1)
    changed = change_intensities(images, settings, chance(), slices=3)
    assert torch.equal(changed[:, :2], changed[:, 2:4])
    assert torch.equal(changed[:, :2], changed[:, 4:])
    assert not torch.equal(changed[:, 0], changed[:, 1])


def test_costlier_changes_come_by_chance() -> None:
    images = drawn(200, 1, 8, 8)
    changed = change_intensities(images, only(blur=1.0, chance=0.25), chance())
    assert 30 < (changed != images).flatten(1).any(1).sum() < 70


def test_images_are_changed_in_place_only_where_asked() -> None:
    images = drawn(3, 2, 8, 8)
    settings = AugmentationSettings(gamma=0.5, blur=1.0, bias_field=0.2, low_resolution=1.0, chance=1, drop_channel=0.5)
    kept = images.clone()
    changed = change_intensities(images, settings, chance())
    assert torch.equal(images, kept)
    assert change_intensities(images, settings, chance(), in_place=True) is images
    assert torch.equal(images, changed)
