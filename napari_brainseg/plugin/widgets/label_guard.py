"""`LabelGuard`: keeps the selected label of a layer among the values that it may hold."""

from __future__ import annotations

from collections.abc import Callable

from napari.layers import Labels


class LabelGuard:
    """Put the selected label back whenever a key, the spin box or the eyedropper leaves 0 to `highest`.

    Args:
        layer: The labels layer.
        highest: The largest value that may be selected.
        on_refused: Called with the value that was not allowed.
    """

    def __init__(self, layer: Labels, highest: int, on_refused: Callable[[int], None] | None = None) -> None:
        self._layer = layer
        self._highest = highest
        self._on_refused = on_refused
        # The selected value and the last class: napari's key X goes back from the background to the latter.
        self._selected = self._class = 1
        layer.events.selected_label.connect(self._on_selected_label)
        self._on_selected_label()

    def close(self) -> None:
        """Let the layer select what it likes again."""
        self._layer.events.selected_label.disconnect(self._on_selected_label)

    def _on_selected_label(self) -> None:
        value = int(self._layer.selected_label)
        if 0 <= value <= self._highest:
            self._selected = value
            self._class = value or self._class
            return
        back = self._selected
        # By way of the last class, or napari would remember the refused value as the one to swap with.
        self._layer.selected_label = self._class
        self._layer.selected_label = back
        if self._on_refused is not None:
            self._on_refused(value)
