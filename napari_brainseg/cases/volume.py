"""`Geometry` and `Volume`: an array and where its voxels lie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Reorientation:
    """How a file's array became the array in memory, and back.

    Attributes:
        axes: For each memory axis (Z, Y, X), the file axis that it came from.
        flips: For each memory axis, whether the file axis was reversed.
    """

    axes: tuple[int, int, int] = (2, 1, 0)
    flips: tuple[bool, bool, bool] = (False, False, False)

    def to_memory(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Turn a file array (I, J, K) into the memory array (Z, Y, X); a view, nothing is copied."""
        turned = array.transpose(self.axes)
        return turned[tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flips)]

    def to_file(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        """Turn a memory array (Z, Y, X) back into the file's order (I, J, K); the exact inverse of `to_memory`."""
        unflipped = array[tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flips)]
        return unflipped.transpose(np.argsort(self.axes))

    def matrix(self, shape: Shape) -> NDArray[np.float64]:
        """Return the 4 x 4 map from memory indices (z, y, x, 1) to file indices (i, j, k, 1) for a memory `shape`."""
        result = np.zeros((4, 4))
        result[3, 3] = 1
        for memory_axis, (file_axis, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            result[file_axis, memory_axis] = -1 if flip else 1
            result[file_axis, 3] = shape[memory_axis] - 1 if flip else 0
        return result


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where the voxels of an array lie.

    Attributes:
        shape: (Z, Y, X) of the array in memory, which lies in the closest LPS+ orientation where one is known.
        spacing: mm along (Z, Y, X), or None where the file does not say.
        affine: The file's 4 x 4 matrix from its own voxel order (I, J, K) to RAS+ mm, or None where the place in space
            is unknown.
        reorientation: How the file's array was turned into the one in memory.
        header: The raw bytes of the NIfTI header, or None for other files.
    """

    shape: Shape
    spacing: Spacing | None = None
    affine: NDArray[np.float64] | None = None
    reorientation: Reorientation = Reorientation()
    header: bytes | None = None

    @property
    def memory_affine(self) -> NDArray[np.float64] | None:
        """The 4 x 4 matrix from memory indices (z, y, x, 1) to RAS+ mm, or None where the place is unknown."""
        return None if self.affine is None else self.affine @ self.reorientation.matrix(self.shape)

    @property
    def voxel_volume(self) -> float | None:
        """mm³ of one voxel, or None where the spacing is unknown."""
        return None if self.spacing is None else float(np.prod(self.spacing))

    def same_grid(self, other: Geometry, tolerance: float = 1e-3) -> bool:
        """Whether both have one shape and every corner of the volume lies at the same place within `tolerance` mm.

        Where neither place is known, the shape alone decides; where only one is, the grids differ.
        """
        if self.shape != other.shape:
            return False
        mine, theirs = self.memory_affine, other.memory_affine
        if mine is None or theirs is None:
            return mine is None and theirs is None
        # The corners of the volume are the outer corners of its outermost voxels.
        corners = np.array([[*corner, 1.0] for corner in product(*((-0.5, n - 0.5) for n in self.shape))])
        return bool(np.abs((mine - theirs) @ corners.T).max() <= tolerance)

    def describe(self) -> str:
        """Return shape and spacing in words: `155 × 240 × 240 at 1 × 1 × 1 mm`."""
        shape = " × ".join(str(n) for n in self.shape)
        if self.spacing is None:
            return f"{shape}, spacing unknown"
        if len({round(s, 3) for s in self.spacing}) == 1:
            return f"{shape} at {self.spacing[0]:.3g} mm"
        return f"{shape} at {' × '.join(f'{s:.3g}' for s in self.spacing)} mm"


@dataclass(frozen=True, eq=False)
class Volume:
    """One 3-D array (Z, Y, X) with its geometry. Nobody writes into the array of a volume."""

    data: NDArray[np.generic]
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.data.shape != self.geometry.shape:
            raise ValueError(f"array {self.data.shape} and geometry {self.geometry.shape} differ")
