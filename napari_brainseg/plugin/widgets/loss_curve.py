"""`LossCurve`: a small live curve of the loss and the Dice of a fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

LOSS = QColor(230, 159, 0)  # Okabe & Ito's orange and sky blue
DICE = QColor(86, 180, 233)
_HEIGHT = 84
_SMOOTHING = 0.7


class LossCurve(QWidget):
    """The loss, from 0 to its largest value, and the Dice, from 0 to 1, over the steps.

    Each batch is drawn faintly, its trend on top of it.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._total = 0
        self._losses: list[float] = []
        self._dices: list[float] = []

    @property
    def losses(self) -> tuple[float, ...]:
        """The losses shown, in order of the steps."""
        return tuple(self._losses)

    def clear(self) -> None:
        """Show nothing."""
        self._total, self._losses, self._dices = 0, [], []
        self.update()

    def add(self, total: int, loss: float, dice: float) -> None:
        """Add one of `total` steps; values that are no numbers leave the curve as it is."""
        if not (math.isfinite(loss) and math.isfinite(dice)):
            return
        self._total = max(total, len(self._losses) + 1)
        self._losses.append(loss)
        self._dices.append(dice)
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
        text = QRectF(0, 0, self.width(), line)
        painter.setPen(LOSS)
        painter.drawText(text, int(Qt.AlignmentFlag.AlignLeft), f"loss {smoothed(self._losses)[-1]:.3f}")
        painter.setPen(DICE)
        painter.drawText(text, int(Qt.AlignmentFlag.AlignRight), f"Dice {smoothed(self._dices)[-1]:.3f}")

    def _draw(self, painter: QPainter, heights: Sequence[float], area: QRectF, pen: QPen) -> None:
        step = area.width() / max(1, self._total - 1)
        points = [QPointF(area.left() + i * step, area.bottom() - h * area.height()) for i, h in enumerate(heights)]
        painter.setPen(pen)
        painter.drawPolyline(QPolygonF(points))


def smoothed(values: Sequence[float]) -> list[float]:
    """Return the running average, each step weighing 0.7 of what was before, without a start towards 0."""
    result, total, weight = [], 0.0, 0.0
    for value in values:
        total = _SMOOTHING * total + value
        weight = _SMOOTHING * weight + 1
        result.append(total / weight)
    return result
