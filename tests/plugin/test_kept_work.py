from dataclasses import replace
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from napari_brainseg.annotation.project import Project
from napari_brainseg.cases.labels import BRATS2023
from napari_brainseg.plugin.widgets.segment_control import go_to_slice
from napari_brainseg.plugin.widgets.working_labels import NewLabels, StartFrom


@pytest.fixture
def new_workbench(make_napari_viewer, own_home):
    """Makes workbenches, each as after another start of the program."""
    from napari_brainseg.plugin.widgets.workbench import Workbench

    made = []

    def make():
        viewer = make_napari_viewer()
        made.append(Workbench(viewer))
        viewer.window.add_dock_widget(made[-1], name="Brain segmentation", area="right")
        return made[-1]

    yield make
    for workbench in made:
        workbench.close_down()


@pytest.fixture
def session(new_workbench, case_folder, qtbot):
    """A case of which slices 5 and 6 were confirmed and slice 2 was painted, then saved, in an earlier session."""
    first = new_workbench()
    with qtbot.waitSignal(first.project_control.kept_found, timeout=20_000):
        first.open_paths([case_folder])
    first.segment_control.start_from(StartFrom("reference"))
    confirm(first, 5, 6)
    paint(first)
    return SimpleNamespace(workbench=first, folder=case_folder, project=first.project_control.project.folder)


def paint(workbench):
    labels = np.array(workbench.bridge.labels)
    labels[2, :4, :4] = 1
    workbench.bridge.apply(labels, "brush")
    return labels


def confirm(workbench, *slices):
    for index in slices:
        go_to_slice(workbench.viewer, workbench.case, index)
        assert workbench.confirmations.confirm_slice()
    workbench.learn_controller.flush()


def open_and_look(workbench, folder, qtbot):
    with qtbot.waitSignal(workbench.project_control.kept_found, timeout=20_000):
        workbench.open_paths([folder])


def kept(project, case):
    correction = Project.open(project).correction(case)
    return [] if correction is None else [s.index for s in correction.slices]


def test_restored_work_keeps_the_slices_confirmed_before(session, new_workbench, qtbot):
    painted = np.array(session.workbench.bridge.labels)
    session.workbench.close_down()
    second = new_workbench()
    qtbot.waitUntil(lambda: bool(second.recovery_offer.journals), timeout=20_000)
    [journal] = second.recovery_offer.journals

    with qtbot.waitSignal(second.project_control.kept_found, timeout=20_000):
        second.recovery_offer.restore_requested.emit(journal)

    np.testing.assert_array_equal(second.bridge.labels, painted)
    assert [s.index for s in second.confirmations.slices] == [5, 6]
    confirm(second, 3)
    assert kept(session.project, second.case) == [3, 5, 6]


def test_another_project_keeps_its_slices_and_gets_those_confirmed_here(session, new_workbench, tmp_path, qtbot):
    session.workbench.close_down()
    second = new_workbench()
    second.project_control.open(tmp_path / "other")
    open_and_look(second, session.folder, qtbot)
    second.segment_control.start_from(StartFrom("empty"))
    confirm(second, 3, 6)

    with qtbot.waitSignal(second.project_control.kept_found, timeout=20_000):
        second.project_control.open(session.project)

    assert [s.index for s in second.confirmations.slices] == [3, 5, 6]
    reference = second.case.labels.volume.data
    np.testing.assert_array_equal(second.bridge.labels[5], reference[5])
    assert not second.bridge.labels[6].any()  # confirmed again, later
    second.learn_controller.flush()
    assert kept(session.project, second.case) == [3, 5, 6]
    assert kept(tmp_path / "other", second.case) == [3, 6]


def test_damaged_labels_cost_no_confirmed_slices(session, new_workbench, qtbot):
    session.workbench._save_if_dirty()
    session.workbench.close_down()
    [file] = session.project.glob("cases/*/labels-1.nii.gz")
    file.write_bytes(file.read_bytes()[:50])
    second = new_workbench()

    open_and_look(second, session.folder, qtbot)

    assert file.name in second.viewer.status
    assert [s.index for s in second.confirmations.slices] == [5, 6]
    confirm(second, 3)
    assert kept(session.project, second.case) == [3, 5, 6]


def test_slices_confirmed_before_the_project_was_read_are_kept_with_the_older(session, new_workbench, qtbot):
    session.workbench.close_down()
    second = new_workbench()
    look_for, looked = second.project_control.look_for, []
    second.project_control.look_for = looked.append
    second.open_paths([session.folder])
    qtbot.waitUntil(lambda: bool(looked), timeout=20_000)
    second.segment_control.start_from(StartFrom("reference"))

    confirm(second, 3)
    assert kept(session.project, second.case) == [3, 5, 6]

    with qtbot.waitSignal(second.project_control.kept_found, timeout=20_000):
        look_for(second.case)
    assert [s.index for s in second.confirmations.slices] == [3, 5, 6]


def run(workbench, value, index=None, scheme=BRATS2023):
    """What `SegmentControl` does with a result."""
    labels = np.full(workbench.case.geometry.shape, value, np.uint8)
    new = NewLabels(labels, scheme, "model run m 1", "m 1", slice=index)
    workbench.working.put(new, in_place=index is not None)
    workbench.segment_control.predicted.emit(new, "m 1")


def test_a_run_on_one_slice_stores_no_strokes_as_predicted(opened):
    run(opened, 2)
    labels = np.array(opened.bridge.labels)
    labels[5] = 0
    opened.bridge.apply(labels, "brush")
    run(opened, 3, index=7)

    confirm(opened, 5)

    correction = Project.open(opened.project_control.project.folder).correction(opened.case)
    assert correction.scheme == BRATS2023
    assert correction.predicted[:, 0, 0].tolist() == [2, 2, 2, 2, 2, 2, 2, 3, 2, 2]
    assert correction.changed[5].all()


def test_a_changed_case_is_what_is_taught_and_saved(opened):
    spaced = replace(opened.case, notes=("another",))

    opened.case_control.changed.emit(spaced)

    assert opened.confirmations.case is spaced


@pytest.mark.parametrize("in_place", [True, False])
def test_other_labels_show_the_confirmed_slices_as_confirmed(opened, in_place):
    opened.segment_control.start_from(StartFrom("reference"))
    confirm(opened, 6)

    opened.working.start_from(StartFrom("empty"), in_place=in_place)

    np.testing.assert_array_equal(opened.bridge.labels[6], opened.case.labels.volume.data[6])
    assert not opened.bridge.labels[5].any()
    assert "confirmed slice stays as confirmed" in opened.viewer.status


def test_an_earlier_layer_shows_the_confirmed_slices_too(opened):
    opened.working.start_from(StartFrom("empty"), in_place=False)
    earlier = opened.bridge.layer
    opened.working.start_from(StartFrom("reference"), in_place=False)
    confirm(opened, 6)

    opened.segment_control.start_from(StartFrom("layer", earlier))

    assert opened.bridge.layer is earlier
    np.testing.assert_array_equal(earlier.data[6], opened.case.labels.volume.data[6])
    assert not earlier.data[5].any()


def test_going_on_from_other_labels_forgets_the_prediction(opened):
    run(opened, 2)

    opened.segment_control.start_from(StartFrom("reference"))

    assert opened.confirmations.correction().predicted is None


def test_closing_asks_about_confirmed_slices_that_are_in_no_project(opened, tmp_path):
    opened.project_control.open()
    opened.segment_control.start_from(StartFrom("reference"))
    confirm(opened, 6)
    assert opened._unsaved() == ""
    (tmp_path / "file").write_text("x")
    opened.project_control.open(tmp_path / "file")

    confirm(opened, 5)

    assert "is not saved" in opened.viewer.status
    assert opened._unsaved() == f"The confirmed slices of {opened.case.id} are"
    opened.project_control.open(tmp_path / "other")
    assert opened._unsaved() == ""
    assert kept(tmp_path / "other", opened.case) == [5, 6]


def test_what_a_person_changed_is_protected_after_opening_the_project_again(session, new_workbench, qtbot):
    first = session.workbench
    predicted = np.array(first.bridge.labels)
    predicted[2, :4, :4] = 0
    first.confirmations.set_prediction(predicted, first.bridge.scheme, "m 1")
    confirm(first, 5)
    first.save_button.click()
    first.close_down()
    second = new_workbench()

    open_and_look(second, session.folder, qtbot)

    expected = np.zeros(predicted.shape, bool)
    expected[[5, 6]] = True
    expected[2, :4, :4] = True
    np.testing.assert_array_equal(second.confirmations.protected_mask(), expected)


def test_slices_that_another_window_confirmed_otherwise_are_told(session, new_workbench, qtbot):
    second = new_workbench()
    open_and_look(second, session.folder, qtbot)
    second.bridge.layer.paint((5, 10, 10), 3)
    confirm(second, 5)

    first = session.workbench
    confirm(first, 7)

    line = first.correct_panel.said_line
    qtbot.waitUntil(lambda: line.text().startswith("In axial slice 5 of "), timeout=5000)
    assert "Yours count now" in line.text()
    assert not line.isHidden()
    assert kept(session.project, first.case) == [5, 6, 7]


def test_slices_confirmed_before_the_project_was_looked_into_are_told(session, new_workbench, tmp_path, qtbot):
    second = new_workbench()
    second.project_control.open(tmp_path / "other")
    open_and_look(second, session.folder, qtbot)
    second.segment_control.start_from(StartFrom("empty"))
    confirm(second, 6)

    with qtbot.waitSignal(second.project_control.kept_found, timeout=20_000):
        second.project_control.open(session.project)

    said = "The project holds other labels of axial slice 6; what you confirmed now counts."
    assert second.correct_panel.said_line.text() == said


def test_images_that_have_changed_are_told_and_what_was_confirmed_is_intact(session, new_workbench, qtbot):
    session.workbench.close_down()
    for path in session.folder.glob("*flair*"):
        image = nib.load(path)
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj) + 1, image.affine, image.header), path)
    second = new_workbench()

    open_and_look(second, session.folder, qtbot)

    assert f"The images of {second.case.id} are not those whose slices were confirmed." in second.viewer.status
    assert [s.index for s in second.confirmations.slices] == [5, 6]
