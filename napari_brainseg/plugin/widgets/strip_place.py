"""`StripPlace`: puts the strip of the slices right above napari's slice slider, and takes it away again."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, QPoint
from qtpy.QtWidgets import QBoxLayout, QScrollBar, QWidget

from napari_brainseg.plugin.widgets.canvas import slice_sliders
from napari_brainseg.plugin.widgets.confirmed_strip import ConfirmedStrip


class StripPlace(QObject):
    """Keeps a strip along the slider that scrolls through the slices.

    Args:
        viewer: The viewer.
        strip: The strip, which ends where the slider does.
    """

    def __init__(self, viewer: Any, strip: ConfirmedStrip, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._strip = strip
        self._sliders: QWidget | None = slice_sliders(viewer)
        around = None if self._sliders is None else self._sliders.parentWidget()
        self._layout = None if around is None else around.layout()

    def put(self) -> bool:
        """Put the strip there; return whether that is possible in this napari."""
        if self._sliders is None or not isinstance(self._layout, QBoxLayout):
            self._sliders = None
            return False
        self._layout.insertWidget(self._layout.indexOf(self._sliders), self._strip)
        self._sliders.installEventFilter(self)
        self._strip.span = self._span
        return True

    def close(self) -> None:
        """Leave napari's window as it was found; harmless when repeated."""
        if self._sliders is None:
            return
        self._sliders.removeEventFilter(self)
        self._sliders = None
        self._strip.hide()
        self._strip.setParent(None)  # which takes it out of the layout as well
        self._strip.deleteLater()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Draw the strip anew when the sliders are laid out anew."""
        if event is not None and event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            self._strip.update()
        return False

    def _span(self) -> tuple[float, float]:
        """Return where the slider that is shown begins, and its width."""
        bars = [] if self._sliders is None else self._sliders.findChildren(QScrollBar)
        shown = next((bar for bar in bars if bar.isVisible()), None)
        if shown is None:
            return 0.0, float(self._strip.width())
        left = self._strip.mapFromGlobal(shown.mapToGlobal(QPoint(0, 0))).x()
        return float(left), float(shown.width())
