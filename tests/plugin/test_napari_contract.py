"""The few facts about napari that the editing bridge rests on; while one fails, the pin of napari stays."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils._test_utils import read_only_mouse_event
from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks, mouse_release_callbacks

from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.plugin.layers import LayerIdentity, Role, identity_of, labels_layer


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def layer(viewer):
    data, attributes, _ = labels_layer(
        np.zeros((5, 20, 20), np.uint8), BRATS2017, (2.0, 1.0, 1.0), LayerIdentity("case", Role.WORKING, "segmentation")
    )
    return viewer.add_labels(data, **attributes)


@pytest.fixture
def heard(layer):
    """The names of the layer's events in order, each with how many voxels were set when it came."""
    events = []
    for name in ("paint", "labels_update", "set_data", "data"):
        getattr(layer.events, name).connect(lambda _event, name=name: events.append((name, int(layer.data.sum()))))
    return events


def names(heard):
    return [name for name, _ in heard]


def drag(layer, points):
    def event(kind, point, dragging):
        return read_only_mouse_event(
            kind, is_dragging=dragging, button=1, position=point, dims_displayed=[1, 2], view_direction=None
        )

    mouse_press_callbacks(layer, event("mouse_press", points[0], False))
    for point in points[1:]:
        mouse_move_callbacks(layer, event("mouse_move", point, True))
    mouse_release_callbacks(layer, event("mouse_release", points[-1], False))


def test_a_painted_voxel_is_written_before_labels_update(layer, heard):
    layer.paint((2, 5, 5), 1)
    count = int(layer.data.sum())
    assert count > 0
    assert ("labels_update", count) in heard


@pytest.mark.parametrize("act", ["fill", "polygon"])
def test_outside_a_stroke_paint_comes_before_the_writing_and_labels_update_after(layer, heard, act):
    if act == "fill":
        layer.fill((2, 5, 5), 1)
    else:
        layer.paint_polygon([(2, 2, 2), (2, 2, 9), (2, 9, 9)], 1)
    assert heard[0] == ("paint", 0)
    assert heard[-1] == ("labels_update", int(layer.data.sum()))


def test_a_drag_updates_at_every_move_and_sends_paint_once_at_its_end(layer, heard):
    layer.mode = "paint"
    layer.brush_size = 2
    heard.clear()
    drag(layer, [(4, 3, 3), (4, 3, 8), (4, 3, 14)])
    assert names(heard) == ["labels_update", "labels_update", "labels_update", "paint"]


def test_napari_s_undo_and_redo_send_set_data_alone(layer, heard):
    layer.paint((2, 5, 5), 1)
    heard.clear()
    layer.undo()
    layer.redo()
    assert set(names(heard)) == {"set_data"}


def test_new_data_sends_data_and_keeps_a_stale_undo(layer, heard):
    layer.paint((2, 5, 5), 1)
    layer.data = np.full((5, 20, 20), 2, np.uint8)
    assert heard[-1] == ("data", 2 * 5 * 20 * 20)
    layer.undo()
    assert layer.data[2, 5, 5] == 0


def test_a_refresh_sends_set_data_only_while_the_layer_is_visible(layer, heard):
    layer.refresh()
    assert names(heard) == ["set_data"]
    layer.visible = False
    heard.clear()
    layer.refresh()
    assert heard == []
    layer.visible = True
    assert "set_data" in names(heard)


def test_the_slice_on_screen_is_a_view_of_the_data(layer):
    # So a voxel that is put back before the canvas is drawn is never seen changed.
    assert np.shares_memory(layer.data, layer._slice.image.raw)


def test_the_first_drag_callback_is_called_first(layer):
    layer.mode = "paint"
    seen = []
    layer.mouse_drag_callbacks.insert(0, lambda layer, event: seen.append(int(layer.data.sum())))
    drag(layer, [(4, 3, 3)])
    assert seen == [0]
    layer.mode = "erase"
    assert layer.mouse_drag_callbacks[0] is not None
    assert len(seen) == 1


def test_keys_leave_the_scheme(layer):
    from napari.layers.labels._labels_key_bindings import increase_label_id, new_label

    layer.data[0, 0, 0] = 3
    new_label(layer)
    assert layer.selected_label == 4
    increase_label_id(layer)
    assert layer.selected_label == 5


def test_a_duplicate_shares_the_values_of_metadata(viewer, layer):
    from napari.layers._layer_actions import _duplicate_layer

    viewer.layers.selection = {layer}
    _duplicate_layer(viewer.layers)
    copy = viewer.layers[-1]
    assert isinstance(copy, Labels)
    assert copy.metadata is not layer.metadata
    assert identity_of(copy) is identity_of(layer)
    assert not np.shares_memory(copy.data, layer.data)
