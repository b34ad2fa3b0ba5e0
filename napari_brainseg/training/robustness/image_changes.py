"""Changes of a case's images that leave its grid as it is: noise, shading, blur, scale, quantisation, saturation.

Voxels of exactly 0 are the empty space around the head or the brain; only blur reaches into it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_brainseg.cases.case import Case
from napari_brainseg.cases.smooth_field import Grid, SmoothField
from napari_brainseg.cases.volume import Geometry, Volume

Image = NDArray[np.float32]

SHADING = (0.6, 1.5)  # the lowest and the highest factor of the bias field within the head
SATURATED = 32767.0  # the largest value of the usual 16-bit file
_SATURATED_VOXELS = 20
_KNOTS = 90.0  # mm between the knots of the bias field: as slow as that of a receiving coil
_FINE = 2.0  # axes whose spacing is less than this times the smallest one are those of the pictures


def with_images(case: Case, change: Callable[[Image], Image]) -> Case:
    """Return the case with every channel changed, each by itself."""
    changed = {
        name: Volume(np.asarray(change(np.asarray(volume.data, np.float32)), np.float32), volume.geometry)
        for name, volume in case.channels.items()
    }
    return replace(case, channels=changed)


def with_noise(case: Case, share: float, chance: np.random.Generator) -> Case:
    """Add Gaussian noise to what is not empty, with this share of its range (1st to 99th percentile) as deviation.

    Where an image has no values below 0, magnitudes are kept, as of a scanner.
    """

    def change(image: Image) -> Image:
        there = image != 0
        low, high = np.percentile(image[there], (1, 99)) if there.any() else (0.0, 0.0)
        noisy = image + chance.normal(0, share * float(high - low), image.shape).astype(np.float32)
        return np.where(there, np.abs(noisy) if image.min() >= 0 else noisy, 0)

    return with_images(case, change)


def with_bias_field(case: Case, chance: np.random.Generator) -> Case:
    """Multiply every channel by one slow field that goes from the one to the other end of `SHADING` within the head."""
    there = np.any([volume.data != 0 for volume in case.channels.values()], axis=0)
    field = SmoothField.random(chance, _KNOTS).on(Grid.centred(case.geometry.shape, case.geometry.spacing or (1, 1, 1)))
    inside = field[there] if there.any() else field
    share = np.clip((field - inside.min()) / max(float(np.ptp(inside)), 1e-6), 0, 1)
    factor = SHADING[0] * (SHADING[1] / SHADING[0]) ** share
    return with_images(case, lambda image: image * factor)


def with_blur(case: Case, sigma: float) -> Case:
    """Blur by a Gaussian, `sigma` in voxels, along the axes of the pictures."""
    fine = fine_axes(case.geometry)
    return with_images(
        case, lambda image: ndimage.gaussian_filter(image, [sigma if axis in fine else 0 for axis in range(3)])
    )


def scaled(case: Case, factor: float) -> Case:
    """Multiply every value."""
    return with_images(case, lambda image: image * np.float32(factor))


def quantised(case: Case) -> Case:
    """Round to 256 levels from 0, or the lowest value, to the 99.9th percentile of what is not empty."""

    def change(image: Image) -> Image:
        there = image[image != 0]
        low, high = min(0.0, float(image.min())), float(np.percentile(there, 99.9)) if there.size else 1.0
        return np.asarray(np.rint(np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255), np.float32)

    return with_images(case, change)


def saturated(case: Case, chance: np.random.Generator) -> Case:
    """Set a few voxels of every channel to the largest value of a 16-bit file."""

    def change(image: Image) -> Image:
        there = np.flatnonzero(image)
        result = image.copy()
        result.flat[chance.choice(there, min(_SATURATED_VOXELS, there.size), replace=False)] = SATURATED
        return result

    return with_images(case, change)


def fine_axes(geometry: Geometry) -> tuple[int, ...]:
    """Return the axes of (Z, Y, X) along which voxels are close: those within the slices of a stack of unknown spacing.

    Of a volume of nearly equal spacing they are all three.
    """
    if geometry.spacing is None:
        return (1, 2)
    return tuple(axis for axis, step in enumerate(geometry.spacing) if step < _FINE * min(geometry.spacing))
