import numpy as np
import pytest
from case_files import CASE_ID, TUMOUR_SLICE, write_case
from qtpy.QtGui import QKeySequence
from qtpy.QtTest import QTest

from napari_brainseg.plugin.layers import Role, identity_of
from napari_brainseg.plugin.widgets.canvas import canvas_widget
from napari_brainseg.plugin.widgets.split_layers import SplitBy
from napari_brainseg.plugin.widgets.working_labels import StartFrom


@pytest.fixture
def case_folder(tmp_path):
    """All four channels."""
    return write_case(tmp_path / "data")


def _names(viewer):
    return [layer.name for layer in viewer.layers]


@pytest.fixture
def working(opened):
    """The workbench with labels to work on."""
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    return opened


def _press(workbench, *keys):
    for key in keys:
        combination = QKeySequence(key)[0]
        QTest.keyClick(canvas_widget(workbench.viewer), combination.key(), combination.keyboardModifiers())


@pytest.mark.parametrize("by", [SplitBy.CLASS, SplitBy.REGION])
def test_the_keys_of_the_labels_count_in_every_part_of_a_split(working, by):
    viewer, whole, split = working.viewer, working.bridge.layer, working.correct_panel.split
    _press(working, "2")
    split.split(by)
    parts = split.layers
    assert split.value_of(viewer.layers.selection.active) == 2, "the part of the class in the hand"

    for value in (1, 2, 3):
        _press(working, str(value))
        active = viewer.layers.selection.active
        assert active in parts
        assert split.value_of(active) == value
        assert (active.mode, active.selected_label) == ("paint", 1)
    _press(working, "0")
    assert (viewer.layers.selection.active.mode, viewer.layers.selection.active.selected_label) == ("paint", 0)
    _press(working, "3", "G")
    assert viewer.layers.selection.active.mode == "polygon"

    split.join()
    assert viewer.layers.selection.active is whole
    assert (whole.mode, whole.selected_label) == ("polygon", 3), "tool and class stay in the hand"
    assert not any("1" in {str(key) for key in part.keymap} for part in parts)
    _press(working, "1")
    assert (whole.mode, whole.selected_label) == ("polygon", 1)


def test_closing_while_split_leaves_no_key_bound(working):
    whole = working.bridge.layer
    working.correct_panel.split.split(SplitBy.CLASS)
    working.close_down()
    assert not whole.keymap


def test_opening_shows_flair_over_the_tumour(opened):
    viewer = opened.viewer

    assert _names(viewer) == ["t2", "t1ce", "t1", "flair", "reference"]
    assert [layer.name for layer in viewer.layers if layer.visible] == ["flair", "reference"]
    assert not any(layer.editable for layer in viewer.layers)
    assert opened.case.id == CASE_ID
    assert round(viewer.dims.point[0] / opened.case.geometry.spacing[0]) == TUMOUR_SLICE
    assert {str(unit) for layer in viewer.layers for unit in layer.units} == {"millimeter"}
    assert opened.folds["Case"].summary.full_text == CASE_ID
    assert not opened.case_panel.details.isHidden()


def test_another_case_takes_the_place_of_the_first(opened, tmp_path, qtbot):
    other = write_case(tmp_path / "more", "Brats18_Test_2_1", labels=False)
    stranger = opened.viewer.add_points(np.zeros((1, 3)))

    opened.open_paths([other])
    qtbot.waitUntil(lambda: opened.case.id == "Brats18_Test_2_1", timeout=20_000)

    assert {identity_of(layer).case_id for layer in opened.layers.ours()} == {"Brats18_Test_2_1"}
    assert stranger in opened.viewer.layers
    assert not opened.layers.ours(Role.REFERENCE)


def test_a_folder_of_cases_is_listed_and_the_next_is_one_step_away(workbench, tmp_path, qtbot):
    for number in (1, 2, 10):
        write_case(tmp_path / "data", f"Brats18_Test_{number}_1", labels=False)
    workbench.open_paths([tmp_path / "data"])
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)

    box = workbench.case_panel.case_box
    assert [box.itemText(n) for n in range(3)] == [
        f"{n + 1} of 3 · Brats18_Test_{m}_1" for n, m in enumerate((1, 2, 10))
    ]
    assert workbench.case.id == "Brats18_Test_1_1"

    qtbot.waitUntil(lambda: len(workbench.worklist.cases.lines) == 3)
    workbench.worklist.cases.step(1)
    qtbot.waitUntil(lambda: workbench.case.id == "Brats18_Test_2_1", timeout=20_000)
    assert box.currentIndex() == 1


def test_starting_from_the_labels_makes_a_working_copy(opened):
    option = opened.segment_panel.start_box.itemData(0)
    opened.segment_control.start_from(option)

    layer = opened.bridge.layer
    assert layer.name == "segmentation"
    assert layer.editable
    np.testing.assert_array_equal(layer.data, opened.case.labels.volume.data)
    layer.data[0, 0, 0] = 1
    assert opened.case.labels.volume.data[0, 0, 0] == 0
    assert [layer.visible for layer in opened.layers.ours(Role.REFERENCE)] == [False]


def test_closing_leaves_no_connection_behind(make_napari_viewer, own_home):
    from napari_brainseg.plugin.widgets.workbench import Workbench

    viewer = make_napari_viewer()
    inserted = len(viewer.layers.events.inserted.callbacks)
    removed = len(viewer.layers.events.removed.callbacks)
    workbench = Workbench(viewer)
    dock = viewer.window.add_dock_widget(workbench, name="Brain segmentation", area="right")
    viewer.window.remove_dock_widget(dock)

    assert len(viewer.layers.events.inserted.callbacks) == inserted
    assert len(viewer.layers.events.removed.callbacks) == removed
    workbench.close_down()


@pytest.mark.parametrize("with_project", [True, False])
def test_work_goes_on_where_the_open_case_is_read_again(opened, case_folder, tmp_path, with_project, qtbot):
    if not with_project:
        (tmp_path / "no folder").write_text("x")
        opened.project_control.open(tmp_path / "no folder")
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    working, first = opened.bridge.layer, opened.case
    working.paint((2, 10, 10), 1)
    painted = working.data.copy()

    opened.open_paths([case_folder])
    qtbot.waitUntil(lambda: opened.case is not first, timeout=20_000)
    qtbot.wait(300)

    assert opened.layers.ours(Role.WORKING) == [working]
    assert opened.bridge.layer is working
    assert working.visible
    np.testing.assert_array_equal(opened.bridge.labels, painted)
    assert opened.bridge.dirty is not with_project, "what could not be saved is still asked about"


def test_going_back_to_an_earlier_layer_shows_it(opened):
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    first = opened.bridge.layer
    opened.working.start_from(StartFrom("empty"), in_place=False)
    second = opened.bridge.layer
    assert (first.visible, second.visible) == (False, True)

    opened.segment_control.start_from(StartFrom("layer", first))
    assert opened.bridge.layer is first
    assert (first.visible, second.visible) == (True, False)


def test_a_confirmed_slice_is_shown_as_such_when_its_case_opens(working, case_folder, tmp_path, qtbot):
    working.confirmations.confirm_slice()
    button, here = working.correct_panel.confirm_row.unconfirm_button, working.strip.state.here
    assert here is not None
    assert not button.isHidden()
    other = write_case(tmp_path / "more", "Brats18_Test_2_1", labels=False)
    working.open_paths([other])
    qtbot.waitUntil(lambda: working.case.id == "Brats18_Test_2_1", timeout=20_000)
    assert button.isHidden()

    working.open_paths([case_folder])
    qtbot.waitUntil(lambda: working.case.id == CASE_ID, timeout=20_000)
    qtbot.waitUntil(lambda: working.bridge.layer is not None and bool(working.confirmations.slices), timeout=20_000)
    assert working.strip.state.here == here
    assert not button.isHidden()
