"""`ScoreTable`: Dice before and after a fine-tuning, kind by kind and region by region."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

_HEADS = ("Dice", "before", "after", "change")


class ScoreTable(QWidget):
    """Rows of what was scored; where there are several regions, the kind of score is said once, above them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cells = QGridLayout(self)
        self._cells.setContentsMargins(0, 0, 0, 0)
        self._cells.setHorizontalSpacing(10)
        self._cells.setVerticalSpacing(2)
        self._cells.setColumnStretch(0, 1)

    def show_rows(self, rows: Iterable[tuple[str, float, float]]) -> None:
        """Show (what, before, after) in the place of the rows before; what is a kind and a region, comma between."""
        while (item := self._cells.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for column, title in enumerate(_HEADS):
            self._put(0, column, title, "fact")
        parts = [(*what.rpartition(", ")[::2], before, after) for what, before, after in rows]
        one_region = len({region for _, region, _, _ in parts}) == 1
        line, former = 1, ""
        for kind, region, before, after in parts:
            if kind != former and not one_region:
                self._cells.addWidget(_cell(kind, "strong"), line, 0, 1, len(_HEADS))
                line, former = line + 1, kind
            change = after - before
            self._put(line, 0, kind if one_region else region, "")
            self._put(line, 1, f"{before:.3f}", "")
            self._put(line, 2, f"{after:.3f}", "strong")
            self._put(line, 3, f"{change:+.3f}", "fact" if abs(change) < 5e-4 else "good" if change > 0 else "error")
            line += 1

    def texts(self) -> list[list[str]]:
        """Return the texts by row; a kind's row holds its name alone."""
        rows = []
        for row in range(self._cells.rowCount()):
            items = (self._cells.itemAtPosition(row, column) for column in range(len(_HEADS)))
            labels = dict.fromkeys(item.widget() for item in items if item is not None)
            texts = [label.text() for label in labels if isinstance(label, QLabel)]
            if texts:
                rows.append(texts)
        return rows

    def _put(self, row: int, column: int, text: str, name: str) -> None:
        label = _cell(text, name)
        if column:
            label.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._cells.addWidget(label, row, column)


def _cell(text: str, name: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
