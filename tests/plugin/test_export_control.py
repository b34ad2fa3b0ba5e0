import csv

import nibabel as nib
import numpy as np
import pytest
from case_files import CASE_ID
from qtpy.QtWidgets import QFileDialog

from napari_brainseg.cases.labels import SCHEMES


@pytest.fixture
def ready(opened, tmp_path):
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    opened.export_panel.place.show_folder(tmp_path / "out")
    return opened


def _export(workbench, qtbot, button):
    button.click()
    panel = workbench.export_panel
    qtbot.waitUntil(lambda: panel.labels_button.isEnabled() or not panel.question.isHidden(), timeout=20_000)


def test_the_working_layer_is_written_on_the_sources_grid(ready, qtbot, case_folder, tmp_path):
    ready.bridge.layer.data[1, 2, 3] = 3
    ready.bridge.layer.refresh()
    _export(ready, qtbot, ready.export_panel.labels_button)

    written = nib.load(tmp_path / "out" / f"{CASE_ID}_seg.nii.gz")
    source = nib.load(case_folder / f"{CASE_ID}_seg.nii.gz")
    expected = np.asarray(source.dataobj).copy()
    expected[3, 2, 1] = 4
    np.testing.assert_array_equal(np.asarray(written.dataobj), expected)
    np.testing.assert_array_equal(written.affine, source.affine)
    assert f"Wrote {CASE_ID}_seg.nii.gz" in ready.export_panel.done.text()


def test_values_of_another_scheme_are_written_on_request(ready, qtbot, tmp_path):
    box = ready.export_panel.scheme_box
    box.setCurrentIndex(box.findData("brats2023"))
    _export(ready, qtbot, ready.export_panel.labels_button)

    written = np.unique(np.asarray(nib.load(tmp_path / "out" / f"{CASE_ID}_seg.nii.gz").dataobj))
    assert set(written) <= set(SCHEMES["brats2023"].disk_values)
    assert 3 in written


def test_an_existing_file_is_replaced_only_when_the_user_says_so(ready, qtbot, tmp_path):
    target = tmp_path / "out" / f"{CASE_ID}_seg.nii.gz"
    target.write_bytes(b"older")
    _export(ready, qtbot, ready.export_panel.labels_button)
    assert not ready.export_panel.question.isHidden()
    ready.export_panel.question.keep_button.click()
    assert target.read_bytes() == b"older"
    assert ready.export_panel.labels_button.isEnabled()

    _export(ready, qtbot, ready.export_panel.labels_button)
    ready.export_panel.question.replace_button.click()
    qtbot.waitUntil(lambda: ready.export_panel.labels_button.isEnabled(), timeout=20_000)
    assert nib.load(target).shape == ready.case.geometry.shape[::-1]


def test_foreign_values_are_refused_naming_slice_and_value(ready, qtbot, tmp_path):
    ready.bridge.layer.data[4, 0, 0] = 9
    ready.bridge.layer.refresh()
    _export(ready, qtbot, ready.export_panel.labels_button)

    assert "Slice 4 holds the value 9" in ready.export_panel.error.text()
    assert not list((tmp_path / "out").glob("*.nii.gz"))


def test_the_cases_own_labels_are_never_written(ready, qtbot, case_folder):
    before = (case_folder / f"{CASE_ID}_seg.nii.gz").read_bytes()
    ready.export_panel.place.show_folder(case_folder)
    _export(ready, qtbot, ready.export_panel.labels_button)
    ready.export_panel.question.replace_button.click()
    qtbot.waitUntil(lambda: bool(ready.export_panel.error.text()), timeout=20_000)

    assert (case_folder / f"{CASE_ID}_seg.nii.gz").read_bytes() == before


def test_volumes_are_written_as_a_table(ready, qtbot, tmp_path):
    _export(ready, qtbot, ready.export_panel.csv_button)

    with (tmp_path / "out" / f"{CASE_ID}_volumes.csv").open(encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert int(rows["WT"]["voxels"]) == int(np.count_nonzero(ready.bridge.labels))


def test_a_folder_that_cannot_be_written_is_said_in_red(ready, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    ready.export_panel.place.show_folder(tmp_path / "file" / "below")

    assert "cannot be written" in ready.export_panel.place.problem.text()
    assert ready.export_panel.place.change_button.text() == "Choose another…"


def test_a_project_that_cannot_be_written_is_said_in_red_and_another_is_taken(opened, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    opened.project_control.open(tmp_path / "file" / "below")
    assert "cannot be written" in opened.case_panel.project_row.problem.text()
    assert opened.project_control.project is None

    opened.project_control.open(tmp_path / "elsewhere")
    assert opened.case_panel.project_row.problem.isHidden()
    assert (tmp_path / "elsewhere" / "project.json").is_file()


@pytest.fixture
def no_project(own_home):
    """Nothing can be written where the project would be."""
    own_home.mkdir(parents=True, exist_ok=True)
    (own_home / "project").write_text("not a folder")


def test_without_a_project_export_says_what_it_waits_for_and_takes_another_folder(
    no_project, opened, qtbot, tmp_path, monkeypatch
):
    panel = opened.export_panel
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    assert opened.project_control.project is None
    assert [b.isEnabled() for b in (panel.labels_button, panel.other_button, panel.csv_button)] == [False] * 3
    assert panel.next_step.text() == "Choose a folder before exporting."
    assert "no folder for exports" in panel.place.problem.text()
    opened.press("Export")
    assert opened.viewer.status == "Choose a folder before exporting."

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "out"))
    panel.place.change_button.click()
    assert panel.place.problem.isHidden()
    assert panel.next_step.text() == "Writes segmentation."
    _export(opened, qtbot, panel.labels_button)
    assert (tmp_path / "out" / f"{CASE_ID}_seg.nii.gz").is_file()


def test_a_place_chosen_for_exports_is_tried_by_writing(ready, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "file" / "below"))
    ready.export_panel.place.change_button.click()
    assert "cannot be written" in ready.export_panel.place.problem.text()


def test_a_renamed_layer_is_named_as_it_is_now(ready):
    ready.bridge.layer.name = "mine"
    assert ready.export_panel.next_step.text() == "Writes mine."
