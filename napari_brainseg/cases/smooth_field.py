"""Smooth random fields in millimetres: the same field on every grid, for folds, bias and irregular outlines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_REACH = 120.0  # mm from the origin that a field covers on every axis


@dataclass(frozen=True)
class Grid:
    """Voxel centres in mm along Z (superior), Y (posterior) and X (left), the origin in the middle of the head."""

    z: FloatArray
    y: FloatArray
    x: FloatArray

    @classmethod
    def centred(cls, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Grid:
        """Return a grid of `shape` voxels, `spacing` mm apart, with its middle at the origin."""
        return cls(
            *(((np.arange(n) - (n - 1) / 2) * s).astype(np.float32) for n, s in zip(shape, spacing, strict=True))
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along Z, Y and X."""
        return self.z.size, self.y.size, self.x.size


@dataclass(frozen=True, eq=False)
class SmoothField:
    """A cubic B-spline with random coefficients on knots `spacing` mm apart; about zero mean and unit variance."""

    coefficients: FloatArray
    spacing: float

    @classmethod
    def random(cls, rng: np.random.Generator, spacing: float, *, banded: bool = False) -> SmoothField:
        """Draw a field; `banded` takes its slow part away, so that its zero surfaces are evenly spaced, like sulci."""
        count = int(np.ceil(2 * _REACH / spacing)) + 4
        drawn = rng.standard_normal((count, count, count)).astype(np.float32)
        if banded:
            slow = drawn
            for axis in range(3):
                slow = np.asarray(sum(np.roll(slow, shift, axis) for shift in (-1, 0, 1)) / np.float32(3))
            drawn = drawn - slow
        return cls(drawn / np.float32(drawn.std() * _GAIN), spacing)

    def on(self, grid: Grid) -> FloatArray:
        """Return the field at the voxel centres of `grid`, (Z, Y, X)."""
        result = self.coefficients
        for axis, places in enumerate((grid.z, grid.y, grid.x)):
            result = np.moveaxis(np.tensordot(self._weights(places), result, axes=(1, axis)), 0, axis)
        return np.ascontiguousarray(result)

    def _weights(self, places: FloatArray) -> FloatArray:
        count = self.coefficients.shape[0]
        offset = (np.clip(places, -_REACH, _REACH) + _REACH)[:, None] / self.spacing + 1 - np.arange(count)[None]
        return _cubic_spline(np.abs(offset)).astype(np.float32)


def _cubic_spline(t: NDArray[np.floating]) -> NDArray[np.floating]:
    near, far = 2 / 3 - t**2 + t**3 / 2, np.clip(2 - t, 0, None) ** 3 / 6
    return np.where(t < 1, near, far)


# Standard deviation that the spline leaves of white coefficients: the mean sum of squared weights, to the power 3/2.
_GAIN = float(
    np.mean([(_cubic_spline(np.abs(u - np.arange(-2, 4))) ** 2).sum() for u in np.linspace(0, 1, 50, endpoint=False)])
    ** 1.5
)
