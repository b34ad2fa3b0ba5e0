"""NIfTI files for tests, written with nibabel: asymmetric pictures in any orientation."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

SHAPE = (4, 5, 6)  # (Z, Y, X) in LPS+, no two sizes the same
SPACING = (3.0, 0.9, 1.1)


def picture(shape: tuple[int, int, int] = SHAPE) -> NDArray[np.int16]:
    """An image (Z, Y, X) in LPS+ with no two voxels the same."""
    return np.arange(1, np.prod(shape) + 1, dtype=np.int16).reshape(shape)


def labels(shape: tuple[int, int, int] = SHAPE, values: tuple[int, ...] = (0, 1, 2, 4)) -> NDArray[np.uint8]:
    """Labels (Z, Y, X) in LPS+ without symmetry."""
    return np.random.default_rng(7).choice(np.array(values, np.uint8), shape)


def rotation(degrees: float) -> NDArray[np.float64]:
    """A turn about an axis that is none of the patient's."""
    axis = np.array([0.3, 0.5, 0.81]) / np.linalg.norm([0.3, 0.5, 0.81])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def lps_affine(degrees: float = 0.0) -> NDArray[np.float64]:
    """The affine (X, Y, Z to RAS+ mm) of an LPS+ array with `SPACING`, turned by `degrees`."""
    affine = np.eye(4)
    z, y, x = SPACING
    affine[:3, :3] = rotation(degrees) @ np.diag([-x, -y, z])
    affine[:3, 3] = (31.5, 42.25, -17.75)
    return affine


ORIENTATIONS = [(axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)]


def stored(
    array: NDArray[np.generic],
    affine: NDArray[np.float64],
    axes: tuple[int, ...] = (0, 1, 2),
    flips: tuple[bool, ...] = (False, False, False),
) -> nib.Nifti1Image:
    """The LPS+ array (Z, Y, X) as a NIfTI image whose axes are permuted and reversed, lying at the same place."""
    xyz = array.transpose(2, 1, 0)
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for file_axis, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        turn[axis, file_axis] = -1 if flip else 1
        turn[axis, 3] = xyz.shape[axis] - 1 if flip else 0
    data = xyz.transpose(axes)[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]
    return nib.Nifti1Image(np.ascontiguousarray(data), affine @ turn)


def save(path: Path, array: NDArray[np.generic], affine: NDArray[np.float64] | None = None) -> Path:
    """Write an LPS+ array (Z, Y, X) to `path`, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored(array, lps_affine() if affine is None else affine).to_filename(path)
    return path
