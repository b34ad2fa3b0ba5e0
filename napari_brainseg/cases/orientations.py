"""Orders of a file's axes by their letters, for programs that take images as their files lie: `LPS`, `RAS` …

The letters say where each file axis (I, J, K) points to: L left, R right, P posterior, A anterior, S superior,
I inferior. Of a tilted grid they name the closest axes of the patient.
"""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.volume import Geometry, Reorientation

USUAL = "LPS"
_AXES = {"S": 0, "I": 0, "P": 1, "A": 1, "L": 2, "R": 2}  # the memory axis (Z, Y, X) that a letter lies along
_REVERSED = "IAR"  # in memory, which is LPS+, these run backwards


def letters_of(affine: NDArray[np.float64]) -> str:
    """Return the letters of a file with this affine (voxel I, J, K to RAS+ mm)."""
    return "".join(nib.orientations.aff2axcodes(affine))


def reorientation_for(letters: str) -> Reorientation:
    """Return how a file whose axes have these letters becomes the array in memory; raise `InputError` for others."""
    axes = [_AXES.get(letter, -1) for letter in letters]
    if sorted(axes) != [0, 1, 2]:
        raise InputError(f"{letters!r} is no order of axes. Give three letters such as LPS or RAS.")
    flips = [letters[axes.index(axis)] in _REVERSED for axis in range(3)]
    return Reorientation((axes.index(0), axes.index(1), axes.index(2)), (flips[0], flips[1], flips[2]))


def stored_as(geometry: Geometry, letters: str = "") -> Geometry:
    """Return the geometry of a file of the same voxels at the same place that has a place in any case, and no header.

    Args:
        geometry: The grid. Where it does not say its place in space, it is taken as LPS+ around the first voxel.
        letters: The order of the file's axes; empty for that of the file that the geometry comes from.
    """
    memory = geometry.memory_affine
    if memory is None:
        z, y, x = geometry.spacing or (1.0, 1.0, 1.0)
        memory = np.array([[0, 0, -x, 0], [0, -y, 0, 0], [z, 0, 0, 0], [0, 0, 0, 1]], np.float64)
    how = reorientation_for(letters) if letters else geometry.reorientation
    affine = memory @ np.linalg.inv(how.matrix(geometry.shape))
    return replace(geometry, affine=affine, reorientation=how, header=None)
