"""The Worklist panel: the cases there are, and where to look next in the open one."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_brainseg.annotation.case_worklist import CaseLine
from napari_brainseg.annotation.worklist import Place
from napari_brainseg.plugin.widgets.style import hint, say

SHOWN_PLACES = 5
_SHOWN_CASES = 5
_COLUMNS = ("case", "state", "volume", "rank")
_NO_CASES = "Open a case or a folder of cases, and they are listed here."
_NO_LABELS = "Segment the case, or start from labels, to see where to look first."
_NOTHING = "No slice looks wrong that is not confirmed already."


class WorklistPanel(QWidget):
    """The panel Worklist.

    Signals:
        case_chosen(int): A double click or Enter on a line of the list.
        sort_requested(): A click on the head of the list.
        place_chosen(object): A click on a `Place`.
        next_requested(): The button Next place was pressed.
    """

    case_chosen = Signal(int)
    sort_requested = Signal()
    place_chosen = Signal(object)
    next_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.next_step = hint(_NO_CASES)
        self.cases = self._make_cases()
        self.reason = hint()
        self.reason.hide()
        self.places = self._make_places()
        self.next_button = QPushButton("Next place    N")
        self.next_button.setToolTip("Show the slice where most is expected to be wrong: N. Shift+N goes back.")
        self.next_button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the canvas keeps the keyboard
        self.next_button.clicked.connect(self.next_requested)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for widget in (self.cases, self.reason, self.places, self.next_step, self.next_button):
            layout.addWidget(widget)
        self.show_cases([], None)
        self.show_places([], None, labelled=False)

    def show_cases(self, lines: Sequence[CaseLine], here: int | None) -> None:
        """List the cases; the one that is open stands out."""
        while self.cases.topLevelItemCount() > len(lines):
            self.cases.takeTopLevelItem(self.cases.topLevelItemCount() - 1)
        while self.cases.topLevelItemCount() < len(lines):
            self.cases.addTopLevelItem(_CaseItem())
        for place, line in enumerate(lines):
            item = self.cases.topLevelItem(place)
            if isinstance(item, _CaseItem):
                item.show_line(line, is_open=place == here)
        if here is not None and (item := self.cases.topLevelItem(here)) is not None:
            self.cases.setCurrentItem(item)
            self.cases.scrollToItem(item)
        self.cases.setVisible(bool(lines))
        _fit_height(self.cases, min(len(lines), _SHOWN_CASES), self.cases.header())
        self._has_cases = bool(lines)

    def show_places(self, places: Sequence[Place], reason: str | None, *, labelled: bool) -> None:
        """Show the next places and why the one before is a place.

        Args:
            places: Those still to be shown in this round, the next first.
            reason: Where one is and why, or None.
            labelled: Whether there are labels to look at.
        """
        say(self.reason, reason or "")
        self.places.clear()
        for place in places[:SHOWN_PLACES]:
            item = QListWidgetItem(f"{place.index} — {place.reason}")
            expected = f"About {place.score:.0%} of the errors are expected here."
            item.setToolTip(f"Slice {place.index}: {place.reason}. {expected}")
            item.setData(Qt.ItemDataRole.UserRole, place)
            self.places.addItem(item)
        self.places.setVisible(bool(places))
        _fit_height(self.places, min(len(places), SHOWN_PLACES))
        self.next_button.setEnabled(bool(places) or reason is not None)
        waiting = _NO_LABELS if self._has_cases else _NO_CASES
        say(self.next_step, "" if self.next_button.isEnabled() else _NOTHING if labelled else waiting)

    def _make_cases(self) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setColumnCount(len(_COLUMNS))
        tree.setHeaderLabels(list(_COLUMNS))
        tree.setRootIsDecorated(False)
        tree.setUniformRowHeights(True)
        tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        tree.setAccessibleName("Cases")
        tree.setToolTip("Double click or Enter opens a case; Page Down and Page Up go to the next and previous one")
        tree.itemActivated.connect(lambda item, _column: self.case_chosen.emit(tree.indexOfTopLevelItem(item)))
        header = tree.header()
        if header is not None:
            header.setStretchLastSection(False)
            header.setMinimumSectionSize(24)
            header.setSectionsClickable(True)
            header.sectionClicked.connect(lambda _column: self.sort_requested.emit())
            header.setToolTip("Click to bring the cases into the order of their ranks")
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            for column in range(1, len(_COLUMNS)):
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        return tree

    def _make_places(self) -> QListWidget:
        places = QListWidget()
        places.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        places.setTextElideMode(Qt.TextElideMode.ElideRight)
        places.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        places.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        places.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        places.setAccessibleName("Where to look next")
        places.itemClicked.connect(lambda item: self.place_chosen.emit(item.data(Qt.ItemDataRole.UserRole)))
        return places


class _CaseItem(QTreeWidgetItem):
    """One line of the list of cases."""

    def show_line(self, line: CaseLine, *, is_open: bool) -> None:
        volume = "–" if line.outlook is None else line.outlook.volume_text.replace("voxels", "vox")
        for column, text in enumerate((line.id, line.state, volume, "–" if line.rank is None else str(line.rank))):
            self.setText(column, text)
            if column > 1:
                self.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        font = self.font(0)
        font.setBold(is_open)
        self.setFont(0, font)
        error = None if line.outlook is None else line.outlook.expected_error
        expected = "" if error is None else f"\nAbout {error:.0%} as many voxels may be wrong as are labelled"
        for column in range(len(_COLUMNS)):
            self.setToolTip(column, f"{line.id}\n{line.folder}{expected}")


def _fit_height(view: QAbstractItemView, rows: int, header: QHeaderView | None = None) -> None:
    """Give a list the height of that many rows."""
    row = view.sizeHintForRow(0)
    top = 0 if header is None else header.sizeHint().height()
    view.setFixedHeight(top + row * rows + 2 * view.frameWidth() + 2)
