import gc

import numpy as np
import pytest
from napari.layers._layer_actions import _duplicate_layer
from strokes import assert_one_truth, drag

from napari_brainseg.annotation.edits import EditHistory
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge

SHAPE = (6, 30, 40)


# -- every way of changing the labels becomes an edit


def paint(layer):
    layer.paint((2, 5, 5), 1)


def fill(layer):
    layer.fill((2, 12, 12), 1)


def polygon(layer):
    layer.paint_polygon([(2, 2, 2), (2, 2, 9), (2, 9, 9)], 1)


def console(layer):
    layer.data[3, 1, 1] = 1
    layer.refresh()


def replaced_data(layer):
    layer.data = np.where(layer.data == 2, 1, layer.data).astype(np.uint8)


def data_setitem(layer):
    layer.data_setitem((np.array([1]), np.array([2]), np.array([3])), 1)


@pytest.mark.parametrize("act", [paint, fill, polygon, console, replaced_data, data_setitem])
def test_every_way_of_changing_the_labels_is_one_edit(bridge, heard, act):
    before = bridge.layer.data.copy()
    act(bridge.layer)
    assert len(heard.edited) == 1
    np.testing.assert_array_equal(
        np.sort(heard.edited[0].indices), np.flatnonzero(bridge.layer.data.reshape(-1) != before.reshape(-1))
    )
    assert_one_truth(bridge)


def test_napari_s_own_undo_and_redo_are_edits(bridge, heard):
    before = bridge.layer.data.copy()
    bridge.layer.paint((2, 5, 5), 1)
    painted = bridge.layer.data.copy()
    bridge.layer.undo()
    np.testing.assert_array_equal(bridge.labels, before)
    bridge.layer.redo()
    np.testing.assert_array_equal(bridge.labels, painted)
    assert len(heard.edited) == 3


def test_painting_without_refresh_is_found_when_napari_is_idle(bridge, heard, qtbot):
    bridge.layer.paint((2, 5, 5), 1, refresh=False)
    qtbot.waitUntil(lambda: len(heard.edited) == 1)
    assert_one_truth(bridge)


def test_a_change_that_nothing_tells_of_is_found_by_whoever_asks_for_the_labels(bridge, heard):
    bridge.layer.visible = False
    bridge.layer.data[4, 0, 0] = 3
    assert bridge.labels[4, 0, 0] == 3
    assert len(heard.edited) == 1


# -- data of another kind


@pytest.mark.parametrize("kind", [np.int64, np.int16, bool])
def test_data_of_another_type_are_taken_over_and_become_uint8(bridge, heard, qtbot, kind):
    bridge.layer.data = (np.arange(np.prod(SHAPE)).reshape(SHAPE) % 2).astype(kind)
    assert len(heard.edited) == 1
    qtbot.waitUntil(lambda: bridge.layer.data.dtype == np.uint8)
    assert len(heard.edited) == 1
    bridge.layer.paint((2, 5, 5), 3)
    assert len(heard.edited) == 2
    assert_one_truth(bridge)


def test_data_that_cannot_be_written_are_copied(bridge, qtbot):
    array = np.ones(SHAPE, np.uint8)
    array.flags.writeable = False
    bridge.layer.data = array
    qtbot.waitUntil(lambda: bridge.layer.data.flags.writeable)
    bridge.layer.paint((2, 5, 5), 3)
    assert_one_truth(bridge)


def test_data_that_cannot_be_written_do_not_break_a_lock(bridge, qtbot):
    was = bridge.layer.data.copy()
    bridge.set_locked({2})
    array = np.zeros_like(was)
    array[0, 0, 0] = 1
    array.flags.writeable = False
    bridge.layer.data = array
    qtbot.waitUntil(lambda: bridge.layer.data.flags.writeable)

    was[0, 0, 0] = 1
    np.testing.assert_array_equal(bridge.layer.data, was)
    np.testing.assert_array_equal(bridge.labels, was)


def test_data_of_another_shape_are_put_back_with_a_sentence(bridge, heard, qtbot):
    before = bridge.layer.data.copy()
    bridge.layer.data = np.zeros((3, 3, 3), np.uint8)
    qtbot.waitUntil(lambda: bridge.layer.data.shape == SHAPE)
    np.testing.assert_array_equal(bridge.layer.data, before)
    assert heard.edited == []
    assert "another shape" in heard.said[-1]


# -- undo and redo


def test_undo_and_redo_of_a_stroke_name_it_and_restore_every_voxel(bridge, heard):
    layer = bridge.layer
    before = layer.data.copy()
    layer.mode = "paint"
    drag(layer, [(2, 5, 5), (2, 12, 12)])
    painted = layer.data.copy()
    edit = bridge.undo()
    np.testing.assert_array_equal(layer.data, before)
    assert edit.source == "undo of brush"
    assert heard.said[-1] == "Undid: brush, slice 2."
    assert bridge._viewer.status == "Undid: brush, slice 2."
    bridge.redo()
    np.testing.assert_array_equal(layer.data, painted)
    assert heard.said[-1] == "Made again: brush, slice 2."
    assert [e.source for e in heard.edited] == ["brush", "undo of brush", "redo of brush"]
    assert_one_truth(bridge)


def test_undo_goes_to_the_slice_that_it_changes(bridge):
    viewer, layer = bridge._viewer, bridge.layer
    layer.paint((2, 5, 5), 1)
    viewer.dims.set_current_step(0, 5)
    bridge.undo()
    assert viewer.dims.current_step[0] == 2
    viewer.dims.order = (1, 0, 2)  # coronal: rows are the axis that is not displayed
    viewer.dims.set_current_step(1, 25)
    bridge.redo()
    assert layer.data[:, viewer.dims.current_step[1], :].any()
    assert viewer.dims.current_step[1] in range(11)


def test_undo_stays_on_a_slice_that_shows_some_of_it(bridge):
    new = bridge.layer.data.copy()
    new[1:5] = 1
    bridge.apply(new, "model run lgg 1.0")
    bridge._viewer.dims.set_current_step(0, 4)
    bridge.undo()
    assert bridge._viewer.dims.current_step[0] == 4


def test_a_model_run_is_one_step(bridge, heard):
    before = bridge.layer.data.copy()
    new = np.random.default_rng(0).integers(0, 4, SHAPE).astype(np.uint8)
    edit = bridge.apply(new, "model run brats 1.0")
    np.testing.assert_array_equal(bridge.layer.data, new)
    assert edit.voxels == np.count_nonzero(new != before)
    assert heard.edited == [edit]
    bridge.undo()
    np.testing.assert_array_equal(bridge.layer.data, before)
    assert heard.said[-1] == "Undid: model run brats 1.0, slices 0 to 5."


def test_changing_a_class_into_another_is_one_step(bridge):
    bridge.apply(np.where(bridge.labels == 2, 3, bridge.labels), "oedema to enhancing")
    assert bridge.counts[2] == 0
    assert bridge.history.next_undo.source == "oedema to enhancing"
    bridge.undo()
    assert bridge.counts[3] == 0


def test_applying_labels_that_do_not_fit_changes_nothing(bridge, heard):
    with pytest.raises(LabelError):
        bridge.apply(np.full(SHAPE, 9, np.uint8), "model run")
    with pytest.raises(LabelError):
        bridge.apply(np.zeros((1, 2, 3), np.uint8), "model run")
    assert heard.edited == []
    assert bridge.apply(bridge.labels.copy(), "model run") is None


def test_nothing_to_undo_is_said(bridge, heard):
    assert bridge.undo() is None
    assert bridge.redo() is None
    assert heard.said == ["Nothing to undo.", "Nothing to redo."]


def test_the_memory_of_the_history_is_bounded(bridge):
    bridge.history = EditHistory(limit_bytes=3000)
    for value in (1, 2, 3, 1, 2, 3):
        bridge.apply(np.full(SHAPE, value, np.uint8), "model run")
    assert len(bridge.history) == 1


# -- locks


@pytest.mark.parametrize("act", [paint, fill, polygon, console, replaced_data, data_setitem])
def test_a_locked_class_is_left_by_every_tool(bridge, act):
    layer = bridge.layer
    layer.data[2, 0:8, 0:8] = 3
    layer.data[3, 1, 1] = 3
    layer.data[1, 2, 3] = 3
    bridge.sync()
    before = layer.data.copy()
    bridge.set_locked({2, 3})
    act(layer)
    for value in (2, 3):
        np.testing.assert_array_equal(layer.data == value, before == value)
    assert_one_truth(bridge)


def test_a_locked_class_cannot_be_painted(bridge, heard):
    bridge.set_locked({1})
    before = bridge.layer.data.copy()
    bridge.layer.paint((2, 5, 5), 1)
    np.testing.assert_array_equal(bridge.layer.data, before)
    assert heard.edited == []
    assert "locked" in heard.said[-1]


def test_a_locked_class_survives_a_drag_over_it(bridge, heard):
    layer = bridge.layer
    bridge.set_locked({2})
    layer.mode = "paint"
    layer.brush_size = 4
    before = layer.data.copy()
    drag(layer, [(2, 5, 15), (2, 25, 15)])
    np.testing.assert_array_equal(layer.data == 2, before == 2)
    assert (layer.data == 1).any()
    assert len(heard.edited) == 1


def test_a_model_run_leaves_locked_classes(bridge):
    bridge.set_locked({2})
    before = bridge.layer.data == 2
    bridge.apply(np.full(SHAPE, 3, np.uint8), "model run")
    np.testing.assert_array_equal(bridge.layer.data == 2, before)
    assert bridge.counts[3] == np.prod(SHAPE) - before.sum()


def test_undo_does_not_break_a_lock_but_says_what_to_unlock(bridge, heard):
    bridge.layer.paint((2, 5, 5), 1)
    painted = bridge.layer.data.copy()
    bridge.set_locked({1})
    assert bridge.undo() is None
    np.testing.assert_array_equal(bridge.layer.data, painted)
    assert heard.said[-1] == "Unlock NCR to undo change."
    bridge.set_locked(())
    assert bridge.undo() is not None


# -- labels outside the scheme


def test_foreign_values_are_counted_apart_and_told_of(bridge, heard):
    bridge.layer.data[4, 3, 3:6] = 7
    bridge.layer.refresh()
    assert heard.foreign[-1].voxels == {7: 3}
    assert heard.foreign[-1].slice == 4
    assert bridge.foreign == {7: 3}
    row = bridge.volumes()[-1]
    assert (row.kind, row.voxels) == ("foreign", 3)
    colour = bridge.layer.colormap.map(7)
    assert tuple(colour) == (1.0, 0.0, 1.0, 1.0)


def test_foreign_values_of_a_newly_attached_layer_are_told_of(bridge, heard):
    other = bridge._viewer.add_labels(np.full(SHAPE, 5, np.uint8), scale=(3, 1, 1))
    bridge.attach(other, BRATS2017)
    assert heard.foreign[-1].voxels == {5: int(np.prod(SHAPE))}


# -- volumes, dirt, life


def test_unsaved_work_is_marked_until_the_same_labels_are_saved(bridge, heard):
    assert not bridge.dirty
    bridge.layer.paint((2, 5, 5), 1)
    assert heard.dirty == [True]
    revision = bridge.revision
    bridge.layer.paint((2, 25, 5), 1)
    bridge.mark_saved(revision)
    assert bridge.dirty, "what was saved is older"
    bridge.mark_saved(bridge.revision)
    assert heard.dirty == [True, False]


def test_a_renamed_layer_keeps_working(bridge, heard):
    bridge.layer.name = "my tumour"
    bridge.layer.paint((2, 5, 5), 1)
    assert len(heard.edited) == 1


def test_a_duplicated_layer_is_a_version_of_its_own(bridge, heard):
    viewer, layer = bridge._viewer, bridge.layer
    viewer.layers.selection = {layer}
    _duplicate_layer(viewer.layers)
    copy = next(other for other in viewer.layers if other is not layer)
    copy.paint((2, 5, 5), 1)
    assert heard.edited == []
    layer.paint((2, 9, 9), 1)
    assert len(heard.edited) == 1
    assert copy.data[2, 9, 9] == 0
    copy.selected_label = 9
    assert copy.selected_label == 9, "only the working layer is held to the scheme"


def test_a_deleted_layer_is_let_go_with_its_labels_still_readable(bridge, heard):
    layer = bridge.layer
    layer.paint((2, 5, 5), 1)
    kept, working = [], []
    bridge.leaving.connect(lambda: kept.append((bridge.labels.copy(), bridge.dirty)))
    bridge.working_changed.connect(working.append)
    bridge._viewer.layers.remove(layer)
    np.testing.assert_array_equal(kept[0][0], layer.data)
    assert kept[0][1]
    assert working == [None]
    assert bridge.layer is None
    assert bridge.labels is None
    assert bridge.undo() is None
    layer.data[0] = 1
    assert len(heard.edited) == 1


def test_detach_leaves_the_layer_as_it_was_found(viewer):
    layer = viewer.add_labels(np.zeros(SHAPE, np.uint8))
    names = ("labels_update", "set_data", "data", "paint", "mode", "selected_label")
    before = {name: len(getattr(layer.events, name).callbacks) for name in names}
    drags = len(layer.mouse_drag_callbacks)
    removed = len(viewer.layers.events.removed.callbacks)
    bridge = EditingBridge(viewer)
    bridge.attach(layer, BRATS2017)
    bridge.close()
    gc.collect()
    assert {name: len(getattr(layer.events, name).callbacks) for name in names} == before
    assert len(layer.mouse_drag_callbacks) == drags
    assert len(viewer.layers.events.removed.callbacks) == removed
    layer.selected_label = 77
    assert layer.selected_label == 77


def test_another_layer_starts_a_history_of_its_own(bridge, heard):
    first = bridge.layer
    first.paint((2, 5, 5), 1)
    other = bridge._viewer.add_labels(np.zeros(SHAPE, np.uint8), scale=(3, 1, 1))
    bridge.attach(other, BRATS2017)
    assert bridge.undo() is None
    assert not bridge.dirty
    first.paint((2, 9, 9), 1)
    assert len(heard.edited) == 1
    other.paint((2, 9, 9), 1)
    assert len(heard.edited) == 2
