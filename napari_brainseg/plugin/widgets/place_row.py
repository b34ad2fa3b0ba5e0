"""Where things are saved: a folder that was tried by really writing, with an offer of another when it fails."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QPushButton, QWidget

from napari_brainseg.base.paths import why_not_writable
from napari_brainseg.plugin.widgets.elided_label import ElidedLabel
from napari_brainseg.plugin.widgets.style import error_line, say


class PlaceRow(QWidget):
    """One line with a folder and a button to choose another; red when nothing can be written there."""

    change_requested = Signal()
    folder_shown = Signal()

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.folder: Path | None = None
        self.title = QLabel(title)
        self.path_label = ElidedLabel()
        self.path_label.setObjectName("fact")
        self.change_button = QPushButton("Change…")
        self.change_button.clicked.connect(self.change_requested)
        self.problem = error_line()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(2)
        layout.addWidget(self.title, 0, 0)
        layout.addWidget(self.path_label, 0, 1)
        layout.addWidget(self.change_button, 0, 2)
        layout.addWidget(self.problem, 1, 0, 1, 3)
        layout.setColumnStretch(1, 1)

    def show_folder(self, folder: Path) -> bool:
        """Show `folder`, try it by writing, and return whether it can hold files."""
        self.folder = folder
        problem = why_not_writable(folder)
        say(self.problem, problem or "")
        self.change_button.setText("Change…" if problem is None else "Choose another…")
        self.path_label.show_text(str(folder))
        self.folder_shown.emit()
        return problem is None

    def show_none(self, why: str) -> None:
        """Say in red that there is no folder yet."""
        self.folder = None
        say(self.problem, why)
        self.change_button.setText("Choose…")
        self.path_label.show_text("none")
        self.folder_shown.emit()
