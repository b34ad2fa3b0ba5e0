"""Labels and masks of a project as NIfTI files on the case's own grid, so that any viewer lays them over the case."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_brainseg.annotation.corrections import Mask
from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelClass, LabelScheme
from napari_brainseg.cases.nifti import read_label_values
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.writing import write_labels

# A mask is written as labels of one class, 0 and 1.
_MASK = LabelScheme(
    "mask", "Mask", (LabelClass(1, "yes", "yes", 1, frozenset({"any"}), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),), ()
)


def write_on_grid(case: Case, labels: LabelArray, scheme: LabelScheme, path: Path) -> None:
    """Write program values (Z, Y, X) of `scheme` on the grid of `case`.

    Raises:
        LabelError: A value of no class.
        OutputError: The place cannot be written.
    """
    write_labels(Segmentation.for_case(case, labels, scheme), path, scheme=scheme, overwrite=True)


def write_mask(case: Case, mask: Mask, path: Path) -> None:
    """Write a mask (Z, Y, X) as 0 and 1 on the grid of `case`; raise `OutputError` where that fails."""
    write_on_grid(case, mask.astype(np.uint8), _MASK, path)


def read_on_grid(case: Case, scheme: LabelScheme, path: Path) -> LabelArray:
    """Return the program values (Z, Y, X) in `path`.

    Raises:
        InputError: The file cannot be read or lies on another grid than the case.
        LabelError: It holds values that are not the scheme's.
    """
    volume = read_label_values(path)
    if not volume.geometry.same_grid(case.geometry):
        raise InputError(
            f"{path} lies on another grid than {case.id} ({volume.geometry.describe()} against "
            f"{case.geometry.describe()}). The case has changed since it was corrected; put the old files back."
        )
    return scheme.from_disk(volume.data)


def read_mask(case: Case, path: Path) -> Mask:
    """Return the mask (Z, Y, X) in `path`; raise as `read_on_grid` does."""
    return read_on_grid(case, _MASK, path).astype(bool)
