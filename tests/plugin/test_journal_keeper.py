from __future__ import annotations

import time

import numpy as np
import pytest
from case_files import write_case
from strokes import drag

from napari_brainseg.annotation.journal import journal_folder, list_journals
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.labels import BRATS2017, MSD
from napari_brainseg.cases.reading import read_case
from napari_brainseg.plugin.layers import LayerIdentity, Role, labels_layer
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.journal_keeper import JournalKeeper

SHAPE = (3, 20, 20)
WHOLE = (slice(None),) * 3


def add_working(viewer, scheme=BRATS2017, shape=SHAPE):
    data, attributes, _ = labels_layer(
        np.zeros(shape, np.uint8), scheme, (1, 1, 1), LayerIdentity("case", Role.WORKING, "segmentation")
    )
    return viewer.add_labels(data, **attributes)


@pytest.fixture
def bridge(viewer):
    bridge = EditingBridge(viewer)
    bridge.attach(add_working(viewer), BRATS2017, (1, 1, 1))
    yield bridge
    bridge.close()


@pytest.fixture
def keeper(bridge):
    keeper = JournalKeeper(bridge)
    yield keeper
    keeper.close()


def paint(bridge, value=1, place=(1, 10, 10)):
    bridge.layer.paint(place, value)


def found(keeper):
    keeper.flush()
    journals, damaged = list_journals([journal_folder()])
    assert damaged == []
    return journals


def assert_kept(keeper, bridge):
    """What is on disk is what the working labels are without a running model."""
    [journal] = found(keeper)
    np.testing.assert_array_equal(journal.load(), bridge.settled)


def test_whatever_changes_the_labels_is_kept(viewer, bridge, keeper):
    bridge.layer.mode, bridge.layer.selected_label = "paint", 1
    drag(bridge.layer, [(1, 4, 4), (1, 4, 9), (1, 9, 9)])
    assert_kept(keeper, bridge)
    bridge.layer.data[2, :5] = 2  # the console
    bridge.layer.refresh()
    assert_kept(keeper, bridge)
    bridge.apply(np.full(SHAPE, 3, np.uint8), "a script")
    assert_kept(keeper, bridge)
    bridge.layer.data = np.ones(SHAPE, np.uint8)
    assert_kept(keeper, bridge)
    for step in (bridge.undo, bridge.undo, bridge.redo, bridge.undo, bridge.undo, bridge.redo):
        step()
        assert_kept(keeper, bridge)
    bridge.set_locked({2})
    paint(bridge, 1, (2, 2, 2))
    assert_kept(keeper, bridge)


def test_a_stroke_is_kept_whole(bridge, keeper):
    bridge.begin_stroke()
    paint(bridge)
    assert found(keeper) == []
    paint(bridge, 1, (1, 10, 14))
    bridge.end_stroke()
    [journal] = found(keeper)
    np.testing.assert_array_equal(journal.load(), bridge.layer.data)
    bridge.begin_stroke()
    before = np.array(bridge.labels)
    paint(bridge, 2, (1, 3, 3))
    [journal] = found(keeper)
    np.testing.assert_array_equal(journal.load(), before)


def test_saving_in_the_middle_of_a_stroke_keeps_the_whole_stroke(bridge, keeper):
    bridge.begin_stroke()
    paint(bridge)
    bridge.mark_saved()
    paint(bridge, 1, (1, 3, 3))
    assert found(keeper) == []
    bridge.end_stroke()
    assert_kept(keeper, bridge)


def test_a_model_run_is_kept_when_it_is_over_and_what_is_painted_meanwhile_at_once(bridge, keeper):
    paint(bridge)
    assert_kept(keeper, bridge)
    bridge.begin_run()
    bridge.deliver([(WHOLE, np.full(SHAPE, 2, np.uint8))], "model run")
    assert_kept(keeper, bridge)
    paint(bridge, 3, (2, 5, 5))
    assert_kept(keeper, bridge)
    bridge.undo()
    assert_kept(keeper, bridge)
    bridge.redo()
    bridge.undo()
    bridge.undo()
    assert_kept(keeper, bridge)
    assert not bridge.settled.any()
    bridge.redo()
    bridge.finish_run([(WHOLE, np.full(SHAPE, 2, np.uint8))], "model run")
    assert_kept(keeper, bridge)
    assert (found(keeper)[0].load() > 0).all()


def test_a_cancelled_run_leaves_what_was_painted_meanwhile(bridge, keeper):
    bridge.begin_run()
    bridge.deliver([(WHOLE, np.full(SHAPE, 2, np.uint8))], "model run")
    assert found(keeper) == []
    paint(bridge, 3)
    bridge.take_back_run("model run")
    assert_kept(keeper, bridge)
    assert set(np.unique(found(keeper)[0].load())) == {0, 3}


def test_a_journal_says_everything_that_opening_the_case_again_needs(bridge, keeper, tmp_path):
    case = read_case(write_case(tmp_path, "case"))
    keeper.open_case = lambda: case
    paint(bridge)
    [journal] = found(keeper)
    note = journal.note
    assert (note.case_id, note.name, note.scheme_id, note.shape) == ("case", "segmentation", "brats2017", SHAPE)
    again = read_case(note.case_files, note.options)
    assert again.paths == case.paths
    assert again.label_paths == case.label_paths != ()
    assert (again.labels.path, again.labels.scheme) == (case.labels.path, case.labels.scheme)


def test_a_journal_lies_with_its_case_in_the_project(bridge, keeper, tmp_path):
    case = read_case(write_case(tmp_path, "case"))
    project = Project.open_or_create(tmp_path / "project")
    keeper.open_case, keeper.open_project = lambda: case, lambda: project
    paint(bridge)
    assert found(keeper) == []
    assert project.journal_folders() == [project.folder / "cases" / "case" / "journal"]
    [journal], _ = list_journals(project.journal_folders())
    np.testing.assert_array_equal(journal.load(), bridge.layer.data)

    other = Project.open_or_create(tmp_path / "other")
    keeper.open_project = lambda: other
    keeper.begin_again()
    keeper.flush()
    assert list_journals(project.journal_folders()) == ([], [])
    [journal], _ = list_journals(other.journal_folders())
    np.testing.assert_array_equal(journal.load(), bridge.layer.data)


def test_a_project_that_cannot_be_written_any_more_leaves_the_user_s_folder(bridge, keeper, tmp_path):
    case = read_case(write_case(tmp_path, "case"))
    project = Project.open_or_create(tmp_path / "project")
    (project.folder / "cases").write_text("x")
    keeper.open_case, keeper.open_project = lambda: case, lambda: project
    paint(bridge)
    assert_kept(keeper, bridge)
    assert keeper.problem == ""


def test_labels_that_are_unsaved_from_the_start_are_kept_too(bridge, keeper):
    bridge.mark_unsaved()
    assert_kept(keeper, bridge)


def test_nothing_is_written_while_nothing_is_unsaved(bridge, keeper):
    assert found(keeper) == []
    paint(bridge)
    bridge.mark_saved()
    assert found(keeper) == []
    assert not journal_folder().exists()


def test_saving_removes_the_file(bridge, keeper):
    paint(bridge)
    assert len(found(keeper)) == 1
    bridge.mark_saved()
    assert found(keeper) == []
    paint(bridge, 2)
    assert_kept(keeper, bridge)


def test_a_deleted_layer_leaves_its_work_behind(viewer, bridge, keeper):
    paint(bridge)
    layer = bridge.layer
    viewer.layers.remove(layer)
    [journal] = found(keeper)
    np.testing.assert_array_equal(journal.load(), layer.data)
    bridge.attach(add_working(viewer), BRATS2017)
    bridge.mark_unsaved()
    assert len(found(keeper)) == 2
    bridge.mark_saved()
    keeper.close()
    assert list_journals([journal_folder()])[0] == [journal], "saving another layer does not delete it"


def test_closing_writes_what_is_unsaved_a_stroke_that_is_not_over_included(bridge, keeper):
    bridge.begin_stroke()
    paint(bridge)
    keeper.close()
    assert_kept(keeper, bridge)


def test_recovered_work_is_one_step_and_its_old_file_goes_when_there_is_a_new_one(viewer, bridge, keeper):
    paint(bridge)
    viewer.layers.remove(bridge.layer)
    [old] = found(keeper)
    bridge.attach(add_working(viewer), BRATS2017)
    recovered = old.load()
    assert keeper.restore(old)
    np.testing.assert_array_equal(bridge.layer.data, recovered)
    assert bridge.dirty
    assert bridge.history.next_undo.source == "recovered work"
    [new] = found(keeper)
    assert new.path != old.path
    np.testing.assert_array_equal(new.load(), recovered)


def test_recovered_work_that_is_there_already_is_unsaved_all_the_same(viewer, bridge, keeper):
    paint(bridge)
    viewer.layers.remove(bridge.layer)
    [old] = found(keeper)
    layer = add_working(viewer)
    layer.data[:] = old.load()
    bridge.attach(layer, BRATS2017)
    assert not keeper.restore(old)
    assert bridge.dirty
    [new] = found(keeper)
    assert new.path != old.path


def test_recovered_labels_are_mapped_by_what_they_mean(viewer, bridge, keeper):
    paint(bridge, 2)  # oedema
    voxels = int(bridge.counts[2])
    viewer.layers.remove(bridge.layer)
    [old] = found(keeper)
    bridge.attach(add_working(viewer, MSD), MSD)
    keeper.restore(old)
    assert bridge.counts[1] == voxels, "oedema is 1 there"


def test_locked_classes_come_back_too(viewer, bridge, keeper):
    paint(bridge, 1)
    viewer.layers.remove(bridge.layer)
    [old] = found(keeper)
    bridge.attach(add_working(viewer), BRATS2017)
    bridge.set_locked({1})
    lost = old.load()

    keeper.restore(old)
    np.testing.assert_array_equal(bridge.labels, lost)
    assert bridge.locked == {1}


def test_restoring_needs_a_working_layer(viewer, bridge, keeper):
    paint(bridge)
    viewer.layers.remove(bridge.layer)
    with pytest.raises(LabelError, match="Open the case first"):
        keeper.restore(found(keeper)[0])


def test_a_place_that_cannot_be_written_is_said_and_loses_nothing(bridge, keeper, own_home, qtbot):
    own_home.write_text("x")
    with qtbot.waitSignal(keeper.problem_changed):
        paint(bridge)
    assert keeper.problem.startswith("Unsaved work is in memory only: ")
    assert bridge.dirty
    own_home.unlink()
    with qtbot.waitSignal(keeper.problem_changed):
        paint(bridge, 2, (2, 3, 3))
        keeper.flush()
    assert keeper.problem == ""
    assert_kept(keeper, bridge)


def test_a_stroke_costs_the_window_less_than_two_milliseconds(viewer, bridge, keeper):
    """In a volume of the usual size, with a file that is being written all the while."""
    bridge.attach(add_working(viewer, shape=(155, 240, 240)), BRATS2017)
    kept, costs = [], []
    bridge.kept.connect(kept.append)
    for number in range(60):
        paint(bridge, 1 + number % 3, (70, 20 + 3 * number, 100))
        start = time.perf_counter()
        keeper._writer.add(kept[-1])
        costs.append(time.perf_counter() - start)
        time.sleep(0.02)
    assert len(kept) == 60
    assert np.median(costs) < 0.002
