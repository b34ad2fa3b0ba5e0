"""A project with corrected cases, for tests of what goes out of it and comes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from case_files import write_case

from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.annotation.project import Project
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.phantom import make_lgg_phantom
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.sample_files import write_slice_files

# Of two planes, so that the confirmed voxels are no stack of axial slices.
BRATS_SLICES = (ConfirmedSlice(0, 5), ConfirmedSlice(0, 6), ConfirmedSlice(2, 24))
LGG_SLICES = (ConfirmedSlice(0, 1),)


def confirm(project: Project, case: Case, slices: Sequence[ConfirmedSlice]) -> Correction:
    """Confirm the case's own labels in `slices`, as if a model had given none."""
    assert case.labels is not None
    labels = np.asarray(case.labels.volume.data, np.uint8)
    mask = mask_of(slices, case.geometry.shape)
    correction = Correction(case.id, labels, mask, case.labels.scheme, tuple(slices))
    project.save_correction(case, correction)
    return correction


def add_brats(project: Project, folder: Path, name: str = "Brats18_Test_1_1") -> Case:
    """Write a BraTS case and confirm three of its slices."""
    case = read_case(write_case(folder, name))
    confirm(project, case, BRATS_SLICES)
    return case


def add_lgg(project: Project, folder: Path) -> Case:
    """Write an LGG patient of three slices and confirm the one in the middle."""
    phantom = make_lgg_phantom(seed=3, slices=3)
    write_slice_files(phantom, folder / phantom.id)
    case = read_case(folder / phantom.id)
    confirm(project, case, LGG_SLICES)
    return case
