"""`ShortcutsDialog`: the list of keys and mouse gestures, beside the window while one works."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QDialog, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_brainseg.plugin.widgets.keys import KEYS, NAPARI_KEYS, Where
from napari_brainseg.plugin.widgets.mouse import GESTURES

_TITLES = {Where.LAYER: "On the working labels", Where.WINDOW: "Anywhere in the window, except in text fields"}


class ShortcutsDialog(QDialog):
    """A list to look at; it asks nothing and stays open while one works."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and mouse")
        self.setModal(False)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        # It must not take the keys that it lists.
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        inside = QWidget()
        self._grid = QGridLayout(inside)
        self._grid.setColumnStretch(1, 1)
        for where, keys in groupby(KEYS, key=lambda key: key.where):
            self._add_group(_TITLES[where], ((_on_this_platform(key.key), key.does) for key in keys))
        self._add_group("Mouse", GESTURES)
        self._add_group("napari's own, with a labels layer chosen", NAPARI_KEYS)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        QVBoxLayout(self).addWidget(area)
        self.resize(460, 640)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Every line of the list: key or gesture, and what it does."""
        return [(self._text(row, 0), self._text(row, 1)) for row in range(self._grid.rowCount()) if self._text(row, 1)]

    def _text(self, row: int, column: int) -> str:
        item = self._grid.itemAtPosition(row, column)
        label = None if item is None else item.widget()
        # A title spans both columns.
        title = column == 1 and item is self._grid.itemAtPosition(row, 0)
        return label.text() if isinstance(label, QLabel) and not title else ""

    def _add_group(self, title: str, rows: Iterable[tuple[str, str]]) -> None:
        heading = QLabel(f"<b>{title}</b>")
        self._grid.addWidget(heading, self._grid.rowCount(), 0, 1, 2)
        for key, does in rows:
            row = self._grid.rowCount()
            self._grid.addWidget(QLabel(key), row, 0)
            text = QLabel(does)
            text.setWordWrap(True)
            self._grid.addWidget(text, row, 1)


def _on_this_platform(key: str) -> str:
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
