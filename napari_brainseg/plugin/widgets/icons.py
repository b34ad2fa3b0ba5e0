"""Small drawn icons: an eye, a padlock, a swatch of colour. Drawn, because not every machine's font has them."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

SIZE = 16
# Drawn larger than shown, so that it stays sharp on fine screens.
_FACTOR = 3


def eye_icon(shown: bool, colour: QColor) -> QIcon:
    """Return an open eye, or a faint one that is struck out."""

    def draw(painter: QPainter) -> None:
        lids = QPainterPath(QPointF(1, 8))
        lids.quadTo(8, 1.5, 15, 8)
        lids.quadTo(8, 14.5, 1, 8)
        painter.drawPath(lids)
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(8, 8), 2.2, 2.2)
        if not shown:
            painter.drawLine(QPointF(3, 14), QPointF(13, 2))

    return _icon(draw, colour, faint=not shown)


def lock_icon(locked: bool, colour: QColor) -> QIcon:
    """Return a closed padlock, or a faint open one."""

    def draw(painter: QPainter) -> None:
        shift = 0.0 if locked else 4.5
        painter.drawArc(QRectF(4.5 + shift, 1.5, 7, 10), 0, 180 * 16)
        painter.drawLine(QPointF(4.5 + shift, 6.5), QPointF(4.5 + shift, 8))
        if locked:
            painter.drawLine(QPointF(11.5, 6.5), QPointF(11.5, 8))
            painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(2.5, 8, 11, 7), 1.2, 1.2)

    return _icon(draw, colour, faint=not locked)


def swatch_icon(rgb: tuple[float, float, float] | None, outline: QColor) -> QIcon:
    """Return a square of the colour, or an empty one for the background."""

    def draw(painter: QPainter) -> None:
        if rgb is not None:
            painter.setBrush(QColor.fromRgbF(*rgb))
        painter.drawRoundedRect(QRectF(1.5, 1.5, 13, 13), 2, 2)
        if rgb is None:
            painter.drawLine(QPointF(3, 13), QPointF(13, 3))

    return _icon(draw, outline)


def _icon(draw: Callable[[QPainter], None], colour: QColor, *, faint: bool = False) -> QIcon:
    pixmap = QPixmap(SIZE * _FACTOR, SIZE * _FACTOR)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(_FACTOR, _FACTOR)
    painter.setOpacity(0.45 if faint else 1.0)
    painter.setPen(QPen(colour, 1.3))
    draw(painter)
    painter.end()
    return QIcon(pixmap)
