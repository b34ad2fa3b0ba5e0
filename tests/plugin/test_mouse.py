"""Wheel, middle button and clicks on the real canvas, with the brush chosen and without."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_brainseg.plugin.layers import METADATA_KEY, LayerIdentity, Role
from napari_brainseg.plugin.widgets import mouse as mouse_module
from napari_brainseg.plugin.widgets.canvas import canvas_widget, focus_canvas, main_window
from napari_brainseg.plugin.widgets.mouse import Mouse
from napari_brainseg.plugin.widgets.window_level import WindowLevel

SHAPE = (20, 60, 50)
NONE = Qt.KeyboardModifier.NoModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
LEFT, MIDDLE, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    viewer = make_napari_viewer(show=True)
    image = np.linspace(0, 100, int(np.prod(SHAPE)), dtype=np.float32).reshape(SHAPE)
    identity = LayerIdentity("case", Role.CHANNEL, "flair")
    viewer.add_image(image, name="flair", contrast_limits=(20, 60), metadata={METADATA_KEY: identity})
    identity = LayerIdentity("case", Role.WORKING, "segmentation")
    viewer.add_labels(np.zeros(SHAPE, np.uint8), metadata={METADATA_KEY: identity})
    viewer.dims.set_current_step(0, 10)
    QApplication.processEvents()
    return viewer


@pytest.fixture
def window_level(viewer: Any) -> WindowLevel:
    return WindowLevel(viewer)


@pytest.fixture
def mouse(viewer: Any, window_level: WindowLevel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mouse]:
    # The window was activated a moment ago, by the test.
    monkeypatch.setattr(mouse_module, "ACTIVATING_SECONDS", 0.0)
    mouse = Mouse(viewer, window_level)
    yield mouse
    mouse.close()


@pytest.fixture
def canvas(viewer: Any, mouse: Mouse) -> QWidget:
    return canvas_widget(viewer)


def _wheel(canvas: QWidget, notches: float, modifiers: Any = NONE, at: QPoint | None = None) -> None:
    position = QPointF(at if at is not None else canvas.rect().center())
    event = QWheelEvent(
        position,
        QPointF(canvas.mapToGlobal(position.toPoint())),
        QPoint(),
        QPoint(0, round(120 * notches)),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas, event)


def _move(canvas: QWidget, to: QPoint, button: Any = Qt.MouseButton.NoButton) -> None:
    # QTest's own move says that no button is down, and nothing at all where the pointer is there already.
    position, screen = QPointF(to), QPointF(canvas.mapToGlobal(to))
    event = QMouseEvent(QEvent.Type.MouseMove, position, screen, Qt.MouseButton.NoButton, button, NONE)
    QApplication.sendEvent(canvas, event)
    # napari passes moves on at most every 5 ms.
    QTest.qWait(15)


def _drag(canvas: QWidget, button: Any, start: QPoint, *stops: QPoint) -> None:
    QTest.mousePress(canvas, button, NONE, start)
    for stop in stops:
        _move(canvas, stop, button)
    QTest.mouseRelease(canvas, button, NONE, stops[-1])
    QTest.qWait(10)


def _working(viewer: Any, mode: str) -> Any:
    layer = viewer.layers["segmentation"] if "segmentation" in viewer.layers else viewer.layers[1]
    viewer.layers.selection.active = layer
    layer.selected_label = 1
    layer.brush_size = 3
    layer.mode = mode
    return layer


def test_the_wheel_changes_the_slice_whatever_the_tool(viewer: Any, canvas: QWidget) -> None:
    zoom = viewer.scene.camera.zoom
    for mode in ("pan_zoom", "paint", "polygon"):
        layer = _working(viewer, mode)
        viewer.dims.set_current_step(0, 10)
        _wheel(canvas, 1)
        assert viewer.dims.current_step[0] == 11
        _wheel(canvas, -3)
        assert viewer.dims.current_step[0] == 8
        assert viewer.scene.camera.zoom == zoom
        assert not layer.data.any()


def test_fractions_of_a_notch_add_up(viewer: Any, canvas: QWidget) -> None:
    for _ in range(4):
        _wheel(canvas, 0.25)
    assert viewer.dims.current_step[0] == 11


def test_the_wheel_moves_the_axis_that_is_not_displayed(viewer: Any, canvas: QWidget) -> None:
    viewer.dims.order = (1, 0, 2)
    before = viewer.dims.current_step
    _wheel(canvas, 1)
    assert viewer.dims.current_step == (before[0], before[1] + 1, before[2])


@pytest.mark.parametrize("mode", ["pan_zoom", "paint"])
def test_control_and_wheel_zoom_about_the_cursor(viewer: Any, canvas: QWidget, mode: str) -> None:
    _working(viewer, mode)
    spot = canvas.rect().center() + QPoint(60, -40)
    _move(canvas, spot)
    before = np.array(viewer.cursor.position[1:])
    zoom = viewer.scene.camera.zoom
    _wheel(canvas, 2, CONTROL, spot)
    assert viewer.scene.camera.zoom > zoom * 1.2
    assert viewer.dims.current_step[0] == 10
    _move(canvas, spot)
    np.testing.assert_allclose(viewer.cursor.position[1:], before, atol=0.2)


def test_one_switch_gives_napari_its_wheel_back(viewer: Any, canvas: QWidget, mouse: Mouse) -> None:
    mouse.set_napari_wheel(True)
    assert mouse.napari_wheel
    _wheel(canvas, 1)
    assert viewer.dims.current_step[0] == 10
    _wheel(canvas, 1, CONTROL)
    assert viewer.dims.current_step[0] != 10


def test_closing_gives_the_wheel_back(viewer: Any, canvas: QWidget, mouse: Mouse) -> None:
    mouse.close()
    _wheel(canvas, 1)
    assert viewer.dims.current_step[0] == 10


def test_the_wheel_does_not_leave_a_shape_half_drawn(viewer: Any, canvas: QWidget) -> None:
    layer = _working(viewer, "polygon")
    centre = canvas.rect().center()
    for offset in (QPoint(-80, -80), QPoint(80, -80), QPoint(0, 80)):
        QTest.mouseClick(canvas, LEFT, NONE, centre + offset)
    _wheel(canvas, 1)
    assert viewer.dims.current_step[0] == 10
    assert viewer.status == "Finish the polygon first, or press Esc to give it up."
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    _wheel(canvas, 1)
    assert viewer.dims.current_step[0] == 11
    layer.mode = "paint"
    QTest.mouseClick(canvas, RIGHT, NONE, centre)
    _wheel(canvas, 1)
    assert viewer.dims.current_step[0] == 11
    assert viewer.status == "Finish the outline first, or press Esc to give it up."
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    _wheel(canvas, 1)
    assert viewer.dims.current_step[0] == 12


@pytest.mark.parametrize("orientation", [("down", "right"), ("up", "left")])
def test_a_middle_drag_moves_the_picture_and_paints_nothing(
    viewer: Any, canvas: QWidget, orientation: tuple[str, str]
) -> None:
    viewer.scene.camera.orientation2d = orientation
    sign = 1 if orientation == ("down", "right") else -1
    for mode in ("pan_zoom", "paint", "erase", "fill", "polygon"):
        layer = _working(viewer, mode)
        viewer.reset_view()
        centre = np.array(viewer.scene.camera.center[-2:])
        start = canvas.rect().center()
        _drag(canvas, MIDDLE, start, start + QPoint(10, 5), start + QPoint(40, 20))
        moved = np.array(viewer.scene.camera.center[-2:]) - centre
        np.testing.assert_allclose(moved, sign * np.array([-20, -40]) / viewer.scene.camera.zoom, atol=1e-6)
        assert not layer.data.any(), mode
        assert layer.mode == mode


def test_the_left_button_still_paints(viewer: Any, canvas: QWidget) -> None:
    layer = _working(viewer, "paint")
    _drag(canvas, LEFT, canvas.rect().center(), canvas.rect().center() + QPoint(5, 0))
    assert layer.data[10].any()
    assert not layer.data[:10].any()


def test_the_right_button_still_encircles_and_fills(viewer: Any, canvas: QWidget) -> None:
    layer = _working(viewer, "paint")
    layer.brush_size = 1
    centre = canvas.rect().center()
    angles = np.linspace(0, 2 * np.pi, 24)
    ring = [centre + QPoint(round(100 * np.cos(a)), round(100 * np.sin(a))) for a in angles]
    QTest.mouseClick(canvas, RIGHT, NONE, ring[0])
    for stop in ring[1:]:
        _move(canvas, stop)
    filled = layer.data[10]
    assert filled[SHAPE[1] // 2, SHAPE[2] // 2] == 1, "the inside of the ring is not filled"


def test_the_click_that_activates_the_window_paints_nothing(
    viewer: Any, canvas: QWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = _working(viewer, "paint")
    monkeypatch.setattr(mouse_module, "ACTIVATING_SECONDS", 60.0)
    # As Qt passes it on from the window to what is inside.
    QApplication.sendEvent(main_window(viewer), QEvent(QEvent.Type.WindowActivate))
    start = canvas.rect().center()
    _drag(canvas, LEFT, start, start + QPoint(20, 0))
    assert not layer.data.any()
    monkeypatch.setattr(mouse_module, "ACTIVATING_SECONDS", 0.0)
    time.sleep(0.001)
    _drag(canvas, LEFT, start, start + QPoint(20, 0))
    assert layer.data.any(), "the next click paints"


def test_in_3d_wheel_and_middle_button_are_naparis(viewer: Any, canvas: QWidget) -> None:
    viewer.dims.ndisplay = 3
    step = viewer.dims.current_step
    zoom = viewer.scene.camera.zoom
    _wheel(canvas, 1)
    QApplication.processEvents()
    viewer.screenshot(canvas_only=True, flash=False)
    assert viewer.dims.current_step == step
    assert viewer.scene.camera.zoom != zoom


def test_the_canvas_takes_the_focus(viewer: Any, canvas: QWidget) -> None:
    window = main_window(viewer)
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    viewer.window._qt_viewer.dims.setFocus()
    focus_canvas(viewer)
    assert QApplication.focusWidget() is canvas
