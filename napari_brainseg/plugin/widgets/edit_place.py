"""Going to the slice that an edit changed, or to any other."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_brainseg.annotation.edits import Edit


def show_edit(viewer: Any, layer: Any, edit: Edit) -> None:
    """Move the viewer along every axis that is not displayed until the slice holds some of the changed voxels.

    A slice that shows some of them already stays.
    """
    shown = {axis - (viewer.dims.ndim - layer.ndim) for axis in viewer.dims.displayed}
    here = np.round(layer.world_to_data(viewer.dims.point[-layer.ndim :])).astype(int)
    target = [int(i) for i in here]
    for axis in range(layer.ndim):
        if axis not in shown and not (edit.positions(axis) == here[axis]).any():
            target[axis] = edit.busiest(axis)
    go_to_voxel(viewer, layer, target)


def is_shown(viewer: Any, layer: Any, edit: Edit) -> bool:
    """Return whether the slice shown, or the volume in 3-D, holds some of the changed voxels."""
    shown = {axis - (viewer.dims.ndim - layer.ndim) for axis in viewer.dims.displayed}
    here = np.round(layer.world_to_data(viewer.dims.point[-layer.ndim :])).astype(int)
    return all((edit.positions(axis) == here[axis]).any() for axis in range(layer.ndim) if axis not in shown)


def go_to_voxel(viewer: Any, layer: Any, voxel: list[int]) -> None:
    """Move the viewer to the slice through `voxel` (Z, Y, X), leaving displayed axes as they are."""
    world = layer.data_to_world(voxel)
    offset = viewer.dims.ndim - layer.ndim
    for axis in viewer.dims.not_displayed:
        if axis >= offset:
            viewer.dims.set_point(axis, world[axis - offset])


def go_to_slice(viewer: Any, layer: Any, z: int) -> None:
    """Show the slice `z` along Z where that axis is not displayed; other axes stay."""
    here = [int(i) for i in np.round(layer.world_to_data(viewer.dims.point[-layer.ndim :]))]
    go_to_voxel(viewer, layer, [z, *here[1:]])
