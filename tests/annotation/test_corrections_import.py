"""Labelled cases as confirmed corrections, and what was exported coming back."""

from __future__ import annotations

import getpass
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case_files import CASE_ID, CASE_SHAPE, TUMOUR_SLICE, write_case
from corrected_cases import BRATS_SLICES, add_brats, add_lgg, confirm
from nifti_files import labels, picture, save

from napari_brainseg.annotation.case_state import read_state
from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.annotation.corrections_import import ImportedCorrections, import_corrections, whole_slices
from napari_brainseg.annotation.export_plan import ExportSettings
from napari_brainseg.annotation.monai_export import export_monai
from napari_brainseg.annotation.nnunet_export import export_nnunet
from napari_brainseg.annotation.project import Confirmed, Project
from napari_brainseg.base.errors import InputError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.case import BRATS_CHANNELS, LGG_CHANNELS
from napari_brainseg.cases.labels import BRATS2017, LGG, MSD
from napari_brainseg.cases.phantom import make_lgg_phantom
from napari_brainseg.cases.reading import OpenOptions, read_case
from napari_brainseg.cases.sample_files import write_slice_files


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.open_or_create(tmp_path / "project")


def take(project: Project, folder: Path, **options: Any) -> ImportedCorrections:
    return run_to_end(import_corrections(project, folder, **options))


def export(project: Project, kind: str, out: Path, channels: tuple[str, ...]) -> Path:
    task = {"nnunet": export_nnunet, "monai": export_monai}[kind]
    return run_to_end(task(project, out, settings=ExportSettings(channels))).folder


def in_terms_of(scheme, correction: Correction) -> np.ndarray:
    known = np.where(correction.confirmed, correction.labels, 0).astype(np.uint8)
    return correction.scheme.convert(known, scheme)


@pytest.mark.parametrize("kind", ["nnunet", "monai"])
@pytest.mark.parametrize("channels", [BRATS_CHANNELS, LGG_CHANNELS])
def test_what_was_exported_comes_back_the_same(project, tmp_path, kind, channels) -> None:
    add_brats(project, tmp_path / "data")
    add_lgg(project, tmp_path / "data")
    [(case, original)] = project.corrections(channels)
    folder = export(project, kind, tmp_path / "out", channels)

    other = Project.open_or_create(tmp_path / "other")
    done = take(other, folder)

    [(again, correction)] = other.corrections()
    assert (again.id, [c.case_id for c in done.cases], done.left_out) == (case.id, [case.id], ())
    np.testing.assert_array_equal(correction.confirmed, original.confirmed)
    assert correction.slices == original.slices
    np.testing.assert_array_equal(in_terms_of(original.scheme, correction), in_terms_of(original.scheme, original))
    assert done.cases[0].confirmed == pytest.approx(original.confirmed.mean())
    assert (correction.who, correction.model, correction.predicted) == (getpass.getuser(), "", None)
    assert correction.when


@pytest.mark.parametrize("kind", ["nnunet", "monai"])
def test_a_case_that_comes_back_is_the_same_case_of_its_project(project, tmp_path, kind) -> None:
    case = add_brats(project, tmp_path / "data")
    folder = export(project, kind, tmp_path / "out", BRATS_CHANNELS)
    before = (project.find(case) / "state.json").read_bytes()

    kept = take(project, folder)

    assert kept.cases == ()
    assert kept.kept[0].startswith(f"{CASE_ID} is confirmed in the project already")
    assert (project.find(case) / "state.json").read_bytes() == before

    # Somebody has drawn in the data set: an axial slice that was empty is oedema now.
    path = next((folder / "labelsTr").iterdir())
    shape = CASE_SHAPE
    drawn = np.full(shape, 4 if kind == "nnunet" else 0, np.uint8)
    drawn[0] = 1
    save(path, drawn)
    if kind == "monai":
        save(folder / "masksTr" / path.name, (drawn == 1).astype(np.uint8))
    done = take(project, folder, overwrite=True)

    assert len(project.case_folders()) == 1
    assert [c.folder for c in done.cases] == [project.find(case)]
    correction = project.correction(case)
    assert correction.slices == (ConfirmedSlice(0, 0), *BRATS_SLICES)
    np.testing.assert_array_equal(correction.confirmed, mask_of(correction.slices, shape))
    expected = np.asarray(case.labels.volume.data).copy()
    expected[0] = 2  # the project's case is of BraTS 2017, where oedema is 2
    assert correction.scheme == BRATS2017
    np.testing.assert_array_equal(np.where(correction.confirmed, correction.labels, 0), np.where(
        correction.confirmed, expected, 0
    ))  # fmt: skip
    version = read_state(project.find(case)).versions[-1]
    assert (version.model, version.who) == (f"import from {folder.name}", getpass.getuser())


def test_imported_labels_win_only_where_they_are_confirmed(project, tmp_path) -> None:
    case = read_case(write_case(tmp_path / "data"))
    wrong = Correction(
        CASE_ID, np.full(CASE_SHAPE, 3, np.uint8), mask_of(BRATS_SLICES, CASE_SHAPE), BRATS2017, BRATS_SLICES,
        np.zeros(CASE_SHAPE, np.uint8), "brats 1", seconds=60.0, strokes=7,
    )  # fmt: skip
    project.save_correction(case, wrong)

    take(project, tmp_path / "data", overwrite=True)

    correction = project.correction(case)
    assert correction.confirmed.all()
    np.testing.assert_array_equal(correction.labels, case.labels.volume.data)
    # What a model had predicted, and how long it took, is still known.
    assert (correction.model, correction.seconds, correction.strokes) == ("brats 1", 60.0, 7)
    np.testing.assert_array_equal(correction.changed, np.asarray(case.labels.volume.data) != 0)


def test_labelled_cases_are_confirmed_wholly(project, tmp_path) -> None:
    write_case(tmp_path / "data", "a_1")
    write_case(tmp_path / "data", "a_2", labels=False)
    broken = write_case(tmp_path / "data", "a_3")
    save(broken / "a_3_seg.nii.gz", np.full(CASE_SHAPE, 9, np.uint8))

    done = take(project, tmp_path / "data")

    assert [(c.case_id, c.confirmed, c.scheme) for c in done.cases] == [("a_1", 1.0, BRATS2017)]
    assert done.left_out[0] == "a_2 has no labels, so there is nothing to confirm."
    assert done.left_out[1].startswith("a_3 cannot be imported: a_3_seg.nii.gz holds the label values 9")
    [(case, correction)] = project.corrections()
    assert correction.slices == tuple(ConfirmedSlice(0, z) for z in range(CASE_SHAPE[0]))
    np.testing.assert_array_equal(correction.labels, read_case(tmp_path / "data" / "a_1").labels.volume.data)
    np.testing.assert_array_equal(project.latest_labels(case)[0], correction.labels)
    assert correction.labels[TUMOUR_SLICE].any()
    # Once more changes nothing.
    assert take(project, tmp_path / "data").kept[0].startswith("a_1 is confirmed")


def test_a_scheme_can_be_named(project, tmp_path) -> None:
    folder = write_case(tmp_path / "data")
    save(folder / f"{CASE_ID}_seg.nii.gz", labels(CASE_SHAPE, (0, 1, 2, 3)))
    done = take(project, tmp_path / "data")
    assert done.cases[0].notes == ("Labels were read as BraTS 2023 (0, 1, 2, 3); Decathlon would fit as well.",)
    done = take(project, tmp_path / "data", options=OpenOptions(scheme="msd"), overwrite=True)
    assert (done.cases[0].scheme, done.cases[0].notes) == (MSD, ())


def test_slices_without_a_mask_are_not_confirmed(project, tmp_path) -> None:
    phantom = make_lgg_phantom(seed=3, slices=3)
    write_slice_files(phantom, tmp_path / "data")
    (tmp_path / "data" / f"{phantom.id}_2_mask.tif").unlink()
    take(project, tmp_path / "data")
    [(_, correction)] = project.corrections()
    assert (correction.slices, correction.scheme) == ((ConfirmedSlice(0, 0), ConfirmedSlice(0, 2)), LGG)


def nnunet_set(folder: Path, drawn: np.ndarray, ignored: int = 4) -> Path:
    save(folder / "imagesTr" / "c_0000.nii.gz", picture(drawn.shape))
    save(folder / "labelsTr" / "c.nii.gz", drawn)
    described = {"channel_names": {"0": "flair"}, "labels": {"background": 0, "tumour": 1, "ignore": ignored}}
    (folder / "dataset.json").write_text(json.dumps(described))
    return folder


def test_scribbles_that_fill_no_slice_are_confirmed_voxel_by_voxel(project, tmp_path) -> None:
    drawn = np.full(CASE_SHAPE, 4, np.uint8)
    drawn[2, 3:6, 4] = 1
    drawn[2, 8, 8] = 0
    take(project, nnunet_set(tmp_path / "set", drawn))
    [(case, correction)] = project.corrections()
    assert correction.slices == ()
    np.testing.assert_array_equal(correction.confirmed, drawn != 4)
    assert project.confirmed() == Confirmed(0, 1)
    assert project.confirmed().describe() == "parts of slices confirmed"

    # Taken back, nothing is left to learn from.
    project.save_correction(case, replace(correction, confirmed=correction.confirmed & False))
    assert list(project.corrections()) == []


def test_work_that_is_not_confirmed_stays_around_imported_labels(project, tmp_path) -> None:
    drawn = np.full(CASE_SHAPE, 4, np.uint8)
    drawn[2] = 0
    folder = nnunet_set(tmp_path / "set", drawn)
    case = read_case(folder)
    project.save_labels(case, np.full(CASE_SHAPE, 2, np.uint8), MSD)
    take(project, folder)
    kept = np.full(CASE_SHAPE, 2)
    kept[2] = 0
    np.testing.assert_array_equal(project.correction(case).labels, kept)
    np.testing.assert_array_equal(project.latest_labels(case)[0], kept)


def test_a_set_in_which_nothing_is_known_is_said(project, tmp_path) -> None:
    done = take(project, nnunet_set(tmp_path / "set", np.full(CASE_SHAPE, 4, np.uint8)))
    assert done.left_out == ("c cannot be imported: its data set marks every voxel as not known.",)
    with pytest.raises(InputError, match="holds no NIfTI image"):
        take(project, (tmp_path / "empty").mkdir() or tmp_path / "empty")


def test_another_patient_of_the_same_name_is_another_case(project, tmp_path) -> None:
    case = add_brats(project, tmp_path / "data")
    shutil.copytree(tmp_path / "data", tmp_path / "other")
    flair = tmp_path / "other" / CASE_ID / f"{CASE_ID}_flair.nii.gz"
    save(flair, np.asarray(case.channels["flair"].data, np.int16) + 1)
    confirm(project, case, BRATS_SLICES)
    done = take(project, tmp_path / "other")
    assert [c.folder.name for c in done.cases] == [f"{CASE_ID}-2"]


def test_whole_slices_prefer_axial_ones_and_add_no_slice_twice() -> None:
    shape = (3, 4, 5)
    chosen = (ConfirmedSlice(0, 1), ConfirmedSlice(1, 2), ConfirmedSlice(2, 4))
    assert whole_slices(mask_of(chosen, shape)) == chosen
    assert whole_slices(np.ones(shape, bool)) == tuple(ConfirmedSlice(0, z) for z in range(3))
    mask = mask_of(chosen[:1], shape)
    mask[0, 0, 0] = True
    assert whole_slices(mask) == chosen[:1]
    assert whole_slices(np.zeros(shape, bool)) == ()
