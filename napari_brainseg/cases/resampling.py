"""The alignment gate: one grid per case. Mere orientations are turned exactly, other grids resampled on demand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import AlignmentError
from napari_brainseg.cases.volume import Geometry, Reorientation, Volume


def on_grid(volume: Volume, grid: Geometry) -> Volume | None:
    """Return the volume on `grid`, voxel for voxel, or None when it lies on another grid.

    A volume whose axes are merely stored in another order or direction is turned exactly; nothing is interpolated.
    """
    if volume.geometry.same_grid(grid):
        return volume
    turned = _turned(volume, grid)
    return turned if turned is not None and turned.geometry.same_grid(grid) else None


def resampled(volume: Volume, grid: Geometry, *, labels: bool = False) -> Volume:
    """Return the volume interpolated onto `grid`: linear for images, nearest for labels; 0 outside of it.

    Raises:
        AlignmentError: The place in space of one of them is unknown.
    """
    from scipy.ndimage import affine_transform

    source, target = volume.geometry.memory_affine, grid.memory_affine
    if source is None or target is None:
        raise AlignmentError(
            f"A volume of {volume.geometry.describe()} cannot be resampled onto {grid.describe()}, because one of the "
            "two files does not say where it lies. Choose another file."
        )
    to_source = np.linalg.inv(source) @ target
    # "grid-constant" fades to 0 beyond the border; "constant" would drop a border voxel that rounding put just outside.
    data = affine_transform(
        volume.data,
        to_source[:3, :3],
        to_source[:3, 3],
        output_shape=grid.shape,
        order=0 if labels else 1,
        mode="grid-constant",
        prefilter=False,
    )
    data.flags.writeable = False
    return Volume(data, grid)


def grids_differ(name: str, volume: Geometry, grid_name: str, grid: Geometry) -> str:
    """Return the start of a sentence that names both grids."""
    mine, theirs = volume.describe(), grid.describe()
    if mine != theirs:
        return f"{name} has another grid than {grid_name} ({mine} against {theirs})"
    if volume.memory_affine is None or grid.memory_affine is None:
        silent = name if volume.memory_affine is None else grid_name
        return f"{name} has another grid than {grid_name} ({mine}, but {silent} does not say where it lies)"
    ends = np.array([[0, 0, 0, 1], [*(n - 1 for n in volume.shape), 1]]).T
    away = np.linalg.norm(((volume.memory_affine - grid.memory_affine) @ ends)[:3], axis=0).max()
    return f"{name} has another grid than {grid_name} (both {mine}, but up to {away:.3g} mm apart)"


def _turned(volume: Volume, grid: Geometry) -> Volume | None:
    source, target = volume.geometry.affine, grid.memory_affine
    if source is None or target is None:
        return None
    # Memory voxels of the grid to file voxels of the volume: a signed permutation where only the orientation differs.
    across: NDArray[np.float64] = (np.linalg.inv(source) @ target)[:3, :3]
    rounded = np.rint(across)
    if (
        np.abs(across - rounded).max() > 1e-2
        or not (np.abs(rounded).sum(0) == 1).all()
        or abs(np.linalg.det(rounded)) < 0.5
    ):
        return None
    axes = [int(np.argmax(np.abs(rounded[:, m]))) for m in range(3)]
    flips = [bool(rounded[axis, m] < 0) for m, axis in enumerate(axes)]
    reorientation = Reorientation((axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2]))
    data = np.ascontiguousarray(reorientation.to_memory(volume.geometry.reorientation.to_file(volume.data)))
    if data.shape != grid.shape:
        return None
    data.flags.writeable = False
    geometry = replace(volume.geometry, shape=grid.shape, spacing=grid.spacing, reorientation=reorientation)
    return Volume(data, geometry)
