"""How large napari's brush is in voxels and mm, and which voxels lie under it."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.volume import Shape, Spacing


def brush_voxels(size: int, spacing: Sequence[float]) -> tuple[int, ...]:
    """Return how many voxels wide a brush is along each painted axis.

    napari paints the voxels whose centres lie within `size // 2 + 0.5` voxels of the finest painted axis.

    Args:
        size: `layer.brush_size`.
        spacing: Of the painted axes, in any one unit.
    """
    radius = size // 2 + 0.5
    finest = min(spacing)
    return tuple(2 * floor(radius * finest / step) + 1 for step in spacing)


def voxels_under_brush(
    centre: Sequence[int], size: int, spacing: Sequence[float], painted: Sequence[int], shape: Shape
) -> NDArray[np.intp]:
    """Return the flat positions of the voxels that napari paints with the brush at `centre`.

    Args:
        centre: The voxel (Z, Y, X) under the cursor; it may lie outside.
        size: `layer.brush_size`.
        spacing: Along (Z, Y, X), in any one unit.
        painted: The axes that are painted: two of (0, 1, 2), or all three.
        shape: (Z, Y, X) of the labels.
    """
    steps = [spacing[axis] for axis in painted]
    reach = dict(zip(painted, (width // 2 for width in brush_voxels(size, steps)), strict=True))
    first = [max(0, centre[axis] - reach.get(axis, 0)) for axis in range(3)]
    last = [min(shape[axis], centre[axis] + reach.get(axis, 0) + 1) for axis in range(3)]
    places = np.meshgrid(*(np.arange(*ends) for ends in zip(first, last, strict=True)), indexing="ij")
    distance = np.zeros(places[0].shape)
    for axis in painted:
        distance += ((places[axis] - centre[axis]) * spacing[axis] / min(steps)) ** 2
    under = distance <= (size // 2 + 0.5) ** 2
    return np.asarray(np.ravel_multi_index([place[under] for place in places], shape), np.intp)


def describe_brush(size: int, spacing: Spacing | None, painted: Sequence[int]) -> str:
    """Return the brush in words: `11.0 mm`, `11 voxels` where the spacing is unknown, `3-D, 9.0 mm, 9 slices`.

    Args:
        size: `layer.brush_size`.
        spacing: mm along (Z, Y, X), or None where unknown.
        painted: The axes that are painted: two of (0, 1, 2), or all three.
    """
    steps = [(spacing or (1.0, 1.0, 1.0))[axis] for axis in painted]
    voxels = brush_voxels(size, steps)
    width = f"{max(voxels)} voxels" if spacing is None else f"{max(voxels) * min(steps):.1f} mm"
    if len(painted) < 3:
        return width
    return f"3-D, {width}, {voxels[list(painted).index(0)]} slices"
