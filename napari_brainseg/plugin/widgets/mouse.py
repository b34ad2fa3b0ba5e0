"""`Mouse`: wheel, middle button and W + drag on the canvas, whatever tool is chosen."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QObject, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent

from napari_brainseg.plugin.widgets.canvas import canvas_widget, unfinished_shape
from napari_brainseg.plugin.widgets.window_level import WindowLevel

# Gesture and what it does, for the list of shortcuts.
GESTURES = (
    ("Wheel", "slice; up is towards the higher number"),
    ("Ctrl + wheel", "zoom, also while painting"),
    ("Middle button, drag", "move the picture, also while painting"),
    ("Right button", "napari's encircle and fill, with the brush chosen"),
    ("W + drag", "window (right is wider) and level (up is brighter)"),
)
_NOTCH = 120.0
_ZOOM_PER_NOTCH = 1.15
# A press that comes so soon after the window was activated is the click that activated it.
ACTIVATING_SECONDS = 0.1

_Button = Qt.MouseButton


class Mouse(QObject):
    """Sees the canvas's mouse events before napari does and keeps those that are ours; `close` gives all of them back.

    In 3-D, everything but W + drag stays napari's.
    """

    def __init__(self, viewer: Any, window_level: WindowLevel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._window_level = window_level
        self._canvas = canvas_widget(viewer)
        self._closed = False
        self._napari_wheel = False
        self._scrolled = 0.0
        self._button: Any = None
        self._from = QPointF()
        self._activated_at = float("-inf")
        self._canvas.installEventFilter(self)

    @property
    def napari_wheel(self) -> bool:
        """Whether the wheel does what napari makes of it: zoom, and slice with Ctrl."""
        return self._napari_wheel

    def set_napari_wheel(self, napari: bool) -> None:
        """Give the wheel back to napari, or take it."""
        self._napari_wheel = napari

    def close(self) -> None:
        """Leave the canvas to napari."""
        self._closed = True
        # Which also takes it off the canvas, where that still exists.
        self.deleteLater()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Return whether the event was ours and napari must not see it."""
        if event is None or self._closed:
            return False
        if event.type() == QEvent.Type.WindowActivate:
            self._activated_at = time.monotonic()
        if isinstance(event, QWheelEvent):
            return self._wheel(event)
        if not isinstance(event, QMouseEvent):
            return False
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick):
            return self._press(event)
        if self._button is not None and event.type() == QEvent.Type.MouseMove:
            return self._move(event)
        if self._button is not None and event.type() == QEvent.Type.MouseButtonRelease:
            return self._release(event)
        return False

    def _wheel(self, event: QWheelEvent) -> bool:
        modifiers = event.modifiers()
        if self._napari_wheel or self._viewer.dims.ndisplay != 2:
            return False
        if modifiers == Qt.KeyboardModifier.NoModifier and self._viewer.dims.not_displayed:
            unfinished = unfinished_shape(self._viewer.layers.selection.active)
            if unfinished is None:
                self._scroll(event.angleDelta().y() / _NOTCH)
            else:
                # napari would fill it on the slice of its first point, which is then no longer the one shown.
                self._viewer.status = f"Finish the {unfinished} first, or press Esc to give it up."
            return True
        if modifiers == Qt.KeyboardModifier.ControlModifier:
            self._zoom(event.position(), _ZOOM_PER_NOTCH ** (event.angleDelta().y() / _NOTCH))
            return True
        return False

    def _scroll(self, notches: float) -> None:
        # A touchpad sends fractions of a notch.
        self._scrolled += notches
        steps = int(self._scrolled)
        self._scrolled -= steps
        dims = self._viewer.dims
        axis = dims.last_used if dims.last_used in dims.not_displayed else dims.not_displayed[-1]
        if steps:
            dims.set_current_step(axis, dims.current_step[axis] + steps)

    def _zoom(self, position: QPointF, factor: float) -> None:
        # What lies under the cursor stays there.
        camera = self._viewer.scene.camera
        offset = np.array([position.y() - self._canvas.height() / 2, position.x() - self._canvas.width() / 2])
        if self._viewer.canvas.grid.enabled:
            offset[:] = 0
        moved = self._in_world(offset) * (1 - 1 / factor)
        centre = np.asarray(camera.center, float)[-2:]
        camera.zoom *= factor
        camera.center = (camera.center[0], *(centre + moved))

    def _in_world(self, down_and_right: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        camera = self._viewer.scene.camera
        vertical, horizontal = (str(value) for value in camera.orientation[1:])
        signs = np.array([1 if vertical == "down" else -1, 1 if horizontal == "right" else -1])
        return np.asarray(down_and_right * signs / camera.zoom)

    def _press(self, event: QMouseEvent) -> bool:
        if self._button is not None:
            return True
        if time.monotonic() - self._activated_at < ACTIVATING_SECONDS:
            # This click was meant for the window; its moves and its release paint nothing either.
            self._button = "activating"
            return True
        if event.button() == _Button.LeftButton and self._window_level.held:
            self._window_level.begin()
        elif event.button() != _Button.MiddleButton or self._viewer.dims.ndisplay != 2:
            return False
        self._button = event.button()
        self._from = event.position()
        return True

    def _move(self, event: QMouseEvent) -> bool:
        delta = event.position() - self._from
        if self._button == _Button.LeftButton:
            self._window_level.drag(delta.x(), delta.y())
        elif self._button == _Button.MiddleButton:
            camera = self._viewer.scene.camera
            self._from = event.position()
            centre = np.asarray(camera.center, float)[-2:] - self._in_world(np.array([delta.y(), delta.x()]))
            camera.center = (camera.center[0], *centre)
        return True

    def _release(self, event: QMouseEvent) -> bool:
        if event.button() == self._button or self._button == "activating":
            if self._button == _Button.LeftButton:
                self._window_level.end()
            self._button = None
        return True
