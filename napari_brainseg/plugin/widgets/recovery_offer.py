"""`RecoveryOffer`: names unsaved work that was found, and offers to restore or discard it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_brainseg.annotation.recovery import Recovery
from napari_brainseg.plugin.widgets.style import hint, notice


class RecoveryOffer(QWidget):
    """A box, shown only while there is something to restore.

    Attributes:
        restore_requested: The person wants this work back (`Recovery`); its row stays until `remove`.
        discard_requested: The person does not want it (`Recovery`); its row is gone.
    """

    restore_requested = Signal(object)
    discard_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: dict[Recovery, QWidget] = {}
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
    def recoveries(self) -> tuple[Recovery, ...]:
        """What is on offer."""
        return tuple(self._rows)

    def show_recoveries(self, recoveries: Sequence[Recovery]) -> None:
        """Offer these, and no others."""
        for old in tuple(self._rows):
            self.remove(old)
        for recovery in recoveries:
            self._rows[recovery] = row = self._row(recovery)
            self._list.addWidget(row)
        self.setVisible(bool(self._rows))

    def remove(self, recovery: Recovery) -> None:
        """Offer this one no longer."""
        row = self._rows.pop(recovery, None)
        if row is not None:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.setVisible(bool(self._rows))

    def _row(self, recovery: Recovery) -> QWidget:
        note, time = recovery.note, recovery.note.saved_at
        row = QWidget()
        row.setObjectName("recovery")
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(hint(f"{note.case_id}: {note.name}{f', {time:%d %b %H:%M}' if time else ''}"), 1)
        restore, discard = QPushButton("Restore"), QPushButton("Discard")
        restore.clicked.connect(lambda: self.restore_requested.emit(recovery))
        discard.clicked.connect(lambda: self._on_discard(recovery))
        layout.addWidget(restore)
        layout.addWidget(discard)
        return row

    def _on_discard(self, recovery: Recovery) -> None:
        self.remove(recovery)
        self.discard_requested.emit(recovery)
