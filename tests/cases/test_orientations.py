"""Every order of axes: the file lies at the same place, and its array comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nifti_files import ORIENTATIONS, lps_affine, picture, save, stored

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.nifti import read_volume, stored_affine, write_volume
from napari_brainseg.cases.orientations import letters_of, reorientation_for, stored_as
from napari_brainseg.cases.volume import Geometry


@pytest.mark.parametrize("letters", ["LPS", "RAS", "RIA", "PSL", "SAR"])
def test_a_file_in_any_order_lies_at_the_same_place(tmp_path: Path, letters: str) -> None:
    volume = read_volume(save(tmp_path / "case.nii", picture(), lps_affine(9.0)))
    geometry = stored_as(volume.geometry, letters)
    write_volume(volume.data, geometry, tmp_path / "turned.nii")  # type: ignore[arg-type]
    assert letters_of(stored_affine(tmp_path / "turned.nii")) == letters  # type: ignore[arg-type]
    again = read_volume(tmp_path / "turned.nii")
    np.testing.assert_array_equal(again.data, volume.data)
    assert again.geometry.same_grid(volume.geometry)


def test_letters_are_those_of_the_reorientation() -> None:
    for axes, flips in ORIENTATIONS:
        affine = stored(picture(), lps_affine(), axes, flips).affine
        letters = letters_of(affine)
        geometry = stored_as(Geometry((4, 5, 6), (3.0, 0.9, 1.1), lps_affine()), letters)
        np.testing.assert_allclose(geometry.affine, affine)


def test_a_case_without_a_place_gets_one_and_keeps_its_spacing() -> None:
    geometry = stored_as(Geometry((4, 5, 6), (3.0, 0.9, 1.1)))
    assert geometry.affine is not None
    np.testing.assert_allclose(geometry.affine, np.diag([-1.1, -0.9, 3.0, 1.0]))


def test_letters_that_are_no_order_are_refused() -> None:
    for letters in ("LRS", "LP", "XYZ"):
        with pytest.raises(InputError, match="no order of axes"):
            reorientation_for(letters)
