"""`LossCurve`: a small live curve of the loss and the Dice of a fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

LOSS = QColor(230, 159, 0)  # Okabe & Ito's orange and sky blue
DICE = QColor(86, 180, 233)
HELD_OUT = QColor(0, 158, 115)  # and their bluish green
_HEIGHT = 84
_SMOOTHING = 0.7
_DOT = 3.5


class LossCurve(QWidget):
    """The loss, from 0 to its largest value, and the Dice, from 0 to 1, over the steps.

    Each batch is drawn faintly, its trend on top of it; the Dice on what is held out as points.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._total = 0
        self._losses: list[float] = []
        self._dices: list[float] = []
        self._held: dict[int, float] = {}

    @property
    def losses(self) -> tuple[float, ...]:
        """The losses shown, in order of the steps."""
        return tuple(self._losses)

    @property
    def held_out(self) -> dict[int, float]:
        """The Dice on what is held out, by the number of the step, from 1."""
        return dict(self._held)

    def clear(self) -> None:
        """Show nothing."""
        self._total, self._losses, self._dices, self._held = 0, [], [], {}
        self.update()

    def add(self, total: int, loss: float, dice: float, held_out: float = math.nan) -> None:
        """Add one of `total` steps; values that are no numbers leave the curve as it is."""
        if not (math.isfinite(loss) and math.isfinite(dice)):
            return
        self._total = max(total, len(self._losses) + 1)
        self._losses.append(loss)
        self._dices.append(dice)
        if math.isfinite(held_out):
            self._held[len(self._losses)] = held_out
        self.setAccessibleDescription(f"step {len(self._losses)} of {total}: loss {loss:.3f}, Dice {dice:.3f}")
        self.update()

    def sizeHint(self) -> QSize:
        """Return a low, wide size."""
        return QSize(200, _HEIGHT)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the two curves, a frame and what they are."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        words = self.palette().color(QPalette.ColorRole.WindowText)
        line = painter.fontMetrics().height() + 2
        area = QRectF(1, line, self.width() - 2, self.height() - line - 2)
        frame = QColor(words)
        frame.setAlpha(60)
        painter.setPen(QPen(frame, 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.topLeft(), area.topRight())
        if not self._losses:
            return
        ceiling = max(self._losses) or 1.0
        for values, colour, top in ((self._losses, LOSS, ceiling), (self._dices, DICE, 1.0)):
            faint = QColor(colour)
            faint.setAlpha(90)
            self._draw(painter, [v / top for v in values], area, QPen(faint, 1))
            self._draw(painter, [v / top for v in smoothed(values)], area, QPen(colour, 2))
        self._draw_held_out(painter, area)
        text = QRectF(0, 0, self.width(), line)
        painter.setPen(LOSS)
        painter.drawText(text, int(Qt.AlignmentFlag.AlignLeft), f"loss {smoothed(self._losses)[-1]:.3f}")
        painter.setPen(DICE)
        painter.drawText(text, int(Qt.AlignmentFlag.AlignRight), f"Dice {smoothed(self._dices)[-1]:.3f}")
        if self._held:
            painter.setPen(HELD_OUT)
            last = max(self._held)
            painter.drawText(text, int(Qt.AlignmentFlag.AlignHCenter), f"● held out {self._held[last]:.3f}")

    def _draw(self, painter: QPainter, heights: Sequence[float], area: QRectF, pen: QPen) -> None:
        painter.setPen(pen)
        painter.drawPolyline(QPolygonF([self._point(i, height, area) for i, height in enumerate(heights)]))

    def _draw_held_out(self, painter: QPainter, area: QRectF) -> None:
        points = [self._point(step - 1, dice, area) for step, dice in self._held.items()]
        painter.setPen(QPen(HELD_OUT, 1, Qt.PenStyle.DotLine))
        painter.drawPolyline(QPolygonF(points))
        painter.setBrush(HELD_OUT)
        for point in points:
            painter.drawEllipse(point, _DOT, _DOT)

    def _point(self, index: int, height: float, area: QRectF) -> QPointF:
        step = area.width() / max(1, self._total - 1)
        return QPointF(area.left() + index * step, area.bottom() - height * area.height())


def smoothed(values: Sequence[float]) -> list[float]:
    """Return the running average, each step weighing 0.7 of what was before, without a start towards 0."""
    result, total, weight = [], 0.0, 0.0
    for value in values:
        total = _SMOOTHING * total + value
        weight = _SMOOTHING * weight + 1
        result.append(total / weight)
    return result
