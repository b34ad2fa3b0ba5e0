"""A case read again with other channels keeps what a person settled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from nifti_files import labels, lps_affine, picture, save

from napari_brainseg.cases.reading import (
    OpenOptions,
    attach_labels,
    find_cases,
    read_case,
    reread_labels,
    resample_onto_grid,
)
from napari_brainseg.cases.rereading import read_again


def test_resampled_channels_attached_labels_and_their_scheme_stay(tmp_path: Path) -> None:
    thick = lps_affine()
    thick[:3, 2] *= 2
    for name in ("flair", "t1", "t2"):
        save(tmp_path / "c" / f"c_{name}.nii.gz", picture())
    save(tmp_path / "c" / "c_t1ce.nii.gz", picture()[::2], thick)
    mine = save(tmp_path / "mine.nii", labels(values=(0, 1, 2, 3)))
    files = find_cases(tmp_path / "c")[0]
    former = attach_labels(resample_onto_grid(read_case(files), "t1ce"), mine, "msd")
    swapped = OpenOptions(channels={"t1": files.channels["t2"][0], "t2": files.channels["t1"][0]})
    again = read_again(files, swapped, former)
    assert (dict(again.off_grid), again.paths["t1"], again.missing) == ({}, files.channels["t2"], ())
    assert (again.labels.path, again.scheme.id) == (mine, "msd")
    np.testing.assert_array_equal(again.labels.volume.data, former.labels.volume.data)


def test_the_scheme_chosen_for_its_own_labels_stays(tmp_path: Path) -> None:
    save(tmp_path / "c_flair.nii.gz", picture())
    save(tmp_path / "c_seg.nii.gz", labels(values=(0, 1, 2, 4)))
    files = find_cases(tmp_path)[0]
    former = reread_labels(read_case(files), "brats2013")
    assert read_again(files, OpenOptions(), former).scheme.id == "brats2013"
    assert read_again(files, OpenOptions(), read_case(files)).scheme.id == "brats2017"


def test_labels_that_no_longer_fit_the_grid_are_left_off_with_a_note(tmp_path: Path) -> None:
    thick = lps_affine()
    thick[:3, 2] *= 2
    save(tmp_path / "c" / "c_flair.nii.gz", picture())
    other = save(tmp_path / "other.nii", picture()[::2], thick)
    mine = save(tmp_path / "mine.nii", labels())
    files = find_cases(tmp_path / "c")[0]
    again = read_again(files, OpenOptions(channels={"flair": other}), attach_labels(read_case(files), mine))
    assert again.labels is None
    assert again.notes[-1].endswith("The labels that were attached are left off.")
