import gc

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication
from strokes import drag

from napari_brainseg.cases.case import Case, Labels, Naming
from napari_brainseg.cases.labels import BRATS2017, LGG
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.plugin.layers import FOREIGN_COLOUR, LayerIdentity, Role, labels_layer
from napari_brainseg.plugin.widgets.correct_panel import CorrectPanel
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.split_layers import SplitBy

SHAPE = (5, 30, 30)
SPACING = (2.0, 1.0, 1.0)


def start_labels():
    labels = np.zeros(SHAPE, np.uint8)
    labels[2, 5:25, 5:25] = 2
    labels[2, 10:20, 10:20] = 3
    return labels


@pytest.fixture
def panel(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    bridge = EditingBridge(viewer)
    panel = CorrectPanel(viewer, bridge)
    panel.bridge = bridge
    panel.viewer = viewer
    viewer.window.add_dock_widget(panel, area="right")
    yield panel
    panel.close_down()
    bridge.close()


@pytest.fixture
def working(panel):
    return add_working(panel, BRATS2017, start_labels(), SPACING)


def add_working(panel, scheme, labels, spacing):
    data, attributes, _ = labels_layer(
        labels, scheme, spacing, LayerIdentity("case", Role.WORKING, "segmentation", scheme_id=scheme.id)
    )
    layer = panel.viewer.add_labels(data, **attributes)
    panel.bridge.attach(layer, scheme, spacing)
    panel.viewer.dims.set_current_step(0, 2)
    return layer


def case_with(labels, scheme):
    geometry = Geometry(SHAPE, SPACING)
    reference = Labels(Volume(labels, geometry), scheme)
    return Case("case", {}, (), geometry, reference, scheme, Naming.PLAIN)


def volumes(panel):
    table = {**panel.palette_rows.volume_labels, **{f"{k} region": v for k, v in panel.volumes.volume_labels.items()}}
    return {name: label.text() for name, label in table.items()}


def test_without_a_working_layer_it_says_what_to_do_next(panel, qtbot):
    assert not panel.next_step.isHidden()
    assert panel.content.isHidden()
    assert panel.headline == ""
    layer = add_working(panel, BRATS2017, start_labels(), SPACING)
    assert panel.next_step.isHidden()
    assert not panel.content.isHidden()
    assert panel.headline == "working on: segmentation"
    panel.viewer.layers.remove(layer)
    assert panel.content.isHidden()


def test_headline_follows_the_name_and_unsaved_work_is_marked(panel, working):
    heard = []
    panel.headline_changed.connect(heard.append)
    working.name = "my tumour"
    assert heard[-1] == "working on: my tumour"
    working.paint((2, 2, 2), 1)
    assert panel.working_line.text() == "Working on: my tumour (unsaved)"
    panel.bridge.mark_saved()
    assert panel.working_line.text() == "Working on: my tumour"


def test_each_class_has_a_row_that_says_its_value_on_disk_where_it_differs(panel, working):
    rows = panel.palette_rows
    assert [b.text() for b in rows.select_buttons.values()] == ["1  NCR", "2  ED", "3  ET", "0  eraser"]
    assert set(rows.eye_buttons) == set(rows.lock_buttons) == {1, 2, 3}
    texts = {rows._grid.itemAtPosition(2 * row, 2).widget().full_text for row in range(3)}
    assert texts == {"necrotic and non-enhancing core", "oedema", "4 on disk"}


def test_clicking_a_class_takes_the_brush_with_it(panel, working):
    panel.viewer.layers.selection.active = None
    panel.palette_rows.select_buttons[3].click()
    assert (working.selected_label, str(working.mode)) == (3, "paint")
    assert panel.viewer.layers.selection.active is working
    panel.palette_rows.select_buttons[0].click()
    assert working.selected_label == 0
    working.mode = "fill"
    panel.palette_rows.select_buttons[2].click()
    assert (working.selected_label, str(working.mode)) == (2, "fill")


def test_the_class_in_the_brush_is_marked_whoever_chose_it(panel, working):
    def marked():
        return [v for v, b in panel.palette_rows.select_buttons.items() if b.isChecked()]

    working.selected_label = 2
    assert marked() == [2]
    working.mode = "erase"
    assert marked() == [0]
    working.mode = "paint"
    assert marked() == [2]


def test_selecting_a_class_that_the_scheme_does_not_have_does_nothing(panel, working):
    panel.select_class(4)
    assert working.selected_label == 1


def test_hiding_a_class_makes_it_transparent_and_leaves_the_data(panel, working):
    before = working.data.copy()
    colour = tuple(working.colormap.map(2))
    panel.palette_rows.eye_buttons[2].click()
    assert tuple(working.colormap.map(2)) == (*colour[:3], 0.0)
    assert working.colormap.map(3)[3] == 1
    assert tuple(working.colormap.map(200)) == FOREIGN_COLOUR
    np.testing.assert_array_equal(working.data, before)
    assert not panel.bridge.dirty
    panel.palette_rows.eye_buttons[2].click()
    assert tuple(working.colormap.map(2)) == colour


def test_a_hidden_class_is_not_on_screen(panel, working):
    panel.viewer.window._qt_window.show()
    panel.viewer.reset_view()

    def pixels():
        image = panel.viewer.screenshot(size=(300, 300), canvas_only=True, flash=False).astype(int)
        return np.count_nonzero((image[..., 1] > image[..., 0] + 30) & (image[..., 1] > image[..., 2] + 20))

    green = pixels()
    assert green > 100
    panel.palette_rows.eye_buttons[2].click()
    assert pixels() < green / 10


def test_what_is_painted_is_shown_though_its_class_was_hidden(panel, working):
    panel.palette_rows.eye_buttons[1].click()
    panel.palette_rows.eye_buttons[3].click()
    assert panel.palette_rows.hidden == {1, 3}
    panel.select_class(1)
    assert panel.palette_rows.hidden == {3}, "chosen to paint with"

    panel.palette_rows.eye_buttons[1].click()
    working.brush_size = 1
    drag(working, [(2, 1, 1), (2, 1, 2)])
    assert working.data[2, 1, 1] == 1
    assert panel.palette_rows.hidden == {3}, "painted with"


def test_what_was_refused_stays_to_be_read_in_the_panel(panel, working):
    assert panel.said_line.isHidden()
    panel.palette_rows.lock_buttons[2].click()
    panel.select_class(1)
    working.brush_size = 1
    drag(working, [(2, 6, 6), (2, 6, 7)])
    panel.viewer.update_status_from_cursor()
    assert working.data[2, 6, 6] == 2
    assert "of locked classes" in panel.said_line.text()
    assert not panel.said_line.isHidden()

    panel.select_class(4)
    assert panel.said_line.text() == "BraTS 2017 has no class 4."


def test_other_colours_keep_their_hidden_classes_and_reach_the_rows(panel, working):
    panel.palette_rows.eye_buttons[1].click()
    working.colormap = {0: (0, 0, 0, 0), 1: (0, 0, 1, 1), 2: (0, 1, 1, 1), 3: (1, 1, 0, 1), None: FOREIGN_COLOUR}
    assert panel.palette_rows.hidden == frozenset()
    panel.palette_rows.eye_buttons[1].click()
    assert tuple(working.colormap.map(1)) == (0, 0, 1, 0)


def test_locking_in_the_panel_holds_on_the_canvas(panel, working):
    panel.palette_rows.lock_buttons[3].click()
    working.selected_label = 1
    working.mode = "paint"
    before = working.data.copy()
    drag(working, [(2, 15, 2), (2, 15, 28)])
    np.testing.assert_array_equal(working.data == 3, before == 3)
    assert (working.data == 1).any()
    panel.palette_rows.lock_buttons[3].click()
    assert panel.bridge.locked == frozenset()


def test_volumes_are_live_while_a_stroke_is_drawn(panel, working):
    assert volumes(panel)["ED"] == "0.6 mL"
    assert volumes(panel)["WT region"] == "0.8 mL"
    seen = []
    panel.bridge.changed.connect(lambda _edit: seen.append(volumes(panel)["NCR"]))
    working.brush_size = 9
    working.mode = "paint"
    drag(working, [(2, 15, 6), (2, 15, 15), (2, 15, 24)])
    assert seen == sorted(seen)
    assert len(set(seen)) > 1
    count = int((working.data == 1).sum())
    assert volumes(panel)["NCR"] == f"{count * 2 / 1000:.1f} mL"


def test_without_spacing_volumes_are_voxels_until_it_is_known(panel):
    layer = add_working(panel, LGG, (start_labels() > 0).astype(np.uint8), None)
    assert volumes(panel) == {"FLAIR abnormality": "400 voxels", "WT region": "400 voxels"}
    assert panel.tools.brush_text.text() == "11 voxels"
    layer.paint((2, 1, 1), 1)
    panel.bridge.set_spacing((1.0, 2.0, 2.0))
    assert volumes(panel)["FLAIR abnormality"].endswith(" mL")
    assert panel.bridge.history.next_undo is not None, "entering the spacing forgets nothing"


def test_dice_against_the_reference_follows_the_strokes(panel, working):
    reference = start_labels()
    panel.show_case(case_with(reference, BRATS2017))
    assert {k: v.text() for k, v in panel.volumes.dice_labels.items()} == {"WT": "1.000", "TC": "1.000", "ET": "1.000"}
    working.fill((2, 15, 15), 2)
    assert panel.volumes.dice_labels["WT"].text() == "1.000"
    assert panel.volumes.dice_labels["ET"].text() == "0.000"
    panel.undo_button.click()
    assert panel.volumes.dice_labels["ET"].text() == "1.000"
    panel.show_case(None)
    assert panel.volumes.dice_labels["ET"].isHidden()


def test_undo_and_redo_buttons_name_what_they_do(panel, working):
    assert not panel.undo_button.isEnabled()
    before = working.data.copy()
    working.mode = "paint"
    drag(working, [(2, 2, 2)])
    assert panel.undo_button.full_text == "Undo brush"
    panel.undo_button.click()
    np.testing.assert_array_equal(working.data, before)
    assert (panel.undo_button.full_text, panel.redo_button.full_text) == ("Undo", "Redo brush")
    panel.redo_button.click()
    assert (working.data != before).any()
    panel.bridge.apply(np.zeros(SHAPE, np.uint8), "model run with a very long name")
    assert panel.undo_button.full_text == "Undo model run with a very long name"
    assert "model run with a very long name in slice 2" in panel.undo_button.toolTip()


def test_values_of_no_class_are_warned_of_until_they_are_gone(panel, working):
    assert panel.volumes.foreign_line.isHidden()
    working.data[4, 3, 3:6] = 9
    working.refresh()
    assert (
        panel.volumes.foreign_line.text() == "3 voxels have values that BraTS 2017 does not. Paint over it to export."
    )
    panel.volumes.go_to_foreign_requested.emit()
    assert panel.viewer.dims.current_step[0] == 4
    panel.undo_button.click()
    assert panel.volumes.foreign_line.isHidden()


def test_tools_and_napari_s_own_controls_are_in_step(panel, working):
    tools = panel.tools
    tools.tool_buttons["polygon"].click()
    assert str(working.mode) == "polygon"
    working.mode = "erase"
    assert [m for m, b in tools.tool_buttons.items() if b.isChecked()] == ["erase"]
    tools.brush_slider.setValue(21)
    assert working.brush_size == 21
    assert tools.brush_text.text() == "21.0 mm"
    working.brush_size = 9
    assert tools.brush_slider.value() == 9
    working.n_edit_dimensions = 3
    assert tools.brush_text.text() == "3-D, 9.0 mm, 5 slices"
    tools.opacity_slider.setValue(70)
    assert working.opacity == pytest.approx(0.7)
    tools.outline_box.click()
    assert working.contour == 1
    working.contour = 0
    assert not tools.outline_box.isChecked()


def test_the_brush_paints_as_many_voxels_as_the_text_says(panel):
    layer = add_working(panel, BRATS2017, np.zeros(SHAPE, np.uint8), SPACING)
    layer.brush_size = 8
    layer.paint((2, 15, 15), 1)
    assert panel.tools.brush_text.text() == f"{int(layer.data[2, 15].sum())}.0 mm"
    layer.n_edit_dimensions = 3
    layer.data[...] = 0
    layer.brush_size = 5
    layer.paint((2, 15, 15), 1)
    depth = int(layer.data[:, 15, 15].sum())
    assert panel.tools.brush_text.text() == f"3-D, 5.0 mm, {depth} slices"


def test_split_and_join_from_the_panel(panel, working):
    working.mode = "paint"
    panel.split_region_button.click()
    assert panel.split.by is SplitBy.REGION
    assert {str(part.mode) for part in panel.split.layers} == {"paint"}, "the brush stays in the hand"
    assert panel.split_region_button.isHidden()
    part = panel.split.layers[1]
    panel.viewer.layers.selection.active = part
    panel.tools.tool_buttons["paint"].click()
    assert str(part.mode) == "paint"
    assert [v for v, b in panel.palette_rows.select_buttons.items() if b.isChecked()] == [1]
    drag(part, [(2, 2, 2)])
    assert panel.undo_button.full_text == "Undo brush in TC"
    panel.palette_rows.select_buttons[3].click()
    assert panel.viewer.layers.selection.active is panel.split.layers[2]
    panel.palette_rows.select_buttons[0].click()
    assert panel.split.layers[2].selected_label == 0
    panel.join_button.click()
    assert panel.split.by is None
    assert panel.viewer.layers.selection.active is working
    assert str(working.mode) == "paint"
    assert not panel.split_region_button.isHidden()


def test_a_scheme_of_one_class_offers_no_split(panel):
    add_working(panel, LGG, (start_labels() > 0).astype(np.uint8), None)
    assert panel.split_class_button.isHidden()
    assert panel.join_button.isHidden()


def test_no_control_takes_the_keyboard_from_the_canvas(panel, working):
    for widget in (panel.undo_button, panel.confirm_row.confirm_button, *panel.palette_rows.select_buttons.values()):
        assert widget.focusPolicy() == Qt.FocusPolicy.NoFocus


def test_a_problem_with_the_journal_is_shown_and_goes(panel, working):
    panel.show_problem("Unsaved work is in memory only.")
    assert not panel.problem_line.isHidden()
    panel.show_problem("")
    assert panel.problem_line.isHidden()


def test_a_stroke_of_the_real_mouse_on_the_real_canvas_is_one_edit(panel, working, qtbot):
    viewer, edits = panel.viewer, []
    panel.bridge.edited.connect(edits.append)
    viewer.window._qt_window.show()
    viewer.window._qt_window.resize(1000, 700)
    qtbot.waitExposed(viewer.window._qt_window)
    panel.select_class(1)
    viewer.reset_view()
    QApplication.processEvents()
    native = viewer.window._qt_viewer.canvas.native
    middle = QPoint(native.width() // 2, native.height() // 2)

    def send(kind, offset, button, buttons):
        point = QPointF(middle + QPoint(offset, 0))
        globally = QPointF(native.mapToGlobal(point.toPoint()))
        QApplication.sendEvent(native, QMouseEvent(kind, point, globally, button, buttons, Qt.NoModifier))

    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    send(QMouseEvent.Type.MouseMove, -60, none, none)
    send(QMouseEvent.Type.MouseButtonPress, -60, left, left)
    for offset in range(-40, 61, 20):
        send(QMouseEvent.Type.MouseMove, offset, none, left)
    send(QMouseEvent.Type.MouseButtonRelease, 60, left, none)
    assert len(edits) == 1
    assert edits[0].source == "brush"
    assert set(edits[0].after) == {1}
    assert edits[0].slices == (2, 2)


def test_closing_leaves_nothing_connected(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    layer = viewer.add_labels(np.zeros(SHAPE, np.uint8))
    emitters = [getattr(layer.events, n) for n in ("name", "mode", "colormap", "brush_size", "opacity", "contour")]
    emitters += [viewer.layers.selection.events.active, viewer.layers.events.removed, viewer.dims.events.order]
    before = [len(e.callbacks) for e in emitters]
    bridge = EditingBridge(viewer)
    panel = CorrectPanel(viewer, bridge)
    qtbot.addWidget(panel)
    bridge.attach(layer, BRATS2017, SPACING)
    panel.close_down()
    bridge.close()
    gc.collect()
    assert [len(e.callbacks) for e in emitters] == before
