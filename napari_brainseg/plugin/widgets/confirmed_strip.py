"""`ConfirmedStrip`: a thin bar along the slices that shows which are seen, changed and confirmed; and its legend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import QEvent, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolTip, QWidget

from napari_brainseg.plugin.widgets.confirmations import Confirmations

GROUND = QColor(127, 127, 127, 70)
SEEN = QColor(158, 158, 158)
CHANGED = QColor(86, 180, 233)  # Okabe & Ito's sky blue and bluish green: told apart by the colour-blind too
CONFIRMED = QColor(0, 158, 115)
HERE = QColor(240, 228, 66)
_HEIGHT = 14
# The marks differ in height as well, as a part of the strip's.
_LEVELS = ((SEEN, 0.3, "seen"), (CHANGED, 0.65, "changed"), (CONFIRMED, 1.0, "confirmed"))


@dataclass(frozen=True)
class StripState:
    """What the strip shows: how many slices, which are seen, changed and confirmed, and which is shown (or None)."""

    total: int = 0
    confirmed: frozenset[int] = frozenset()
    changed: frozenset[int] = frozenset()
    here: int | None = None
    seen: frozenset[int] = frozenset()

    def levels(self, index: int) -> tuple[bool, bool, bool]:
        """Return whether a slice is seen, changed and confirmed."""
        return index in self.seen, index in self.changed, index in self.confirmed


class ConfirmedStrip(QWidget):
    """One cell per slice: grey and low seen, blue and higher changed, green confirmed, a yellow tick where one is.

    Attributes:
        span: Returns where the slices begin and how wide they are together, in pixels of the strip; by default all.

    Signals:
        slice_requested(int): A click on a cell; the index along the shown axis.
    """

    slice_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = StripState()
        self.span: Callable[[], tuple[float, float]] = lambda: (0.0, float(self.width()))
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
        left, width = self.span()
        if not self._state.total or width <= 0:
            return None
        return min(self._state.total - 1, max(0, int((x - left) / width * self._state.total)))

    def sizeHint(self) -> QSize:
        """Return a thin, wide size."""
        return QSize(200, _HEIGHT)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the cells."""
        painter = QPainter(self)
        state, height = self._state, self.height()
        left, width = self.span()
        painter.fillRect(QRectF(left, 0, width, height), GROUND)
        if not state.total:
            return
        step = width / state.total
        for index in sorted(state.seen | state.changed | state.confirmed):
            # A cell is never thinner than a pixel, or a single confirmed slice of many would vanish.
            _paint_marks(painter, QRectF(left + index * step, 1, max(1.0, step), height - 2), state.levels(index))
        if state.here is not None:
            painter.fillRect(QRectF(left + (state.here + 0.5) * step - 1, 0, 2, height), HERE)

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
        """Return one slice in words: `slice 60: changed, confirmed`."""
        seen, changed, confirmed = self._state.levels(index)
        words = ["changed" if changed else "seen" if seen else "not seen yet"]
        words = (["changed"] if changed else []) if confirmed else words
        return f"slice {index}: {', '.join([*words, 'confirmed' if confirmed else 'not confirmed'])}"


class StripLegend(QWidget):
    """The three marks of the strip and what they mean, in one small line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for level, (_, _, word) in enumerate(_LEVELS):
            text = QLabel(word)
            text.setObjectName("hint")
            layout.addWidget(_Mark(level))
            layout.addWidget(text)
            layout.addSpacing(8)
        layout.addStretch(1)


class _Mark(QWidget):
    """One mark as the strip paints it."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level
        self.setFixedSize(6, _HEIGHT - 2)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), GROUND)
        one = tuple(level == self._level for level in range(3))
        _paint_marks(painter, QRectF(self.rect()), (one[0], one[1], one[2]))


def _paint_marks(painter: QPainter, cell: QRectF, levels: tuple[bool, bool, bool]) -> None:
    """Paint the marks of one slice, each standing on the ground; a lower one is seen in front of a higher one."""
    _, changed, confirmed = levels
    for (colour, part, _), there in reversed(list(zip(_LEVELS, levels, strict=True))):
        if not there or (colour is SEEN and (changed or confirmed)):
            continue
        # On a confirmed slice that somebody changed, both are to be seen.
        part = _LEVELS[0][1] if colour is CHANGED and confirmed else part
        height = cell.height() * part
        painter.fillRect(QRectF(cell.left(), cell.bottom() - height, cell.width(), height), colour)


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
        confirmations.seen.along(axis),
    )


def follow(strip: ConfirmedStrip, confirmations: Confirmations) -> None:
    """Let a strip show the confirmations from now on, and a click on it go to the slice."""

    def refresh() -> None:
        strip.show_state(strip_state(confirmations))

    confirmations.changed.connect(refresh)
    confirmations.shown_changed.connect(refresh)
    confirmations.seen.changed.connect(refresh)
    strip.slice_requested.connect(confirmations.go_to)
    refresh()
