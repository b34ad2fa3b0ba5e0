"""`CandidateBox`: what a fine-tuning gave, what is recommended, and the decision; then what to take of its answer."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_brainseg.plugin.widgets.score_table import ScoreTable
from napari_brainseg.plugin.widgets.style import error_line, hint, say
from napari_brainseg.plugin.widgets.take_row import TakeRow
from napari_brainseg.training.seat_belt import SeatBelt, Verdict

_RECOMMENDED = {
    Verdict.ACCEPT: ("Recommended: accept", "good"),
    Verdict.DISCARD: ("Recommended: discard", "error"),
    Verdict.LOOK: ("No recommendation", "strong"),
}
_SAME = "Nothing of this case would change outside what you confirmed or changed."


class CandidateBox(QWidget):
    """Hidden until there is a new model; it saves nothing and knows no labels.

    Signals:
        accept_requested(): Save the new model.
        discard_requested(): Drop it.
        difference_toggled(bool): Show, or hide, what would change.
        slices_requested(int, int), all_requested(), done_requested(): As `TakeRow` asks.
    """

    accept_requested = Signal()
    discard_requested = Signal()
    difference_toggled = Signal(bool)
    slices_requested = Signal(int, int)
    all_requested = Signal()
    done_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.headline = QLabel()
        self.reason, self.held_out, self.notes = hint(), hint(), hint()
        self.table = ScoreTable()
        self.difference = hint()
        self.tick = QCheckBox("show what would change")
        self.tick.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.tick.setToolTip("A layer over the labels, in the new colours; light grey becomes background")
        self.accept_button, self.discard_button = QPushButton("Accept"), QPushButton("Discard")
        self.error = error_line()
        self._decision = QWidget()
        self.take = TakeRow()
        self._verdict = Verdict.LOOK
        self._lay_out()
        self.accept_button.clicked.connect(self.accept_requested)
        self.discard_button.clicked.connect(self.discard_requested)
        self.tick.toggled.connect(self.difference_toggled)
        self.take.slices_requested.connect(self.slices_requested)
        self.take.all_requested.connect(self.all_requested)
        self.take.done_requested.connect(self.done_requested)
        self.hide()

    def show_candidate(self, table: SeatBelt, notes: Sequence[str] = ()) -> None:
        """Show a new model's scores, what is recommended and why; `notes` are sentences below."""
        self._verdict = table.verdict
        words, name = _RECOMMENDED[table.verdict]
        self._say_headline(words, name)
        say(self.reason, f"{table.reason[:1].upper()}{table.reason[1:]}.")
        say(self.held_out, f"Held out: {table.held_out}." if table.held_out else "")
        say(self.notes, "\n".join(notes))
        self.table.show_rows(table.rows())
        self.table.setVisible(bool(table.scored))
        self.show_undecided()
        self.show()

    def show_undecided(self, error: str = "") -> None:
        """Ask for the decision; `error` says why it could not be carried out the last time."""
        anyway = self._verdict is Verdict.DISCARD
        self.accept_button.setText("Accept anyway" if anyway else "Accept")
        _make_primary(self.accept_button, self._verdict is Verdict.ACCEPT)
        _make_primary(self.discard_button, anyway)
        for button in (self.accept_button, self.discard_button):
            button.setEnabled(True)
        say(self.error, error)
        self._decision.show()
        self.take.hide()

    def show_saving(self) -> None:
        """The decision is being carried out."""
        self.accept_button.setText("Saving …")
        for button in (self.accept_button, self.discard_button):
            button.setEnabled(False)
        say(self.error, "")

    def show_accepted(self, sentence: str) -> None:
        """Say that the model was saved; nothing is left to decide."""
        self._say_headline("Accepted", "good")
        say(self.reason, sentence)
        say(self.held_out, "")
        say(self.notes, "")
        self.table.hide()
        self._decision.hide()

    def show_take(self, here: int | None, length: int, voxels: int | None) -> None:
        """Offer an accepted model's answer as `TakeRow.show_place` does, or no longer where `voxels` is None."""
        self.take.setVisible(voxels is not None)
        self.take.show_place(here, length, voxels or 0)

    def show_difference(self, voxels: int | None, *, shown: bool, problem: str = "") -> None:
        """Say how many voxels of the open case would change, or why that cannot be said.

        Args:
            voxels: Outside what is protected; None where no answer can be laid beside the labels.
            shown: Whether the layer of the difference is there.
            problem: Why there is none, where that needs words.
        """
        some = "1 voxel" if voxels == 1 else f"{voxels or 0:,} voxels"
        words = problem if voxels is None else f"{some} of this case would change." if voxels else _SAME
        say(self.difference, words)
        self.tick.setVisible(voxels is not None)
        self.tick.setEnabled(bool(voxels) or shown)
        self.tick.blockSignals(True)
        self.tick.setChecked(shown)
        self.tick.blockSignals(False)

    def _say_headline(self, words: str, name: str) -> None:
        self.headline.setText(words)
        _rename(self.headline, name)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button in (self.accept_button, self.discard_button):
            buttons.addWidget(button, 1)
        decision = QVBoxLayout(self._decision)
        decision.setContentsMargins(0, 0, 0, 0)
        decision.setSpacing(4)
        decision.addLayout(buttons)
        decision.addWidget(self.error)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.headline, self.reason, self.table, self.held_out, self.notes, self.difference, self.tick):
            layout.addWidget(widget)
        layout.addWidget(self._decision)
        layout.addWidget(self.take)


def _make_primary(button: QPushButton, primary: bool) -> None:
    _rename(button, "primary" if primary else "")


def _rename(widget: QWidget, name: str) -> None:
    """Give a widget the look that the style sheet has for a name."""
    if widget.objectName() != name:
        widget.setObjectName(name)
        style = widget.style()
        if style is not None:
            style.unpolish(widget)
            style.polish(widget)
