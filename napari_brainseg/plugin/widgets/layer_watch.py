"""`LayerWatch`: says when a labels layer may have changed, and when a stroke with the mouse begins and ends."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer, Signal

# Fits after "undid" as the names of tools do.
OUTSIDE = "change"
_TOOLS = {"paint": "brush", "erase": "eraser", "fill": "fill", "polygon": "polygon"}
_STROKES = ("paint", "erase", "fill")


class LayerWatch(QObject):
    """Listen to one labels layer through napari's public events, never through what they carry.

    Attributes:
        touched: The data may have changed; by what, in words.
        replaced: `layer.data` may be another array.
        stroke_began: The mouse went down with a painting tool.
        stroke_ended: The stroke is over; its tool, in words.
    """

    touched = Signal(str)
    replaced = Signal()
    stroke_began = Signal()
    stroke_ended = Signal(str)

    def __init__(self, layer: Labels, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layer = layer
        self._encircling = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._on_refreshed)
        # napari tells of a brush, fill or polygon with `labels_update`, after writing; of its undo and redo, of a
        # refresh and of every scroll with `set_data`; of new data with `data`; and of a finished stroke with `paint`.
        layer.events.labels_update.connect(self._on_drawn)
        layer.events.set_data.connect(self._on_refreshed)
        layer.events.data.connect(self._on_replaced)
        layer.events.paint.connect(self._on_paint)
        layer.events.mode.connect(self._on_mode)
        # First in the list, so that a stroke has begun before napari's own tool paints its first dab.
        layer.mouse_drag_callbacks.insert(0, self._on_drag)

    def close(self) -> None:
        """Leave the layer as it was found."""
        self._soon.stop()
        events = self._layer.events
        events.labels_update.disconnect(self._on_drawn)
        events.set_data.disconnect(self._on_refreshed)
        events.data.disconnect(self._on_replaced)
        events.paint.disconnect(self._on_paint)
        events.mode.disconnect(self._on_mode)
        if self._on_drag in self._layer.mouse_drag_callbacks:
            self._layer.mouse_drag_callbacks.remove(self._on_drag)

    @property
    def tool(self) -> str:
        """The painting tool in the hand, in words."""
        return _TOOLS.get(str(self._layer.mode), OUTSIDE)

    def _on_drawn(self) -> None:
        self.touched.emit(self.tool)

    def _on_refreshed(self) -> None:
        self.touched.emit(OUTSIDE)

    def _on_replaced(self) -> None:
        self.replaced.emit()

    def _on_paint(self) -> None:
        if self._encircling:
            self._end()
        else:
            # Outside a stroke napari sends `paint` before it writes, so look again once it is done.
            self._soon.start(0)

    def _on_mode(self) -> None:
        if self._encircling:
            self._end()

    def _on_drag(self, layer: Labels, event: Any) -> Generator[None, None, None]:
        if str(layer.mode) not in _STROKES or self._encircling:
            return
        self.stroke_began.emit()
        if event.button == 2 and str(layer.mode) == "paint":
            # Encircle and fill: it goes on after the button is up, until napari sends `paint` or the tool changes.
            self._encircling = layer.n_edit_dimensions == 2 and len(event.dims_displayed) == 2
            if self._encircling:
                return
        yield
        while event.type == "mouse_move":
            yield
        self._end()

    def _end(self) -> None:
        self._encircling = False
        self.stroke_ended.emit(self.tool)
