"""Every key of `KEYS`, pressed for real with each type of layer active, and everything that must not get a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_brainseg.plugin.layers import METADATA_KEY, LayerIdentity, Role
from napari_brainseg.plugin.widgets.canvas import canvas_widget, main_window
from napari_brainseg.plugin.widgets.keys import HELP, KEYS, Key, ShortcutActions, Where
from napari_brainseg.plugin.widgets.shortcuts import Shortcuts
from napari_brainseg.plugin.widgets.shortcuts_dialog import ShortcutsDialog

SHAPE = (6, 20, 20)
Calls = list[tuple[Any, ...]]


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.zeros(SHAPE, np.float32), name="image")
    identity = LayerIdentity("case", Role.WORKING, "segmentation")
    viewer.add_labels(np.zeros(SHAPE, np.uint8), name="working", metadata={METADATA_KEY: identity})
    viewer.add_labels(np.zeros(SHAPE, np.uint8), name="foreign")
    viewer.add_points(np.zeros((1, 3)), name="points")
    viewer.add_shapes(np.array([[0, 1, 1], [0, 9, 9]]), shape_type="line", name="shapes")
    window = main_window(viewer)
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    canvas_widget(viewer).setFocus()
    return viewer


@pytest.fixture
def calls() -> Calls:
    return []


@pytest.fixture
def shortcuts(viewer: Any, calls: Calls) -> Iterator[Shortcuts]:
    def recorder(name: str) -> Callable[..., None]:
        return lambda *arguments: calls.append((name, *arguments))

    actions = ShortcutActions(**{field.name: recorder(field.name) for field in fields(ShortcutActions)})
    shortcuts = Shortcuts(viewer, main_window(viewer), actions)
    shortcuts.set_working_layer(viewer.layers["working"])
    yield shortcuts
    shortcuts.close()


def _press(widget: QWidget, key: str) -> None:
    combination = QKeySequence(key)[0]
    QTest.keyClick(widget, combination.key(), combination.keyboardModifiers())
    QApplication.processEvents()


def _expected(key: Key) -> Calls:
    if key.held:
        return [(key.action, True), (key.action, False)]
    return [(key.action,) if key.number is None else (key.action, key.number)]


def test_every_key_with_each_type_of_layer_active(viewer: Any, shortcuts: Shortcuts, calls: Calls) -> None:
    for active in ("image", "working", "foreign", "points", "shapes", None):
        viewer.layers.selection.active = None if active is None else viewer.layers[active]
        for key in KEYS:
            calls.clear()
            _press(canvas_widget(viewer), key.key)
            counts = key.where is Where.WINDOW or active == "working"
            assert calls == (_expected(key) if counts else []), f"{key.key} with {active}"
    assert not viewer.layers["working"].data.any()
    assert viewer.layers["working"].mode == "pan_zoom", "a key fell through to napari"


def test_the_table_names_every_action_and_no_key_twice() -> None:
    assert {key.action for key in KEYS} == {field.name for field in fields(ShortcutActions)}
    assert len({key.key for key in KEYS}) == len(KEYS)
    assert not {"T", "Esc"} & {key.key for key in KEYS}, "these do nothing yet"


def test_keys_typed_into_a_field_stay_there(viewer: Any, shortcuts: Shortcuts, calls: Calls) -> None:
    line, text, number, choice = QLineEdit(), QPlainTextEdit(), QSpinBox(), QComboBox()
    choice.addItems(["a", "k", "h"])
    for field in (line, text, number, choice):
        viewer.window.add_dock_widget(field)
        field.setFocus()
        assert QApplication.focusWidget() is field
        for key in KEYS:
            _press(field, key.key)
        assert calls == [], type(field)
        canvas_widget(viewer).setFocus()
        _press(canvas_widget(viewer), "K")
        assert calls == [("confirm",)], "the keys are back when the field has lost the focus"
        calls.clear()
    line.setFocus()
    line.clear()
    QTest.keyClicks(line, "khuwqK")
    assert line.text() == "khuwqK"
    number.setFocus()
    number.setRange(0, 100)
    number.setValue(50)
    _press(number, "PgDown")
    assert number.value() == 40


def test_a_key_pressed_on_a_button_gives_the_canvas_the_focus(viewer: Any, shortcuts: Shortcuts, calls: Calls) -> None:
    button = QPushButton("Segment")
    viewer.window.add_dock_widget(button)
    button.setFocus()
    _press(button, "U")
    assert calls == [("toggle_outline",)]
    assert QApplication.focusWidget() is canvas_widget(viewer)


def test_naparis_own_keys_stay_on_the_working_layer(viewer: Any, shortcuts: Shortcuts, calls: Calls) -> None:
    layer = viewer.layers["working"]
    viewer.layers.selection.active = layer
    canvas = canvas_widget(viewer)
    for key, mode in (("P", "paint"), ("E", "erase"), ("F", "fill"), ("L", "pick"), ("Z", "pan_zoom")):
        _press(canvas, key)
        assert layer.mode == mode
    _press(canvas, "]")
    assert layer.brush_size == 11
    assert calls == []


def test_a_layer_that_stops_being_the_working_one_gets_its_keys_back(
    viewer: Any, shortcuts: Shortcuts, calls: Calls
) -> None:
    layer, other = viewer.layers["working"], viewer.layers["foreign"]
    own: list[str] = []

    def mine(layer: Any) -> None:
        own.append("mine")

    shortcuts.set_working_layer(None)
    layer.bind_key("1", mine)
    before = dict(layer.keymap)
    shortcuts.set_working_layer(layer)
    assert shortcuts.working_layer is layer
    shortcuts.set_working_layer(other)
    assert dict(layer.keymap) == before
    viewer.layers.selection.active = layer
    _press(canvas_widget(viewer), "1")
    assert own == ["mine"]
    assert calls == []
    _press(canvas_widget(viewer), "3")
    assert layer.mode == "polygon", "napari's own 3"
    viewer.layers.selection.active = other
    _press(canvas_widget(viewer), "1")
    assert calls == [("select_class", 1)]


def test_the_status_line_names_our_keys_on_our_layer_alone(viewer: Any, shortcuts: Shortcuts) -> None:
    layer = viewer.layers["working"]
    shortcuts.set_working_layer(None)
    viewer.layers.selection.active = layer
    shortcuts.set_working_layer(layer)
    assert viewer.help == HELP
    for mode in ("paint", "erase", "polygon", "pan_zoom"):
        layer.mode = mode
        viewer.update_status_from_cursor()
        assert viewer.help == layer.help == HELP
    viewer.layers.selection.active = viewer.layers["foreign"]
    assert "use <1>" in viewer.help
    shortcuts.set_working_layer(None)
    layer.mode = "paint"
    assert "use <" in layer.help


def test_closing_lets_go_of_every_key(viewer: Any, shortcuts: Shortcuts, calls: Calls) -> None:
    layer = viewer.layers["working"]
    viewer.layers.selection.active = layer
    shortcuts.close()
    assert not layer.keymap
    for key in KEYS:
        if key.key != "Ctrl+Z":
            _press(canvas_widget(viewer), key.key)
    assert calls == []


def test_a_held_key_is_pressed_once_and_let_go_once(viewer: Any, shortcuts: Shortcuts, calls: Calls) -> None:
    canvas = canvas_widget(viewer)
    QTest.keyPress(canvas, Qt.Key.Key_H)
    assert calls == [("hold_overlay", True)]
    QTest.keyRelease(canvas, Qt.Key.Key_U)
    assert calls == [("hold_overlay", True)]
    QTest.keyRelease(canvas, Qt.Key.Key_H)
    assert calls == [("hold_overlay", True), ("hold_overlay", False)]
    QTest.keyRelease(canvas, Qt.Key.Key_H)
    assert len(calls) == 2


def test_a_held_key_is_let_go_when_the_window_loses_the_keyboard(
    viewer: Any, shortcuts: Shortcuts, calls: Calls
) -> None:
    QTest.keyPress(canvas_widget(viewer), Qt.Key.Key_W)
    QApplication.sendEvent(main_window(viewer), QEvent(QEvent.Type.WindowDeactivate))
    assert calls == [("hold_window_level", True), ("hold_window_level", False)]


def test_escape_only_ends_a_polygon(viewer: Any, shortcuts: Shortcuts, calls: Calls) -> None:
    layer = viewer.layers["working"]
    viewer.layers.selection.active = layer
    layer.mode = "polygon"
    canvas = canvas_widget(viewer)
    for offset in (0, 40, 80):
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center() + type(canvas.pos())(offset, 0))
    _press(canvas, "Esc")
    _press(canvas, "Return")
    assert not layer.data.any()
    assert layer.mode == "polygon"
    assert calls == []


def test_the_dialog_lists_the_whole_table_and_asks_nothing(viewer: Any) -> None:
    dialog = ShortcutsDialog(main_window(viewer))
    dialog.show()
    try:
        assert not dialog.isModal()
        listed = [does for _, does in dialog.rows]
        for key in KEYS:
            assert key.does in listed
        shown = [key for key, _ in dialog.rows]
        assert "Ctrl+Z" in shown
        assert "Wheel" in shown
    finally:
        dialog.close()
