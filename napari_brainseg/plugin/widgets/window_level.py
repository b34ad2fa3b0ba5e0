"""`WindowLevel`: brightness and contrast by dragging with W held, in the units of the image."""

from __future__ import annotations

import time
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image
from qtpy.QtCore import QObject

# Dragging this many pixels to the right doubles the window; dragging as many down raises the level by half a window.
PIXELS = 150.0
# W pressed again within this time resets.
TWICE_SECONDS = 0.5


class WindowLevel(QObject):
    """Window and level of the image that is looked at: the active image, else the topmost one shown."""

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._held = False
        self._pressed_at: float | None = None
        self._start: tuple[float, float] | None = None
        self._layer: Any = None
        self._original: WeakKeyDictionary[Any, tuple[float, float]] = WeakKeyDictionary()

    @property
    def held(self) -> bool:
        """Whether a drag on the canvas changes window and level now."""
        return self._held

    def hold(self, pressed: bool) -> None:
        """Take W going down or up; down twice in a row without a drag resets."""
        self._held = pressed
        if not pressed:
            return
        now = time.monotonic()
        if self._pressed_at is not None and now - self._pressed_at < TWICE_SECONDS:
            self._pressed_at = None
            self.reset()
        else:
            self._pressed_at = now
            self._say(self._image())

    def begin(self) -> None:
        """Start a drag."""
        self._layer = self._image()
        self._pressed_at = None
        if self._layer is not None:
            low, high = self._layer.contrast_limits
            self._start = (float(low), float(high))
            self._original.setdefault(self._layer, self._start)

    def drag(self, right: float, down: float) -> None:
        """Set window and level for a drag of so many pixels from where it began."""
        if self._layer is None or self._start is None:
            return
        low, high = self._start
        window = (high - low) * 2 ** (right / PIXELS)
        level = (low + high) / 2 + (high - low) / 2 * down / PIXELS
        self._layer.contrast_limits = (level - window / 2, level + window / 2)
        self._say(self._layer)

    def end(self) -> None:
        """End a drag."""
        self._layer = self._start = None

    def reset(self) -> None:
        """Give the image the limits that it had before the first drag."""
        layer = self._image()
        if layer is not None and layer in self._original:
            layer.contrast_limits = self._original.pop(layer)
        self._say(layer)

    def _image(self) -> Any:
        active = self._viewer.layers.selection.active
        if isinstance(active, Image) and active.visible:
            return active
        shown = [layer for layer in self._viewer.layers if isinstance(layer, Image) and layer.visible]
        return shown[-1] if shown else None

    def _say(self, layer: Any) -> None:
        if layer is None:
            self._viewer.status = "No image is shown."
            return
        low, high = layer.contrast_limits
        self._viewer.status = f"{layer.name}: window {high - low:.4g}, level {(low + high) / 2:.4g}"
