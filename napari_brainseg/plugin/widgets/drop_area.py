"""A place to drop files and folders on, which then open without napari asking for a reader."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from qtpy.QtWidgets import QFrame, QVBoxLayout, QWidget

from napari_brainseg.plugin.widgets.style import hint


class DropArea(QFrame):
    """A dashed box that takes local files and folders."""

    paths_dropped = Signal(object)  # list[Path]

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("drop")
        self.setAcceptDrops(True)
        self.label = hint(text)
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 7, 8, 7)
        layout.addWidget(self.label)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept anything that holds local files."""
        if event is not None and _local_paths(event):
            event.acceptProposedAction()
            self._highlight(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent | None) -> None:
        """Take the highlight away."""
        self._highlight(False)

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Hand on what was dropped."""
        self._highlight(False)
        paths = [] if event is None else _local_paths(event)
        if event is not None and paths:
            event.acceptProposedAction()
            self.paths_dropped.emit(paths)

    def _highlight(self, on: bool) -> None:
        self.setProperty("over", on)
        style = self.style()
        if style is not None:
            style.unpolish(self)
            style.polish(self)


def _local_paths(event: QDropEvent) -> list[Path]:
    data = event.mimeData()
    return [] if data is None else [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
