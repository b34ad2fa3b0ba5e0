"""The only place that reaches for what napari keeps private about its window: the widget that is drawn on."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget


def canvas_widget(viewer: Any) -> QWidget:
    """Return the Qt widget that napari draws on."""
    # napari 0.9 has no public way to it; tests/plugin/test_mouse.py fails when this one goes.
    widget: QWidget = viewer.window._qt_viewer.canvas.native
    return widget


def main_window(viewer: Any) -> QWidget:
    """Return the main window around the canvas."""
    window = canvas_widget(viewer).window()
    return canvas_widget(viewer) if window is None else window


def focus_canvas(viewer: Any) -> None:
    """Give the canvas the keyboard, so that the next key means what it means there."""
    canvas_widget(viewer).setFocus(Qt.FocusReason.OtherFocusReason)
