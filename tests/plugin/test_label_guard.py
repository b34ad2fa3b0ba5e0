import pytest
from napari.layers.labels._labels_key_bindings import (
    increase_label_id,
    new_label,
    swap_selected_and_background_labels,
)
from strokes import drag


@pytest.fixture
def viewer(clean_window):
    """The real window: encircling lives in its canvas, the spin box in its controls."""
    return clean_window


def test_no_key_and_no_spin_box_selects_a_label_outside_the_scheme(bridge, heard):
    layer = bridge.layer
    layer.selected_label = 2
    layer.data[0, 0, 0] = 3
    new_label(layer)  # M
    assert layer.selected_label == 2
    layer.selected_label = 3
    increase_label_id(layer)  # =
    assert layer.selected_label == 3
    layer.selected_label = 200
    assert layer.selected_label == 3
    assert heard.said[-1] == "BraTS 2017 has no class 200."


def test_swapping_with_the_background_still_works_after_a_refused_label(bridge):
    layer = bridge.layer
    layer.selected_label = 2
    layer.selected_label = 0
    layer.data[0, 0, 0] = 3
    new_label(layer)
    assert layer.selected_label == 0
    swap_selected_and_background_labels(layer)
    assert layer.selected_label == 2


def test_napari_s_own_spin_box_shows_the_label_that_is_selected(bridge):
    controls = bridge._viewer.window._qt_viewer.controls.widgets[bridge.layer]
    spin_box = controls._label_control.selection_spinbox
    bridge.layer.selected_label = 3
    spin_box.setValue(9)
    assert bridge.layer.selected_label == 3
    assert spin_box.value() == 3


def test_the_eyedropper_on_a_foreign_value_keeps_the_selected_label(bridge):
    layer = bridge.layer
    layer.data[2, 5, 5] = 9
    layer.mode = "pick"
    drag(layer, [(2, 5, 5)])
    assert layer.selected_label == 1
    drag(layer, [(2, 12, 12)])
    assert layer.selected_label == 2
