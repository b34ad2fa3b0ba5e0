"""A column that scrolls as a whole and always has the width of what can be seen of it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QFrame, QScrollArea, QWidget


class ScrollColumn(QScrollArea):
    """Scrolls up and down only; the scroll bar takes its room from the content, never covers it."""

    def __init__(self, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Always there: a column that changes its width with every fold would jump.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setWidgetResizable(True)
        self.setWidget(content)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the content at the width of the viewport, whatever the widest row would like."""
        super().resizeEvent(event)
        content, viewport = self.widget(), self.viewport()
        if content is not None and viewport is not None:
            content.setFixedWidth(viewport.width())
