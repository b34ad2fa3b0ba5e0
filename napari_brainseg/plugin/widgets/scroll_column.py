"""A column that scrolls as a whole and always has the width of what can be seen of it."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QFrame, QScrollArea, QWidget

_SETTLED_MS = 50  # after which a layout that changed has its places


class ScrollColumn(QScrollArea):
    """Scrolls up and down only; the scroll bar takes its room from the content, never covers it."""

    def __init__(self, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wanted: QWidget | None = None
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.timeout.connect(self._show_wanted)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Always there: a column that changes its width with every fold would jump.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setWidgetResizable(True)
        self.setWidget(content)
        content.installEventFilter(self)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the content at the width of the viewport, whatever the widest row would like."""
        super().resizeEvent(event)
        self._fit()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Give the content the height that its wrapped texts need, whenever they change."""
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return False

    def keep_in_view(self, near: QWidget, wanted: QWidget) -> None:
        """Scroll until `wanted` is seen, if `near` is: nothing jumps where a person has gone on to something else."""
        viewport = self.viewport()
        if viewport is None or not near.isVisible():
            return
        if viewport.rect().contains(near.mapTo(viewport, near.rect().center())):
            self._wanted = wanted
            self._settled.start(_SETTLED_MS)

    def _show_wanted(self) -> None:
        if self._wanted is not None:
            self.ensureWidgetVisible(self._wanted)
        self._wanted = None

    def _fit(self) -> None:
        content, viewport = self.widget(), self.viewport()
        if content is None or viewport is None:
            return
        content.setFixedWidth(viewport.width())
        layout = content.layout()
        if layout is not None and layout.hasHeightForWidth():
            # Qt squeezes rows below what wrapped texts need, because it asks for their height at another width.
            content.setMinimumHeight(layout.totalHeightForWidth(viewport.width()))
