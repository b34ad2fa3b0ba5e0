"""Window and level: the numbers, the reset, and W + drag with the real key, the real mouse and the brush chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_brainseg.plugin.widgets import mouse as mouse_module
from napari_brainseg.plugin.widgets.canvas import canvas_widget, main_window
from napari_brainseg.plugin.widgets.keys import ShortcutActions
from napari_brainseg.plugin.widgets.mouse import Mouse
from napari_brainseg.plugin.widgets.shortcuts import Shortcuts
from napari_brainseg.plugin.widgets.window_level import WindowLevel

SHAPE = (6, 60, 50)
LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    viewer = make_napari_viewer(show=True)
    image = np.linspace(0, 100, int(np.prod(SHAPE)), dtype=np.float32).reshape(SHAPE)
    viewer.add_image(image, name="flair", contrast_limits=(20, 60))
    labels = viewer.add_labels(np.zeros(SHAPE, np.uint8), name="segmentation")
    labels.mode = "paint"
    window = main_window(viewer)
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    return viewer


@pytest.fixture
def window_level(viewer: Any) -> WindowLevel:
    return WindowLevel(viewer)


@pytest.fixture
def with_keys(viewer: Any, window_level: WindowLevel, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mouse and the key W, as the workbench connects them."""
    monkeypatch.setattr(mouse_module, "ACTIVATING_SECONDS", 0.0)
    nothing = ShortcutActions(**{field.name: lambda *_: None for field in fields(ShortcutActions)})
    mouse = Mouse(viewer, window_level)
    shortcuts = Shortcuts(viewer, main_window(viewer), replace(nothing, hold_window_level=window_level.hold))
    canvas_widget(viewer).setFocus()
    yield
    shortcuts.close()
    mouse.close()


def _drag(canvas: QWidget, to: QPoint) -> None:
    start = canvas.rect().center()
    QTest.mousePress(canvas, LEFT, NONE, start)
    for stop in (start + to / 2, start + to):
        position, screen = QPointF(stop), QPointF(canvas.mapToGlobal(stop))
        move = QMouseEvent(QEvent.Type.MouseMove, position, screen, Qt.MouseButton.NoButton, LEFT, NONE)
        QApplication.sendEvent(canvas, move)
        # napari passes moves on at most every 5 ms.
        QTest.qWait(15)
    QTest.mouseRelease(canvas, LEFT, NONE, start + to)


def test_w_and_drag_changes_window_and_level_and_paints_nothing(viewer: Any, with_keys: None) -> None:
    layer, image, canvas = viewer.layers["segmentation"], viewer.layers["flair"], canvas_widget(viewer)
    QTest.keyPress(canvas, Qt.Key.Key_W)
    _drag(canvas, QPoint(150, 0))
    low, high = image.contrast_limits
    assert (high - low, (low + high) / 2) == pytest.approx((80, 40))
    assert viewer.status == "flair: window 80, level 40"
    _drag(canvas, QPoint(0, -76))
    # Up is brighter: the level falls, here by a quarter of the window.
    assert sum(image.contrast_limits) / 2 == pytest.approx(40 - 80 / 2 * 76 / 150)
    QTest.keyRelease(canvas, Qt.Key.Key_W)
    assert not layer.data.any()
    _drag(canvas, QPoint(6, 0))
    assert layer.data.any(), "the brush paints again when W is up"


def test_w_pressed_twice_resets(viewer: Any, with_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    image, canvas = viewer.layers["flair"], canvas_widget(viewer)
    monkeypatch.setattr("napari_brainseg.plugin.widgets.window_level.TWICE_SECONDS", 60.0)
    QTest.keyPress(canvas, Qt.Key.Key_W)
    _drag(canvas, QPoint(50, 30))
    QTest.keyRelease(canvas, Qt.Key.Key_W)
    changed = tuple(image.contrast_limits)
    assert changed != (20, 60)
    QTest.keyClick(canvas, Qt.Key.Key_W)
    assert tuple(image.contrast_limits) == changed, "once does nothing"
    QTest.keyClick(canvas, Qt.Key.Key_W)
    assert tuple(image.contrast_limits) == (20, 60)
    assert viewer.status == "flair: window 40, level 40"


def test_two_slow_presses_do_not_reset(viewer: Any, window_level: WindowLevel, monkeypatch: pytest.MonkeyPatch) -> None:
    window_level.begin()
    window_level.drag(50, 30)
    window_level.end()
    changed = tuple(viewer.layers["flair"].contrast_limits)
    monkeypatch.setattr("napari_brainseg.plugin.widgets.window_level.TWICE_SECONDS", 0.0)
    for _ in range(2):
        window_level.hold(True)
        window_level.hold(False)
    assert tuple(viewer.layers["flair"].contrast_limits) == changed


def test_window_and_level_without_an_image_say_so(viewer: Any, window_level: WindowLevel) -> None:
    viewer.layers["flair"].visible = False
    window_level.hold(True)
    window_level.begin()
    window_level.drag(10, 10)
    window_level.end()
    window_level.hold(False)
    assert viewer.status == "No image is shown."


def test_the_active_image_comes_before_the_topmost(viewer: Any, window_level: WindowLevel) -> None:
    top = viewer.add_image(np.zeros(SHAPE, np.float32), name="t1", contrast_limits=(0, 10))
    viewer.layers.selection.active = viewer.layers["flair"]
    window_level.begin()
    window_level.drag(150, 0)
    window_level.end()
    assert tuple(top.contrast_limits) == (0, 10)
    viewer.layers.selection.active = viewer.layers["segmentation"]
    window_level.begin()
    window_level.drag(150, 0)
    window_level.end()
    assert tuple(top.contrast_limits) == (-5, 15)
