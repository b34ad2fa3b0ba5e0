"""The same case as files whose axes lie in another order and direction: written, and read by the program's reader."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.nifti import read_label_values, read_volume, write_volume
from napari_brainseg.cases.volume import Geometry, Reorientation, Volume

# The axis of memory (Z, Y, X) that lies between the two directions of the patient, and which of them it goes to.
AXES = {"S": 0, "I": 0, "P": 1, "A": 1, "L": 2, "R": 2}
_ALONG = "SPL"


def reorientation_of(order: str) -> Reorientation:
    """Return how files in an order such as `RAS`, the directions to which their three axes go, become memory."""
    axes, flips = [0, 0, 0], [False, False, False]
    for file_axis, direction in enumerate(order):
        axes[AXES[direction]], flips[AXES[direction]] = file_axis, direction not in _ALONG
    return Reorientation((axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2]))


def stored_in(case: Case, order: str) -> Case:
    """Return the case as it is read from NIfTI files in another order of axes, labels included.

    Raises:
        InputError: The case's files do not say where it lies.
    """
    affine = case.geometry.memory_affine
    if affine is None:
        raise InputError("The files of the case do not say where it lies, so that no order of axes can be told.")
    turn = reorientation_of(order)
    shape = case.geometry.shape
    grid = Geometry(shape, case.geometry.spacing, affine @ np.linalg.inv(turn.matrix(shape)), turn)
    with TemporaryDirectory(prefix="brainseg-") as folder:
        path = Path(folder) / "volume.nii"
        channels = {}
        for name, volume in case.channels.items():
            write_volume(np.asarray(volume.data, np.float32), grid, path, overwrite=True)
            channels[name] = read_volume(path)
        labels = case.labels
        if labels is not None:
            write_volume(np.asarray(labels.volume.data, np.uint8), grid, path, overwrite=True)
            labels = replace(labels, volume=read_label_values(path))
    first: Volume = next(iter(channels.values()))
    return replace(case, channels=channels, labels=labels, geometry=first.geometry)
