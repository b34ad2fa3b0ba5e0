"""Changes of where a case's voxels lie, with its labels: turned, mirrored, coarser, and with thick slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.training.robustness.image_changes import fine_axes
from napari_brainseg.training.robustness.stored_orders import AXES, stored_in

Array = NDArray[np.generic]

THICK = 5  # slices of the case that become one
# Where the images of such an acquisition are slices of the file, its third axis goes across them.
_ORDER_OF = {"coronal": "LSP", "sagittal": "PSL"}


def turned(case: Case, degrees: float) -> Case:
    """Turn images (linear) and labels (nearest) about the middle of each slice, on the grid as it is."""
    steps = np.diag((case.geometry.spacing or (1.0, 1.0, 1.0))[1:])
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix = np.linalg.inv(steps) @ np.array([[cosine, sine], [-sine, cosine]]) @ steps
    middle = (np.array(case.geometry.shape[1:]) - 1) / 2
    offset = middle - matrix @ middle

    def turn(array: Array, order: int) -> Array:
        # Slice by slice, which takes two thirds of the time of the same turn of the volume.
        return np.stack([ndimage.affine_transform(one, matrix, offset, order=order, prefilter=False) for one in array])

    return _changed(case, case.geometry, lambda image: turn(image, 1), lambda labels: turn(labels, 0))


def mirrored(case: Case) -> Case:
    """Exchange left and right of the patient, on the grid as it is."""
    return _changed(case, case.geometry, lambda image: image[..., ::-1], lambda labels: labels[..., ::-1])


def coarser(case: Case) -> Case:
    """Give the case at half the resolution along the axes of its pictures.

    Images are averaged with weights 1, 2, 1 about every second voxel, whose label is that of the coarse voxel.
    """
    axes = fine_axes(case.geometry)

    def average(image: Array) -> Array:
        for axis in axes:
            image = ndimage.convolve1d(image, [0.25, 0.5, 0.25], axis, mode="nearest")
        return image

    return _every(case, average, [(0, 2) if axis in axes else (0, 1) for axis in range(3)])


def thick(case: Case, plane: str) -> Case:
    """Give the case as acquired in `coronal` or `sagittal` slices of `THICK` voxels, read from files in that order.

    The label of a thick voxel is that of its middle.

    Raises:
        InputError: The case's files do not say where it lies.
    """
    if case.geometry.affine is None:
        raise InputError(f"The files of the case do not say where it lies, so that it has no {plane} slices.")
    axis = AXES[_ORDER_OF[plane][2]]

    def average(image: Array) -> Array:
        return np.asarray(ndimage.uniform_filter1d(image, THICK, axis, mode="nearest"))

    taken = [(THICK // 2, THICK) if axis == other else (0, 1) for other in range(3)]
    return stored_in(_every(case, average, taken), _ORDER_OF[plane])


def _every(case: Case, average: Callable[[Array], Array], taken: Sequence[tuple[int, int]]) -> Case:
    """Return the case on a part of its voxels: for each axis the first, and how many steps there are to the next."""
    places = tuple(slice(first, None, step) for first, step in taken)
    geometry = case.geometry
    z, y, x = (len(range(first, n, step)) for n, (first, step) in zip(geometry.shape, taken, strict=True))
    affine = geometry.memory_affine
    if affine is not None:
        to_whole = np.diag([float(step) for _, step in taken] + [1.0])
        to_whole[:3, 3] = [first for first, _ in taken]
        affine = affine @ to_whole @ np.linalg.inv(geometry.reorientation.matrix((z, y, x)))
    spacing = geometry.spacing
    if spacing is not None:
        spacing = (spacing[0] * taken[0][1], spacing[1] * taken[1][1], spacing[2] * taken[2][1])
    grid = Geometry((z, y, x), spacing, affine, geometry.reorientation)
    return _changed(case, grid, lambda image: average(image)[places], lambda labels: labels[places])


def _changed(
    case: Case, grid: Geometry, of_image: Callable[[Array], Array], of_labels: Callable[[Array], Array]
) -> Case:
    channels = {name: _volume(of_image(volume.data), grid) for name, volume in case.channels.items()}
    labels = case.labels
    if labels is not None:
        labels = replace(labels, volume=_volume(of_labels(labels.volume.data), grid), unknown=None)
    return replace(case, channels=channels, labels=labels, geometry=grid)


def _volume(data: Array, grid: Geometry) -> Volume:
    return Volume(np.ascontiguousarray(data), grid)
