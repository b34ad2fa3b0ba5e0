"""`ReferenceOverlap`: Dice of the working labels against the reference, kept up to date from edits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.annotation.edits import Edit
from napari_brainseg.cases.labels import LabelArray, LabelScheme


class ReferenceOverlap:
    """Dice per region, followed voxel by voxel, so that it costs no pass over the volume while somebody paints.

    Args:
        labels: The working labels, uint8 (Z, Y, X), program values of `scheme`.
        scheme: What they mean.
        reference: The reference labels on the same grid, program values of `reference_scheme`.
        reference_scheme: What those mean; regions of both are matched by name.
    """

    def __init__(
        self, labels: LabelArray, scheme: LabelScheme, reference: LabelArray, reference_scheme: LabelScheme
    ) -> None:
        theirs = {region.name for region in reference_scheme.regions}
        self._names = tuple(region.name for region in scheme.regions if region.name in theirs)
        self._bits = _region_bits(scheme, self._names)
        self._reference = _region_bits(reference_scheme, self._names)[reference.reshape(-1)]
        self._reference_size = self._count(self._reference[self._reference != 0])
        # Nearly all voxels are background and need not be counted.
        labelled = np.flatnonzero(labels)
        mine = self._bits[labels.reshape(-1)[labelled]]
        self._size = self._count(mine)
        self._both = self._count(mine & self._reference[labelled])

    def update(self, edit: Edit) -> None:
        """Follow one change of the working labels."""
        before, after = self._bits[edit.before], self._bits[edit.after]
        there = self._reference[edit.indices]
        self._size += self._count(after) - self._count(before)
        self._both += self._count(after & there) - self._count(before & there)

    def dice(self) -> dict[str, float]:
        """Return Dice by region name, 0 to 1; two empty regions agree and give 1."""
        total = self._size + self._reference_size
        return {
            name: 1.0 if total[i] == 0 else float(2 * self._both[i] / total[i]) for i, name in enumerate(self._names)
        }

    def _count(self, bits: NDArray[np.uint8]) -> NDArray[np.int64]:
        present = np.bincount(bits, minlength=256)
        values = np.arange(256)
        return np.array([present[(values >> i) & 1 == 1].sum() for i in range(len(self._names))], np.int64)


def _region_bits(scheme: LabelScheme, names: tuple[str, ...]) -> NDArray[np.uint8]:
    """Return for each label value a number whose bit i says whether region `names[i]` contains it."""
    table = np.zeros(256, np.uint8)
    for bit, name in enumerate(names):
        region = next(r for r in scheme.regions if r.name == name)
        table[list(region.values)] |= 1 << bit
    return table
