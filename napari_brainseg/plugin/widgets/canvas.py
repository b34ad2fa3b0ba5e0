"""The only place that reaches for what napari keeps private: the canvas, the slice sliders, a shape half drawn."""

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


def slice_sliders(viewer: Any) -> QWidget | None:
    """Return the widget of napari's slice sliders below the canvas, or None where it is not to be found."""
    # No public way to it either; tests/plugin/test_strip_place.py fails when this one goes.
    widget = getattr(viewer.window._qt_viewer, "dims", None)
    return widget if isinstance(widget, QWidget) else None


def focus_canvas(viewer: Any) -> None:
    """Give the canvas the keyboard, so that the next key means what it means there."""
    canvas_widget(viewer).setFocus(Qt.FocusReason.OtherFocusReason)


def unfinished_shape(layer: Any) -> str | None:
    """Return what is half drawn on a labels layer, `polygon` or `outline` (of encircle and fill), or None."""
    # napari 0.9 keeps both in overlays of the layer; tests/plugin/test_mouse.py fails when they go.
    overlays = getattr(layer, "_overlays", {})
    if "brush_stroke" in overlays and overlays["brush_stroke"].active:
        return "outline"
    if "polygon" in overlays and overlays["polygon"].enabled and overlays["polygon"].points:
        return "polygon"
    return None
