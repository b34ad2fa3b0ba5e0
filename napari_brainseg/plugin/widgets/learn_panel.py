"""`LearnPanel`: what is confirmed, Fine-tune with its live curve, and what came out of it. No task runs here."""

from __future__ import annotations

import math

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QToolButton, QVBoxLayout, QWidget

from napari_brainseg.base.progress import Progress
from napari_brainseg.plugin.widgets.candidate_box import CandidateBox
from napari_brainseg.plugin.widgets.finetune_form import FinetuneForm
from napari_brainseg.plugin.widgets.loss_curve import LossCurve
from napari_brainseg.plugin.widgets.style import error_line, hint, say
from napari_brainseg.plugin.widgets.task_row import TaskRow

_NOTHING = "Correct a slice, then confirm it with K. One is enough to start."
_UNDECIDED = "Accept or discard the new model first."


class LearnPanel(QWidget):
    """The panel Learn.

    Signals:
        finetune_requested(FinetuneSettings): The person pressed Fine-tune; the device is left `auto`.
        cancel_requested(): The person pressed Cancel.
    """

    finetune_requested = Signal(object)
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state, self.fit = hint(_NOTHING), hint()
        self.fit.hide()
        self.row = TaskRow("Fine-tune")
        self.row.start_requested.connect(self._on_start)
        self.row.cancel_requested.connect(self.cancel_requested)
        self.row.start_button.setEnabled(False)
        self.advanced = QToolButton()
        self.advanced.setObjectName("link")
        self.advanced.setText("Advanced")
        self.advanced.setCheckable(True)
        self.advanced.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.advanced.setArrowType(Qt.ArrowType.RightArrow)
        self.advanced.toggled.connect(self._on_advanced)
        self.form = FinetuneForm()
        self.form.hide()
        self.curve = LossCurve()
        self.curve.hide()
        self.error = error_line()
        self.outcome = hint()
        self.outcome.hide()
        self.box = CandidateBox()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.state)
        layout.addWidget(self.fit)
        layout.addWidget(self.row)
        layout.addWidget(self.advanced, 0, Qt.AlignmentFlag.AlignRight)
        for widget in (self.form, self.curve, self.error, self.outcome, self.box):
            layout.addWidget(widget)

    def show_confirmed(self, text: str, model: str, fit: str = "") -> None:
        """Show what there is to learn from (an empty text where there is nothing) and which model is taught.

        Args:
            text: How much is confirmed that this model can learn from.
            model: Its name; empty where none is chosen.
            fit: What of the confirmed classes the model knows otherwise, or why it cannot learn from this case.
        """
        ready = bool(text and model)
        self.row.start_button.setEnabled(ready)
        say(self.fit, fit)
        if ready:
            say(self.state, f"{text[:1].upper()}{text[1:]}. Teaches a copy of {model}.")
        else:
            say(self.state, f"{text}. Choose a model under Segment first." if text else "" if fit else _NOTHING)

    def show_undecided(self) -> None:
        """Say that another run waits for the decision on the last."""
        self.row.start_button.setEnabled(False)
        say(self.fit, "")
        say(self.state, _UNDECIDED)

    def show_running(self) -> None:
        """Put progress in the place of the button, and an empty curve below."""
        self.show_error("")
        self.outcome.hide()
        self.curve.clear()
        self.curve.show()
        self.row.show_running("starting")

    def show_progress(self, report: Progress) -> None:
        """Move the bar and, where the report has them, the curve by its loss and Dice."""
        self.row.show_progress(report)
        loss, dice, held_out = (getattr(report, name, math.nan) for name in ("loss", "dice", "held_out"))
        if report.done:
            self.curve.add(report.total, loss, dice, held_out)

    def show_idle(self) -> None:
        """Bring the button back, in every ending."""
        self.row.show_idle()
        if not self.curve.losses:
            self.curve.hide()

    def show_outcome(self, sentence: str) -> None:
        """Say how it ended, in the place of the curve; nothing where the box below says it."""
        self.curve.clear()
        self.curve.hide()
        say(self.outcome, sentence)

    def show_error(self, sentence: str) -> None:
        """Show why it failed, or nothing."""
        say(self.error, sentence)

    def _on_start(self) -> None:
        self.finetune_requested.emit(self.form.settings)

    def _on_advanced(self, opened: bool) -> None:
        self.advanced.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.form.setVisible(opened)
