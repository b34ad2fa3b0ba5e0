"""`ConfirmedStrip`: a thin bar along the slices that shows which are changed and which are confirmed."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QEvent, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_brainseg.plugin.widgets.confirmations import Confirmations

GROUND = QColor(127, 127, 127, 70)
CHANGED = QColor(86, 180, 233)  # Okabe & Ito's sky blue and bluish green: told apart by the colour-blind too
CONFIRMED = QColor(0, 158, 115)
HERE = QColor(240, 228, 66)
_HEIGHT = 14


@dataclass(frozen=True)
class StripState:
    """What the strip shows: how many slices, which are confirmed and changed, and which one is shown (or None)."""

    total: int = 0
    confirmed: frozenset[int] = frozenset()
    changed: frozenset[int] = frozenset()
    here: int | None = None


class ConfirmedStrip(QWidget):
    """One cell per slice: green confirmed, blue changed, a yellow tick where the viewer is.

    Signals:
        slice_requested(int): A click on a cell; the index along the shown axis.
    """

    slice_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = StripState()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Confirmed slices")

    @property
    def state(self) -> StripState:
        """What is shown now."""
        return self._state

    def show_state(self, state: StripState) -> None:
        """Show another state."""
        if state != self._state:
            self._state = state
            self.setAccessibleDescription(f"{len(state.confirmed)} of {state.total} slices confirmed")
            self.update()

    def slice_at(self, x: float) -> int | None:
        """Return the slice whose cell lies at `x` pixels from the left, or None."""
        if not self._state.total or not self.width():
            return None
        return min(self._state.total - 1, max(0, int(x / self.width() * self._state.total)))

    def sizeHint(self) -> QSize:
        """Return a thin, wide size."""
        return QSize(200, _HEIGHT)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the cells."""
        painter = QPainter(self)
        state, height = self._state, self.height()
        painter.fillRect(self.rect(), GROUND)
        if not state.total:
            return
        step = self.width() / state.total
        for index in sorted(state.changed | state.confirmed):
            # A cell is never thinner than a pixel, or a single confirmed slice of many would vanish.
            cell = QRectF(index * step, 2, max(1.0, step), height - 4)
            painter.fillRect(cell, CONFIRMED if index in state.confirmed else CHANGED)
        if state.here is not None:
            painter.fillRect(QRectF((state.here + 0.5) * step - 1, 0, 2, height), HERE)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Ask for the slice under the mouse."""
        index = None if event is None else self.slice_at(event.position().x())
        if index is not None:
            self.slice_requested.emit(index)

    def event(self, event: QEvent | None) -> bool:
        """Say what the cell under the mouse is."""
        if isinstance(event, QHelpEvent):
            index = self.slice_at(event.pos().x())
            if index is not None:
                QToolTip.showText(event.globalPos(), self.describe(index), self)
            return True
        return bool(super().event(event))

    def describe(self, index: int) -> str:
        """Return one slice in words: `slice 60: confirmed`."""
        if index in self._state.confirmed:
            what = "confirmed"
        else:
            what = "changed, not confirmed" if index in self._state.changed else "unchanged, not confirmed"
        return f"slice {index}: {what}"


def strip_state(confirmations: Confirmations) -> StripState:
    """Return what a strip shows of the confirmations in the plane shown."""
    mask, axis, shown = confirmations.mask, confirmations.axis, confirmations.shown
    if mask is None:
        return StripState()
    return StripState(
        mask.shape[axis],
        confirmations.confirmed_along(axis),
        confirmations.changed_along(axis),
        None if shown is None else shown.index,
    )


def follow(strip: ConfirmedStrip, confirmations: Confirmations) -> None:
    """Let a strip show the confirmations from now on, and a click on it go to the slice."""

    def refresh() -> None:
        strip.show_state(strip_state(confirmations))

    confirmations.changed.connect(refresh)
    confirmations.shown_changed.connect(refresh)
    strip.slice_requested.connect(confirmations.go_to)
    refresh()
