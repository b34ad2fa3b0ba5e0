"""Augmentation of whole batches on their device: one affine map per image, then intensities and missing channels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class AugmentationSettings:
    """How far images are changed.

    Attributes:
        rotation: Largest angle, degrees.
        scale: Largest change of size, as a share.
        shift: Largest translation, as a share of the image.
        flip: Chance of a mirror image along each axis.
        intensity: Largest change of contrast, as a share, and of brightness, in standard deviations.
        noise: Largest standard deviation of added Gaussian noise.
        drop_channel: Chance that an image loses each of its channels; one at least is kept.
    """

    rotation: float = 20.0
    scale: float = 0.2
    shift: float = 0.05
    flip: float = 0.5
    intensity: float = 0.2
    noise: float = 0.1
    drop_channel: float = 0.0


def augment(
    images: Tensor, labels: Tensor, settings: AugmentationSettings, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return changed copies of images (N, C, H, W) and labels (N, H, W); labels move by nearest neighbour."""
    matrices = random_affines(len(images), images.shape[2] / images.shape[3], settings, generator)
    images, labels = warp(images, labels, matrices.to(images.device))
    return change_intensities(images, settings, generator), labels


def random_affines(count: int, aspect: float, settings: AugmentationSettings, generator: torch.Generator) -> Tensor:
    """Return (count, 2, 3) maps from output to input places, in the -1 … 1 (x, y) frame of `affine_grid`.

    Args:
        count: How many.
        aspect: Height over width, so that a rotation stays one in pixels that are not in a square.
        settings: How far they go.
        generator: Source of chance.
    """

    def uniform(extent: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * extent

    angle = uniform(math.radians(settings.rotation))
    size = torch.exp(uniform(math.log1p(settings.scale)))
    flip_x, flip_y = (torch.where(torch.rand(count, generator=generator) < settings.flip, -1.0, 1.0) for _ in range(2))
    cosine, sine = torch.cos(angle) * size, torch.sin(angle) * size
    rows = [
        torch.stack([cosine * flip_x, -sine * aspect * flip_y, uniform(2 * settings.shift)], -1),
        torch.stack([sine / aspect * flip_x, cosine * flip_y, uniform(2 * settings.shift)], -1),
    ]
    return torch.stack(rows, 1)


def warp(images: Tensor, labels: Tensor, matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Move images bilinearly and labels by nearest neighbour by the same (N, 2, 3) maps; the border is repeated."""
    grid = functional.affine_grid(matrices, [len(images), 1, *images.shape[2:]], align_corners=False)
    moved = functional.grid_sample(images, grid, "bilinear", "border", align_corners=False)
    classes = functional.grid_sample(labels[:, None].float(), grid, "nearest", "zeros", align_corners=False)
    return moved, classes[:, 0].round().to(labels.dtype)


def change_intensities(images: Tensor, settings: AugmentationSettings, generator: torch.Generator) -> Tensor:
    """Change contrast, brightness and noise of each channel (N, C, H, W), and leave some channels out as 0."""
    shape = (*images.shape[:2], 1, 1)

    def uniform() -> Tensor:
        return (torch.rand(shape, generator=generator) * 2 - 1).to(images.device)

    images = images * (1 + settings.intensity * uniform()) + settings.intensity * uniform()
    if settings.noise:
        strength = settings.noise * torch.rand((len(images), 1, 1, 1), generator=generator)
        noise = torch.randn(images.shape, generator=generator) * strength
        images = images + noise.to(images.device)
    if settings.drop_channel:
        kept = torch.rand(shape, generator=generator) >= settings.drop_channel
        kept[torch.arange(len(images)), torch.randint(images.shape[1], (len(images),), generator=generator)] = True
        images = images * kept.to(images.device)
    return images
