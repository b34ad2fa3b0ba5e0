"""Data sets are written aside, replace nothing unasked, and leave out what cannot be read."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from case_files import CASE_ID
from corrected_cases import add_brats, confirm
from nifti_files import ORIENTATIONS, labels, lps_affine, picture, stored

from napari_brainseg.annotation.corrections import ConfirmedSlice
from napari_brainseg.annotation.corrections_import import import_corrections
from napari_brainseg.annotation.data_set_export import ExportedDataSet
from napari_brainseg.annotation.export_plan import ExportSettings
from napari_brainseg.annotation.monai_export import export_monai
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import InputError, OutputError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.labels import BRATS2024
from napari_brainseg.cases.reading import read_case


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.open_or_create(tmp_path / "project")


def export(project: Project, out: Path, *channels: str, overwrite: bool = False) -> ExportedDataSet:
    return run_to_end(export_monai(project, out, ExportSettings(channels, overwrite=overwrite)))


def test_an_older_data_set_is_replaced_only_when_asked(project, tmp_path) -> None:
    case = add_brats(project, tmp_path / "data")
    out = tmp_path / "sets" / "mine"
    export(project, out)
    before = (out / "dataset.json").stat().st_mtime_ns
    with pytest.raises(OutputError, match=r"mine exists\. Choose another name"):
        export(project, out)
    assert (out / "dataset.json").stat().st_mtime_ns == before
    (out / "imagesTr" / "stale.nii.gz").touch()

    export(project, out, "flair", overwrite=True)

    assert [p.name for p in (out / "imagesTr").iterdir()] == [f"{case.id}_0000.nii.gz"]
    assert list((tmp_path / "sets").iterdir()) == [out]  # nothing is left beside it


def test_a_folder_of_something_else_is_never_replaced(project, tmp_path) -> None:
    add_brats(project, tmp_path / "data")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("dear")
    with pytest.raises(OutputError, match="something else than a data set"):
        export(project, tmp_path / "letters", overwrite=True)
    with pytest.raises(OutputError, match="is a file"):
        export(project, tmp_path / "letters" / "one.txt", overwrite=True)
    (tmp_path / "empty").mkdir()
    assert export(project, tmp_path / "empty").cases == (CASE_ID,)


def test_the_images_of_the_project_itself_are_never_replaced(project, tmp_path) -> None:
    add_brats(project, tmp_path / "data")
    out = export(project, tmp_path / "set").folder
    other = Project.open_or_create(tmp_path / "other")
    run_to_end(import_corrections(other, out))
    with pytest.raises(OutputError, match=f"holds the images of {CASE_ID} in this project"):
        export(other, out, overwrite=True)
    assert len(list((out / "imagesTr").iterdir())) == 4


def test_a_case_whose_images_changed_is_left_out(project, tmp_path) -> None:
    add_brats(project, tmp_path / "data")
    add_brats(project, tmp_path / "data", "Brats18_Test_2_1")
    shutil.rmtree(tmp_path / "data" / CASE_ID)
    done = export(project, tmp_path / "out")
    assert done.cases == ("Brats18_Test_2_1",)
    assert done.left_out[0].startswith(f"The files of {CASE_ID} are no longer in")
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(InputError, match=r"No case could be exported\. The files of"):
        export(project, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_cancelled_export_leaves_nothing(project, tmp_path) -> None:
    add_brats(project, tmp_path / "data")
    task = export_monai(project, tmp_path / "sets" / "mine")
    next(task)
    assert list((tmp_path / "sets").iterdir()) != []
    task.close()
    assert list((tmp_path / "sets").iterdir()) == []


def test_two_patients_of_one_name_are_two_cases(project, tmp_path) -> None:
    add_brats(project, tmp_path / "here")
    add_brats(project, tmp_path / "there")
    assert export(project, tmp_path / "out").cases == (CASE_ID, f"{CASE_ID}-2")


def test_the_grid_is_the_cases_own_however_it_lies(project, tmp_path) -> None:
    axes, flips = ORIENTATIONS[38]
    (tmp_path / "c").mkdir()
    for name in ("flair", "t1"):
        stored(picture(), lps_affine(), axes, flips).to_filename(tmp_path / "c" / f"c_{name}.nii.gz")
    stored(labels(), lps_affine(), axes, flips).to_filename(tmp_path / "c" / "c_seg.nii.gz")
    confirm(project, read_case(tmp_path / "c"), (ConfirmedSlice(1, 2),))
    export(project, tmp_path / "out", "flair", "t1")
    own = nib.load(tmp_path / "c" / "c_flair.nii.gz")
    for file in ("imagesTr/c_0000", "imagesTr/c_0001", "labelsTr/c", "masksTr/c"):
        written = nib.load(tmp_path / "out" / f"{file}.nii.gz")
        assert (written.shape, written.affine.tobytes()) == (own.shape, own.affine.tobytes())
    np.testing.assert_array_equal(nib.load(tmp_path / "out/imagesTr/c_0001.nii.gz").get_fdata(), own.get_fdata())


def test_a_cavity_is_a_class_of_its_own(project, tmp_path) -> None:
    case = add_brats(project, tmp_path / "data")
    correction = project.correction(case)
    drawn = np.where(correction.confirmed, correction.labels, 4).astype(np.uint8)
    project.save_correction(case, replace(correction, labels=drawn, scheme=BRATS2024))
    done = export(project, tmp_path / "out")
    assert done.scheme == BRATS2024
    written = nib.load(tmp_path / "out" / "labelsTr" / f"{CASE_ID}.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj).transpose(2, 1, 0), drawn)
