"""How large napari's brush is in voxels and mm."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from napari_brainseg.cases.volume import Spacing


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
