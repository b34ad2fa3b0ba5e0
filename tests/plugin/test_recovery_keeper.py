import numpy as np
import pytest
from case_files import write_case

from napari_brainseg.annotation.recovery import list_recoveries
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.labels import BRATS2017, MSD
from napari_brainseg.cases.reading import read_case
from napari_brainseg.plugin.layers import LayerIdentity, Role, labels_layer
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.recovery_keeper import DELAY_MS, RecoveryKeeper

SHAPE = (3, 20, 20)


def add_working(viewer, scheme=BRATS2017):
    data, attributes, _ = labels_layer(
        np.zeros(SHAPE, np.uint8), scheme, (1, 1, 1), LayerIdentity("case", Role.WORKING, "segmentation")
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
    keeper = RecoveryKeeper(bridge)
    yield keeper
    keeper.close()


def paint(bridge, value=1):
    bridge.layer.paint((1, 10, 10), value)


def test_a_stroke_is_due_within_five_seconds_and_later_ones_do_not_put_it_off(bridge, keeper):
    assert DELAY_MS <= 4000
    assert not keeper._timer.isActive()
    paint(bridge)
    assert keeper._timer.isActive()
    keeper._timer.start(500)
    paint(bridge, 2)
    assert keeper._timer.interval() == 500


def test_a_stroke_is_written_with_everything_that_opening_it_again_needs(bridge, keeper, qtbot, tmp_path):
    case = read_case(write_case(tmp_path, "case"))
    keeper.open_case = lambda: case
    paint(bridge)
    with qtbot.waitSignal(keeper.written):
        keeper._timer.start(0)
    (found,) = list_recoveries()
    np.testing.assert_array_equal(found.load(), bridge.layer.data)
    assert (found.note.case_id, found.note.name, found.note.scheme_id) == ("case", "segmentation", "brats2017")
    again = read_case(found.note.case_files, found.note.options)
    assert again.paths == case.paths
    assert again.label_paths == case.label_paths != ()
    assert (again.labels.path, again.labels.scheme) == (case.labels.path, case.labels.scheme)


def test_labels_that_are_unsaved_from_the_start_are_due_too(bridge, keeper):
    bridge.mark_unsaved()
    assert keeper._timer.isActive()


def test_nothing_is_written_while_nothing_is_unsaved(bridge, keeper):
    assert keeper.write() is None
    assert list_recoveries() == []


def test_saving_removes_the_file_even_when_it_is_being_written(bridge, keeper):
    paint(bridge)
    keeper.write()
    bridge.mark_saved()
    keeper.close()
    assert list_recoveries() == []


def test_a_deleted_layer_leaves_its_work_behind(viewer, bridge, keeper):
    paint(bridge)
    layer = bridge.layer
    viewer.layers.remove(layer)
    (found,) = list_recoveries()
    np.testing.assert_array_equal(found.load(), layer.data)
    bridge.attach(add_working(viewer), BRATS2017)
    bridge.mark_unsaved()
    bridge.mark_saved()
    keeper.close()
    assert len(list_recoveries()) == 1, "saving another layer does not delete it"


def test_closing_writes_what_is_unsaved(bridge, keeper):
    paint(bridge)
    keeper.close()
    assert len(list_recoveries()) == 1


def test_recovered_work_is_one_step_and_its_old_file_goes_when_there_is_a_new_one(viewer, bridge, keeper, qtbot):
    paint(bridge)
    viewer.layers.remove(bridge.layer)
    (old,) = list_recoveries()
    bridge.attach(add_working(viewer), BRATS2017)
    recovered = old.load()
    assert keeper.restore(old)
    np.testing.assert_array_equal(bridge.layer.data, recovered)
    qtbot.waitUntil(lambda: not old.path.exists())
    assert bridge.dirty
    assert bridge.history.next_undo.source == "recovered work"
    keeper.close()
    (new,) = list_recoveries()
    assert new.path != old.path


def test_recovered_labels_are_mapped_by_what_they_mean(viewer, bridge, keeper):
    paint(bridge, 2)  # oedema
    voxels = int(bridge.counts[2])
    viewer.layers.remove(bridge.layer)
    (old,) = list_recoveries()
    bridge.attach(add_working(viewer, MSD), MSD)
    keeper.restore(old)
    assert bridge.counts[1] == voxels, "oedema is 1 there"


def test_locked_classes_come_back_too(viewer, bridge, keeper, qtbot):
    paint(bridge, 1)
    viewer.layers.remove(bridge.layer)
    (old,) = list_recoveries()
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
        keeper.restore(list_recoveries()[0])


def test_a_place_that_cannot_be_written_is_said_and_loses_nothing(bridge, keeper, qtbot, tmp_path):
    (tmp_path / "file").write_text("x")
    keeper.set_folder(tmp_path / "file" / "recovery")
    paint(bridge)
    with qtbot.waitSignal(keeper.problem_changed):
        keeper.write()
    assert keeper.problem.startswith("Unsaved work is in memory only: ")
    assert bridge.dirty
    assert keeper._timer.isActive(), "it is tried again"
    with qtbot.waitSignal(keeper.written):
        keeper.set_folder(tmp_path / "elsewhere")
    assert keeper.problem == ""
    assert len(list_recoveries(tmp_path / "elsewhere")) == 1
