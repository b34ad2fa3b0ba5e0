"""The list of cases, from state files alone."""

import json
import shutil

import numpy as np
import pytest
from case_files import CASE_SHAPE, write_case

from napari_brainseg.annotation.case_worklist import (
    CaseLine,
    Outlook,
    corrected_text,
    note_outlook,
    rank_cases,
    ranked,
    read_outlook,
)
from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.finding import find_cases
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.phantom import make_lgg_phantom
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.sample_files import write_slice_files


@pytest.fixture
def project(tmp_path):
    return Project.open_or_create(tmp_path / "project")


@pytest.fixture
def data(tmp_path):
    """A folder of four cases, `case_1` to `case_4`."""
    for number in range(1, 5):
        write_case(tmp_path / "data", f"Brats18_{number}_1", labels=False)
    return tmp_path / "data"


def case(data, number):
    return read_case(data / f"Brats18_{number}_1")


def confirm(project, opened, slices):
    labels = np.ones(opened.geometry.shape, np.uint8)
    mask = mask_of(slices, opened.geometry.shape)
    project.save_correction(opened, Correction(opened.id, labels, mask, BRATS2017, tuple(slices)))


def seen(lines):
    return [(line.id.split("_")[1], line.state, line.rank) for line in lines]


def test_the_greatest_expected_error_comes_first_then_unseen_then_corrected_cases(project, data):
    for number, error in ((2, 0.1), (3, 0.4), (4, 0.9)):
        note_outlook(project, case(data, number), Outlook(error, 1000, 1.0))
    confirm(project, case(data, 4), [ConfirmedSlice(0, 3), ConfirmedSlice(1, 3)])

    lines = rank_cases(project, find_cases(data))

    assert seen(lines) == [("3", "labelled", 1), ("2", "labelled", 2), ("1", "new", 3), ("4", "2 confirmed", None)]
    assert corrected_text(lines) == "1 of 4 corrected"
    assert corrected_text([]) == ""


def test_a_folder_alone_is_listed_in_its_order(data):
    lines = rank_cases(None, find_cases(data))

    assert seen(lines) == [(str(n), "new", n) for n in range(1, 5)]
    assert lines[0].is_of("Brats18_1_1", [data / "Brats18_1_1" / "Brats18_1_1_flair.nii.gz"])
    assert not lines[0].is_of("Brats18_1_1", [data / "elsewhere_flair.nii.gz"])
    assert not lines[0].is_of("Brats18_2_1", lines[0].files)


def test_a_case_whose_slices_are_all_confirmed_says_so(project, data):
    confirm(project, case(data, 1), [ConfirmedSlice(0, z) for z in range(CASE_SHAPE[0])])

    assert [(line.state, line.confirmed) for line in rank_cases(project)] == [("all confirmed", CASE_SHAPE[0])]


def test_a_case_that_has_moved_comes_last_and_is_not_ranked(project, data):
    note_outlook(project, case(data, 1), Outlook(0.9, 5, None))
    shutil.move(data / "Brats18_1_1", data.parent / "moved")

    lines = rank_cases(project, find_cases(data))

    assert seen(lines) == [("2", "new", 1), ("3", "new", 2), ("4", "new", 3), ("1", "moved", None)]
    assert lines[-1].folder == data / "Brats18_1_1"


def test_an_outlook_comes_back_as_it_was(project, data):
    for outlook in (Outlook(0.25, 1234, 1.234), Outlook(None, 0, None)):
        note_outlook(project, case(data, 1), outlook)
        assert rank_cases(project)[0].outlook == outlook

    assert Outlook(None, 1234, None).volume_text == "1,234 voxels"
    assert Outlook(None, 61234, 61.234).volume_text == "61.2 mL"


def test_outlooks_are_alike_where_a_list_shows_the_same():
    assert Outlook(0.251, 61234, 61.234).is_like(Outlook(0.249, 61201, 61.201))
    assert not Outlook(0.251, 61234, 61.234).is_like(Outlook(0.261, 61234, 61.234))
    assert not Outlook(0.251, 61234, 61.234).is_like(Outlook(0.251, 61999, 61.999))
    assert not Outlook(None, 5, None).is_like(Outlook(0.2, 5, None))


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"format": 1}), json.dumps({"format": 99})])
def test_a_damaged_outlook_costs_the_rank_alone(project, data, text):
    note_outlook(project, case(data, 1), Outlook(0.25, 1234, 1.2))
    folder = project.case_folders()[0]
    (folder / "outlook.json").write_text(text)

    assert read_outlook(folder) is None
    assert seen(rank_cases(project)) == [("1", "new", 1)]


def test_a_damaged_state_is_told_and_the_others_are_listed(project, data):
    for number in (1, 2):
        note_outlook(project, case(data, number), Outlook(0.1, 1, None))
    (project.case_folders()[0] / "state.json").write_text("{")
    told = []

    assert seen(rank_cases(project, skipped=told)) == [("2", "labelled", 1)]
    assert len(told) == 1
    assert "is damaged" in told[0]
    with pytest.raises(InputError, match="is damaged"):
        rank_cases(project)


def test_slices_are_read_again_with_the_spacing_they_had(project, tmp_path):
    phantom = make_lgg_phantom(seed=3, slices=4)
    folder = tmp_path / "data" / phantom.id
    write_slice_files(phantom, folder)
    note_outlook(project, read_case(folder), Outlook(0.5, 10, None))

    line = rank_cases(project)[0]

    assert (line.id, line.folder) == (phantom.id, folder)
    assert read_case(folder, line.options).order == read_case(folder).order
    assert len(line.files) >= 4


def test_ranks_do_not_depend_on_the_order_that_is_given(tmp_path):
    here = (tmp_path / "a",)
    lines = [
        CaseLine("a", here, tmp_path, outlook=Outlook(0.2, 1, None)),
        CaseLine("b", here, tmp_path, outlook=Outlook(0.8, 1, None)),
        CaseLine("c", (), tmp_path),
    ]

    for given in (lines, lines[::-1]):
        assert [(line.id, line.rank) for line in ranked(given)] == [("b", 1), ("a", 2), ("c", None)]
