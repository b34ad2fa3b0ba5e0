"""Changes of geometry: images and labels are turned, enlarged, cut, deformed and mirrored by one sampling per image.

A map leads from voxels of the result to voxels of the image, both counted from its middle, axes in array order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from napari_brainseg.training.augmentation_settings import AugmentationSettings


@dataclass(frozen=True, eq=False)
class Motion:
    """How each of N images moves: result(x) = image(A F P x + d(x)).

    Attributes:
        matrices: A, fp32 (N, D, D + 1), voxels; D is 2 where 3-D images move in plane only.
        controls: Control points of d, fp32 (N, D, *points), voxels; None for no deformation.
        spacing: Distance of the control points, voxels.
        flips: F: which axes are mirrored, bool (N, spatial axes).
        transposed: P: whether the last two axes are exchanged, bool (N,).
        warped: Where A or d is not the identity, bool (N,).
    """

    matrices: Tensor
    controls: Tensor | None
    spacing: float
    flips: Tensor
    transposed: Tensor
    warped: Tensor


def random_motion(
    count: int, shape: Sequence[int], settings: AugmentationSettings, generator: torch.Generator
) -> Motion:
    """Draw the motion of `count` images of one shape, (H, W) or (D, H, W)."""
    in_plane = len(shape) == 2 or settings.through_plane == 0
    moving = shape[-2:] if in_plane else shape
    warped = (torch.rand(count, generator=generator) < settings.warp) & settings.moves
    matrices = random_affines(count, moving, settings, generator)
    matrices[~warped] = torch.eye(len(moving), len(moving) + 1)
    controls = None
    if settings.moves and settings.elastic:
        points = [math.ceil(extent / settings.elastic_spacing) + 3 for extent in moving]
        chosen = warped & (torch.rand(count, generator=generator) < settings.chance)
        extents = settings.elastic * _reach(len(moving), settings)
        drawn = torch.rand((count, len(moving), *points), generator=generator) * 2 - 1
        controls = _like(extents, drawn) * drawn * chosen.reshape(-1, *[1] * (len(moving) + 1))
    flips = torch.rand((count, len(shape)), generator=generator) < settings.flip
    transposed = torch.rand(count, generator=generator) < settings.transpose
    return Motion(matrices, controls, settings.elastic_spacing, flips, transposed, warped)


def random_affines(
    count: int, shape: Sequence[int], settings: AugmentationSettings, generator: torch.Generator
) -> Tensor:
    """Return (count, D, D + 1) maps in voxels: cut, then turn and scale, then shift, each within the settings."""
    dims = len(shape)
    extents, reach = torch.tensor(shape, dtype=torch.float32), _reach(dims, settings)

    def uniform(*size: int) -> Tensor:
        return torch.rand((count, *size), generator=generator) * 2 - 1

    cut = settings.crop * torch.rand((count, 1), generator=generator) * reach
    place = uniform(dims) * cut * extents / 2
    size = torch.exp(math.log1p(settings.scale) * uniform(1) * reach)
    turned = rotations(math.radians(settings.rotation) * uniform(dims * (dims - 1) // 2), settings.through_plane)
    turned = turned * size[:, None]
    shift = uniform(dims) * settings.shift * extents * reach
    return torch.cat([turned * (1 - cut)[:, None], (turned @ place[..., None]) + shift[..., None]], -1)


def rotations(angles: Tensor, through_plane: float = 1.0) -> Tensor:
    """Return rotation matrices, (N, 2, 2) for one angle (N, 1) in radians, (N, 3, 3) for three (N, 3).

    The first angle turns the last two axes; the others, times `through_plane`, the first axis with each of them.
    """
    dims = 2 if angles.shape[1] == 1 else 3
    product = torch.eye(dims).expand(len(angles), dims, dims)
    for index, (a, b) in enumerate([(dims - 2, dims - 1), (0, 1), (0, 2)][: angles.shape[1]]):
        angle = angles[:, index] * (through_plane if index else 1.0)
        turn = torch.eye(dims).repeat(len(angles), 1, 1)
        turn[:, a, a] = turn[:, b, b] = angle.cos()
        turn[:, b, a] = angle.sin()
        turn[:, a, b] = -angle.sin()
        product = turn @ product
    return product


def move(images: Tensor, labels: Tensor, motion: Motion) -> tuple[Tensor, Tensor]:
    """Return images (N, C, *spatial) and labels (N, *spatial) moved alike; images that only mirror stay exact."""
    square = images.shape[-1] == images.shape[-2]
    sampled = motion.warped if square else motion.warped | motion.transposed
    if sampled.all():
        moved, classes = images, labels
    else:
        moved, classes = images.clone(), labels.clone()
    for index in torch.nonzero(~sampled)[:, 0].tolist():
        axes = [axis - motion.flips.shape[1] for axis in torch.nonzero(motion.flips[index])[:, 0].tolist()]
        for result, source in ((moved, images), (classes, labels)):
            turned = source[index].flip(axes) if axes else source[index]
            result[index] = turned.transpose(-1, -2) if motion.transposed[index] else turned
    if sampled.all():
        return _sample(images, labels, motion, sampled)
    if sampled.any():
        chosen = sampled.to(images.device)
        moved[chosen], classes[chosen] = _sample(images[chosen], labels[chosen], motion, sampled)
    return moved, classes


def _sample(images: Tensor, labels: Tensor, motion: Motion, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Sample the chosen images, which are given without the others."""
    matrices, flips, dims = motion.matrices[chosen], motion.flips[chosen], motion.matrices.shape[1]
    signs = torch.where(flips[:, -dims:], -1.0, 1.0)
    linear = matrices[..., :-1] * signs[:, None]
    exchange = torch.eye(dims)[[*range(dims - 2), dims - 1, dims - 2]]
    linear = torch.where(motion.transposed[chosen][:, None, None], linear @ exchange, linear)
    controls = None if motion.controls is None else motion.controls[chosen]
    turned = torch.cat([linear, matrices[..., -1:]], -1)
    images, labels = warp(images, labels, turned, controls, motion.spacing)
    # In plane, a mirror image along the first axis is a matter of order.
    for index in torch.nonzero(flips[:, : flips.shape[1] - dims].any(1))[:, 0].tolist():
        images[index], labels[index] = images[index].flip(-3), labels[index].flip(-3)
    return images, labels


def warp(
    images: Tensor, labels: Tensor, matrices: Tensor, controls: Tensor | None = None, spacing: float = 32.0
) -> tuple[Tensor, Tensor]:
    """Sample images linearly and labels by nearest neighbour through the same maps; the border is repeated.

    Args:
        images: (N, C, *spatial), fp32.
        labels: (N, *spatial).
        matrices: (N, D, D + 1), voxels from the middle; with D = 2 every slice of a 3-D image moves alike.
        controls: Control points (N, D, *points) of a displacement that is added, voxels; see `deformation`.
        spacing: Their distance, voxels.
    """
    dims = matrices.shape[1]
    shape = images.shape[-dims:]
    grid = _grid(matrices, shape, images.device)
    if controls is not None:
        shares = (controls * 2 / _like(torch.tensor(shape), controls)).flip(1)
        deformed = torch.nonzero(shares.flatten(1).any(1))[:, 0]
        field = deformation(shares[deformed].to(images.device), shape, spacing)
        grid[deformed.to(images.device)] += field.movedim(1, -1)
    # Slices that move alike are channels to the sampler, which is many times quicker than sampling a volume.
    together = images.flatten(1, -dims - 1) if images.ndim > dims + 2 else images
    layers = labels.flatten(1, -dims - 1) if labels.ndim > dims + 1 else labels[:, None]
    moved = functional.grid_sample(together, grid, "bilinear", "border", align_corners=False)
    classes = functional.grid_sample(layers.float(), grid, "nearest", "border", align_corners=False)
    return moved.reshape(images.shape), classes.reshape(labels.shape).to(labels.dtype)


def _grid(matrices: Tensor, shape: Sequence[int], device: torch.device) -> Tensor:
    """Return where torch samples, (N, *shape, D), for maps in voxels: it counts from -1 to 1, the last axis first."""
    extents = torch.tensor(shape, dtype=torch.float32)
    scaled = torch.cat([matrices[..., :-1] * extents, 2 * matrices[..., -1:]], -1) / extents[:, None]
    scaled = torch.cat([scaled[..., :-1].flip(1, 2), scaled[..., -1:].flip(1)], -1)
    if len(shape) == 3:
        size = [len(matrices), 1, *shape]
        return functional.affine_grid(scaled.to(device), size, align_corners=False)
    # In plane, a place is a complex number, and the sum of one along x and one along y: many times quicker.
    y, x = ((2 * torch.arange(extent, device=device) + 1) / extent - 1 for extent in shape)
    along_x, along_y, shift = torch.view_as_complex(scaled.mT.contiguous()).to(device)[..., None].unbind(1)
    return torch.view_as_real((along_y * y + shift)[:, :, None] + (along_x * x)[:, None])


def deformation(controls: Tensor, shape: Sequence[int], spacing: float) -> Tensor:
    """Return the displacement (N, D, *shape) of a cubic B-spline (Rueckert 1999) with control points (N, D, *points).

    It never exceeds the largest control point, and where all of them are equal, so is the displacement.
    """
    field = controls
    for axis, extent in enumerate(shape):
        weights = _spline_weights(extent, spacing, controls.shape[2 + axis]).to(controls)
        field = (field.movedim(2 + axis, -1) @ weights.T).movedim(-1, 2 + axis)
    return field


def _spline_weights(extent: int, spacing: float, points: int) -> Tensor:
    """Return the weight of each control point at the middle of each voxel, (extent, points); rows add up to 1."""
    places = (torch.arange(extent)[:, None] + 0.5) / spacing - (torch.arange(points) - 1)
    far = places.abs()
    near = 2 / 3 - far**2 + far**3 / 2
    return torch.where(far < 1, near, (2 - far).clamp(min=0) ** 3 / 6)


def _reach(dims: int, settings: AugmentationSettings) -> Tensor:
    """Return the share of an effect along each axis."""
    return torch.tensor([settings.through_plane, 1.0, 1.0] if dims == 3 else [1.0, 1.0])


def _like(values: Tensor, field: Tensor) -> Tensor:
    """Shape values (D,) to multiply a field (N, D, *points)."""
    return values.reshape(-1, *[1] * (field.ndim - 2))
