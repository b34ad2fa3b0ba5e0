"""`ComparisonDialog`: two models side by side, in a window of its own that holds up nothing."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QHeaderView, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from napari_brainseg.model_store.comparing import NOTHING, ComparedFact, Comparison
from napari_brainseg.plugin.widgets.style import hint


class ComparisonDialog(QDialog):
    """A tree of facts, settings, data and scores; what is the same in both is folded into one branch."""

    def __init__(self, comparison: Comparison, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"{comparison.first} and {comparison.second}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.relation = hint("\n".join((comparison.relation, *comparison.notes)))
        self.tree = QTreeWidget()
        self.tree.setColumnCount(4)
        self.tree.setHeaderLabels(["", comparison.first, comparison.second, "change"])
        self.tree.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
        header = self.tree.header()
        if header is not None:
            header.setStretchLastSection(False)
            for column in (1, 2):
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        facts = (*comparison.facts, *comparison.settings)
        self._add("Scores", comparison.scores)
        self._add("What differs", [fact for fact in facts if not fact.same])
        self._add("Data and corrections", comparison.data)
        self._add("Scores of single cases", comparison.case_scores, opened=False)
        self._add("What is the same", [fact for fact in facts if fact.same], opened=False)
        self.tree.resizeColumnToContents(0)
        self.tree.resizeColumnToContents(3)
        layout = QVBoxLayout(self)
        layout.addWidget(self.relation)
        layout.addWidget(self.tree, 1)
        self.resize(760, 520)

    def _add(self, title: str, facts: Sequence[ComparedFact], *, opened: bool = True) -> None:
        if not facts:
            return
        branch = QTreeWidgetItem([title])
        font = branch.font(0)
        font.setBold(True)
        branch.setFont(0, font)
        self.tree.addTopLevelItem(branch)
        for fact in facts:
            no_change = fact.change is None or NOTHING in (fact.first, fact.second)
            row = QTreeWidgetItem([fact.title, fact.first, fact.second, "" if no_change else f"{fact.change:+.3f}"])
            for column in range(3):
                row.setToolTip(column, row.text(column))
            branch.addChild(row)
        branch.setExpanded(opened)
