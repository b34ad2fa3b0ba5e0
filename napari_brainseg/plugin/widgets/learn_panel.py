"""`LearnPanel`: what is confirmed, Fine-tune with its live curve, and what came out of it. No task runs here."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QGridLayout, QLabel, QSpinBox, QToolButton, QVBoxLayout, QWidget

from napari_brainseg.base.progress import Progress
from napari_brainseg.plugin.widgets.loss_curve import LossCurve
from napari_brainseg.plugin.widgets.style import error_line, hint, say
from napari_brainseg.plugin.widgets.task_row import TaskRow
from napari_brainseg.training.finetune_settings import FinetuneSettings

LAYERS = (("all weights", "all"), ("decoder only", "decoder"))
RATES = (("gentle, 0.0001", 1e-4), ("usual, 0.0003", 3e-4), ("strong, 0.001", 1e-3))
_NOTHING = "Correct a slice, then confirm it with K. One is enough to start."


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
        self.state = hint(_NOTHING)
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
        self._form = self._make_form()
        self._form.hide()
        self.curve = LossCurve()
        self.curve.hide()
        self.error = error_line()
        self.outcome = hint()
        self.outcome.hide()
        self._table = QWidget()
        self._table.hide()
        self._cells = QGridLayout(self._table)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.state)
        layout.addWidget(self.row)
        layout.addWidget(self.advanced, 0, Qt.AlignmentFlag.AlignRight)
        for widget in (self._form, self.curve, self.error, self.outcome, self._table):
            layout.addWidget(widget)

    @property
    def settings(self) -> FinetuneSettings:
        """What the form says."""
        return FinetuneSettings(
            steps=self.steps.value(), rate=self.rate.currentData(), layers=self.layers.currentData()
        )

    def show_confirmed(self, text: str, model: str) -> None:
        """Show what there is to learn from (an empty text where there is nothing) and which model is taught."""
        ready = bool(text and model)
        self.row.start_button.setEnabled(ready)
        if ready:
            say(self.state, f"{text[:1].upper()}{text[1:]}. Teaches a copy of {model}.")
        else:
            say(self.state, f"{text}. Choose a model under Segment first." if text else _NOTHING)

    def show_running(self) -> None:
        """Put progress in the place of the button, and an empty curve below."""
        self.show_error("")
        self.outcome.hide()
        self._table.hide()
        self.curve.clear()
        self.curve.show()
        self.row.show_running("starting")

    def show_progress(self, report: Progress) -> None:
        """Move the bar and, where the report has them, the curve by its loss and Dice."""
        self.row.show_progress(report)
        if report.done:
            self.curve.add(report.total, getattr(report, "loss", float("nan")), getattr(report, "dice", float("nan")))

    def show_idle(self) -> None:
        """Bring the button back, in every ending."""
        self.row.show_idle()
        if not self.curve.losses:
            self.curve.hide()

    def show_cancelled(self) -> None:
        """Say that nothing was kept."""
        self.curve.clear()
        say(self.outcome, "Cancelled. Nothing was kept.")

    def show_error(self, sentence: str) -> None:
        """Show why it failed, or nothing."""
        say(self.error, sentence)

    def show_result(self, name: str, before: Mapping[str, float], after: Mapping[str, float]) -> None:
        """Show the new model's name and a table of Dice per region on the confirmed slices, before and after."""
        say(self.outcome, f"{name} is ready and can be chosen under Segment. Dice on the slices it learnt from:")
        while (item := self._cells.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        for column, title in enumerate(("", "before", "after", "change")):
            self._put(0, column, title, "fact")
        for row, region in enumerate(before, start=1):
            change = after[region] - before[region]
            self._put(row, 0, region, "strong")
            self._put(row, 1, f"{before[region]:.3f}", "")
            self._put(row, 2, f"{after[region]:.3f}", "strong")
            self._put(row, 3, f"{change:+.3f}", "good" if change >= 0 else "error")
        self._table.show()

    def table_text(self) -> list[list[str]]:
        """Return the table's texts by row."""
        rows = []
        for row in range(self._cells.rowCount()):
            items = [self._cells.itemAtPosition(row, column) for column in range(4)]
            labels = [item.widget() for item in items if item is not None]
            if labels:
                rows.append([label.text() for label in labels if isinstance(label, QLabel)])
        return rows

    def _put(self, row: int, column: int, text: str, name: str) -> None:
        label = QLabel(text)
        label.setObjectName(name)
        if column:
            label.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._cells.addWidget(label, row, column)

    def _make_form(self) -> QWidget:
        usual = FinetuneSettings()
        self.layers = QComboBox()
        for text, value in LAYERS:
            self.layers.addItem(text, value)
        self.rate = QComboBox()
        for text, number in RATES:
            self.rate.addItem(text, number)
        self.rate.setCurrentIndex(self.rate.findData(usual.rate))
        self.steps = QSpinBox()
        self.steps.setRange(1, 2000)
        self.steps.setValue(usual.steps)
        form = QWidget()
        rows = QFormLayout(form)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow("Layers", self.layers)
        rows.addRow("Steps", self.steps)
        rows.addRow("Rate", self.rate)
        return form

    def _on_start(self) -> None:
        self.finetune_requested.emit(self.settings)

    def _on_advanced(self, opened: bool) -> None:
        self.advanced.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self._form.setVisible(opened)
