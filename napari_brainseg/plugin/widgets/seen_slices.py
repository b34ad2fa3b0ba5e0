"""`SeenSlices`: which slices of the labels were on screen long enough to be looked at."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer, Signal

from napari_brainseg.annotation.corrections import ConfirmedSlice
from napari_brainseg.plugin.widgets.shown_slice import ShownSlice

# A slice that is scrolled past is not seen; nor is one whose labels are hidden.
LONG_ENOUGH_MS = 500


class SeenSlices(QObject):
    """The slices that were shown for half a second, with the labels visible, since the labels came.

    Signals:
        changed(): A slice was seen, or all of them are forgotten.
    """

    changed = Signal()

    def __init__(self, where: ShownSlice, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._where = where
        self._slices: set[ConfirmedSlice] = set()
        self._looked_at: ConfirmedSlice | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(LONG_ENOUGH_MS)
        self._timer.timeout.connect(self._on_time)

    def along(self, axis: int) -> frozenset[int]:
        """Return the indices of the slices seen in this plane."""
        return frozenset(s.index for s in self._slices if s.axis == axis)

    def look(self) -> None:
        """Another slice may be shown from now on."""
        here = self._where.slice
        if here is None or here in self._slices:
            self._timer.stop()
        elif here != self._looked_at or not self._timer.isActive():
            self._timer.start()
        self._looked_at = here

    def forget(self) -> None:
        """Other labels came, which nobody has seen yet."""
        self._slices = set()
        self._timer.stop()
        self.look()
        self.changed.emit()

    def stop(self) -> None:
        """See nothing any more until the next `look`."""
        self._timer.stop()

    def _on_time(self) -> None:
        here = self._where.slice
        if here is None or here != self._looked_at:
            return
        if not self._where.visible:
            # The labels may come back without another slice being shown.
            self._timer.start()
            return
        self._slices.add(here)
        self.changed.emit()
