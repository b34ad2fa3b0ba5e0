"""`RecoveryOffer`: names unsaved work that was found, and offers to restore or discard it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_brainseg.annotation.journal import DamagedJournal, Journal, JournalFile
from napari_brainseg.plugin.widgets.style import hint, notice


class RecoveryOffer(QWidget):
    """A box, shown only while there is something to restore, or to say about what cannot be.

    Attributes:
        restore_requested: The person wants this work back (`Journal`); its row stays until `remove`.
        discard_requested: The person does not want it (`JournalFile`); its row is gone.
    """

    restore_requested = Signal(object)
    discard_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: dict[JournalFile, QWidget] = {}
        frame = notice()
        self._list = QVBoxLayout(frame)
        title = QLabel("Unsaved work from an earlier session")
        title.setObjectName("strong")
        self._list.addWidget(title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(frame)
        self.hide()

    @property
    def journals(self) -> tuple[Journal, ...]:
        """What can be restored."""
        return tuple(file for file in self._rows if isinstance(file, Journal))

    def show_found(self, files: Sequence[JournalFile]) -> None:
        """Offer the journals among these files, say what the damaged ones are, and offer nothing else."""
        for old in tuple(self._rows):
            self.remove(old)
        for file in files:
            self._rows[file] = row = self._row(file)
            self._list.addWidget(row)
        self.setVisible(bool(self._rows))

    def remove(self, file: JournalFile) -> None:
        """Offer this one no longer."""
        row = self._rows.pop(file, None)
        if row is not None:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.setVisible(bool(self._rows))

    def _row(self, file: JournalFile) -> QWidget:
        row = QWidget()
        row.setObjectName("recovery")
        # The buttons lie below: beside them a case id, which does not wrap, would be cut off.
        layout, buttons = QVBoxLayout(row), QHBoxLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(hint(_described(file)))
        if isinstance(file, Journal):
            restore = QPushButton("Restore")
            restore.clicked.connect(lambda: self.restore_requested.emit(file))
            buttons.addWidget(restore, 1)
        discard = QPushButton("Discard")
        discard.clicked.connect(lambda: self._on_discard(file))
        buttons.addWidget(discard, 1)
        layout.addLayout(buttons)
        return row

    def _on_discard(self, file: JournalFile) -> None:
        self.remove(file)
        self.discard_requested.emit(file)


def _described(file: JournalFile) -> str:
    if isinstance(file, Journal):
        return f"{file.note.case_id}: {file.note.name}, {file.saved_at:%d %b %H:%M}"
    return file.reason if isinstance(file, DamagedJournal) else str(file.path)
