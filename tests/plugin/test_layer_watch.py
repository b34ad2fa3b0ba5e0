import numpy as np
import pytest
from napari.utils._test_utils import read_only_mouse_event
from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks
from strokes import assert_one_truth, drag


@pytest.fixture
def viewer(clean_window):
    """The real window: encircling lives in its canvas, the spin box in its controls."""
    return clean_window


def test_a_stroke_is_one_edit_and_is_heard_at_every_move(bridge, heard):
    layer = bridge.layer
    before = layer.data.copy()
    layer.mode = "paint"
    layer.brush_size = 3
    layer.selected_label = 3
    drag(layer, [(2, 5, 5), (2, 5, 15), (2, 15, 15), (2, 15, 5)])
    assert len(heard.edited) == 1
    assert len(heard.changed) == 4
    (edit,) = heard.edited
    expected = np.flatnonzero(layer.data != before)
    np.testing.assert_array_equal(np.sort(edit.indices), expected)
    assert set(edit.after) == {3}
    assert edit.source == "brush"
    assert edit.slices == (2, 2)
    assert len(bridge.history) == 1
    assert_one_truth(bridge)


@pytest.mark.parametrize(("mode", "source"), [("erase", "eraser"), ("fill", "fill")], ids=["eraser", "fill"])
def test_a_click_with_another_tool_is_one_edit(bridge, heard, mode, source):
    bridge.layer.selected_label = 1
    bridge.layer.mode = mode
    drag(bridge.layer, [(2, 15, 15)])
    assert [e.source for e in heard.edited] == [source]
    assert_one_truth(bridge)


def test_scrolling_and_looking_are_no_edits(bridge, heard):
    for z in range(6):
        bridge._viewer.dims.set_current_step(0, z)
    bridge.layer.opacity = 0.3
    bridge.layer.contour = 1
    bridge.layer.mode = "pan_zoom"
    drag(bridge.layer, [(2, 5, 5), (2, 9, 9)])
    assert heard.edited == []
    assert not bridge.dirty


def test_encircle_and_fill_is_one_edit(bridge, heard):
    layer = bridge.layer
    layer.mode = "paint"
    layer.brush_size = 2

    def event(kind, voxel, button):
        return read_only_mouse_event(
            kind, button=button, position=tuple(layer.data_to_world(voxel)), dims_displayed=[1, 2]
        )

    drag(layer, [(2, 2, 22)], button=2)
    for y, x in [(2, 30), (2, 36), (10, 36), (18, 30), (18, 22), (10, 22), (4, 22)]:
        mouse_move_callbacks(layer, event("mouse_move", (2, y, x), None))
    mouse_move_callbacks(layer, event("mouse_move", (2, 2, 22), None))
    assert layer.data[2, 10, 30] == 1, "the inside is filled"
    assert len(heard.edited) == 1
    assert len(heard.changed) > 3
    bridge.undo()
    assert not (layer.data == 1).any()


def test_an_encircling_that_is_given_up_is_no_edit(bridge, heard):
    layer = bridge.layer
    layer.mode = "paint"
    drag(layer, [(2, 2, 22)], button=2)
    assert heard.changed
    layer.mode = "pan_zoom"
    assert heard.edited == []
    assert_one_truth(bridge)


def test_a_stroke_that_loses_its_layer_ends(bridge, heard):
    layer = bridge.layer
    layer.mode = "paint"
    mouse_press_callbacks(
        layer, read_only_mouse_event("mouse_press", button=1, position=(6.0, 5.0, 5.0), dims_displayed=[1, 2])
    )
    assert heard.edited == []
    bridge._viewer.layers.selection.active = None
    assert len(heard.edited) == 1


def test_undo_in_the_middle_of_a_stroke_ends_and_undoes_it(bridge):
    layer = bridge.layer
    before = layer.data.copy()
    layer.mode = "paint"
    mouse_press_callbacks(
        layer, read_only_mouse_event("mouse_press", button=1, position=(6.0, 5.0, 5.0), dims_displayed=[1, 2])
    )
    bridge.undo()
    np.testing.assert_array_equal(layer.data, before)


def test_volumes_follow_a_stroke_while_it_is_drawn(bridge):
    seen = []
    bridge.changed.connect(lambda _edit: seen.append({r.name: r.ml for r in bridge.volumes() if r.kind == "region"}))
    layer = bridge.layer
    layer.mode = "paint"
    layer.brush_size = 1
    layer.selected_label = 3
    drag(layer, [(2, 5, 5), (2, 5, 6), (2, 5, 7)])
    start = 100 * 3 / 1000
    assert [s["WT"] for s in seen] == pytest.approx([start + n * 3 / 1000 for n in (1, 2, 3)])
    assert [s["ET"] for s in seen] == pytest.approx([n * 3 / 1000 for n in (1, 2, 3)])
