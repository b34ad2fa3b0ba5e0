"""The Segment panel: which model, on what device, on what of the case, and what becomes of the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QTextBrowser,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_brainseg.cases.case import Case
from napari_brainseg.model_store.card import score_line
from napari_brainseg.model_store.domain import unlike_in_words
from napari_brainseg.model_store.external import KINDS
from napari_brainseg.model_store.lineage import Lineage, history_line
from napari_brainseg.model_store.store import ModelRecord, fit_in_words
from napari_brainseg.plugin.widgets.ask_row import AskRow
from napari_brainseg.plugin.widgets.model_menu import ModelMenu
from napari_brainseg.plugin.widgets.style import error_line, hint, say
from napari_brainseg.plugin.widgets.task_row import TaskRow


@dataclass(frozen=True)
class SegmentRequest:
    """What the form asks for when Segment is pressed."""

    model: ModelRecord
    device: str
    whole_case: bool
    probabilities: bool
    replace: bool
    uncertainty: bool = False
    flips: bool = False


class SegmentPanel(QWidget):
    """A form that yields a `SegmentRequest`, and the other ways to get labels to work on."""

    segment_requested = Signal(object)  # SegmentRequest
    start_from_requested = Signal(object)  # the value of the chosen option
    model_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.next_step = hint()
        self.model_box, self.device_box = _combo(), _combo()
        self.device_box.addItem("auto", "auto")
        self.card_button = QToolButton()
        self.card_button.setObjectName("link")
        self.card_button.setText("card")
        self.card_button.setCheckable(True)
        self.card = QTextBrowser()
        self.card.setOpenExternalLinks(True)
        self.card.setFixedHeight(220)
        self.card.hide()
        self.model_menu, self.ask_row = ModelMenu(), AskRow()
        self.scores = hint()
        self.fit = hint()
        self.slice_button, self.case_button = QRadioButton("this slice"), QRadioButton("whole case")
        self.case_button.setChecked(True)
        self._extent = QButtonGroup(self)
        for button in (self.slice_button, self.case_button):
            self._extent.addButton(button)
        self.probabilities = QCheckBox("probabilities")
        self.probabilities.setToolTip("Adds one image layer per region, hidden at first")
        self.uncertainty = QCheckBox("uncertainty")
        self.uncertainty.setToolTip("Adds an image layer that is bright where the model is unsure")
        self.flips = QCheckBox("average over flips")
        self.flips.setToolTip("Also runs the model on mirrored images: slower, a little steadier")
        self.result_box = _combo()
        self.result_box.addItem("replaces the working labels", True)
        self.result_box.addItem("becomes a layer of its own", False)
        self.result_box.setToolTip("Replacing is one undo step; edited labels are never lost silently")
        self.result_label = QLabel("Result")
        self.task = TaskRow("Segment")
        self.error, self.outcome, self.notes = error_line(), hint(), hint()
        self.outcome.hide()
        self.notes.hide()
        self.start_box, self.start_button = _combo(), QPushButton("Start")
        self._case: Case | None = None
        self._unavailable = ""
        self._lay_out()
        self._connect()
        self.show_case(None)
        self.show_working(False)

    @property
    def model(self) -> ModelRecord | None:
        """The chosen model, or None while there is none."""
        chosen = self.model_box.currentData()
        return chosen if isinstance(chosen, ModelRecord) else None

    def show_models(self, records: Sequence[ModelRecord], chosen: ModelRecord | None) -> None:
        """Fill the drop-down with models; `chosen` is selected, or none where no model fits."""
        self.model_box.blockSignals(True)
        self.model_box.clear()
        lineage = Lineage(records)
        for index, record in enumerate(records):
            self.model_box.addItem(entry_text(record), record)
            runs = "" if record.external is None else record.external.in_words
            told = (record.title, history_line(record, lineage.parent(record)), runs)
            self.model_box.setItemData(index, "\n".join(filter(None, told)), Qt.ItemDataRole.ToolTipRole)
        names = [record.name for record in records]
        self.model_box.setCurrentIndex(-1 if chosen is None else names.index(chosen.name))
        self.model_box.blockSignals(False)
        self._on_model_changed()

    def show_devices(self, devices: Sequence[tuple[str, str]]) -> None:
        """Fill the drop-down with (id, words), keeping the choice where it still exists."""
        chosen = self.device_box.currentData()
        self.device_box.clear()
        for id, words in devices:
            self.device_box.addItem(words, id)
        self.device_box.setCurrentIndex(max(0, self.device_box.findData(chosen)))

    def show_case(self, case: Case | None) -> None:
        """Show what the models can do with `case`; None when nothing is open."""
        self._case = case
        self._refresh()

    def show_start_options(self, options: Sequence[tuple[str, object]]) -> None:
        """Offer other labels to start from: (words, value), the first preselected."""
        self.start_box.clear()
        for words, value in options:
            self.start_box.addItem(words, value)
        self._refresh()

    def show_working(self, exists: bool) -> None:
        """Ask what becomes of a result only where labels exist already."""
        self.result_box.setVisible(exists)
        self.result_label.setVisible(exists)

    def show_unavailable(self, reason: str) -> None:
        """Say why no model can run here; the other ways to labels stay."""
        self._unavailable = reason
        self._refresh()

    def show_error(self, text: str) -> None:
        """Show one red sentence, or nothing."""
        say(self.error, text)

    def show_outcome(self, text: str) -> None:
        """Show one grey line about how the last run ended, or nothing."""
        say(self.outcome, text)

    def show_notes(self, notes: Sequence[str]) -> None:
        """Show what the last run did unasked, one sentence a line: less memory, steps after the labels; or nothing.

        What already stands below the form, how the case is unlike those of the model, is not said twice.
        """
        shown = self.fit.text().splitlines()
        say(self.notes, "\n".join(note for note in notes if note not in shown))

    def _connect(self) -> None:
        self.model_box.currentIndexChanged.connect(self._on_model_changed)
        self.card_button.toggled.connect(self.card.setVisible)
        self.task.start_requested.connect(self._on_start)
        self.start_button.clicked.connect(lambda: self.start_from_requested.emit(self.start_box.currentData()))

    def _on_start(self) -> None:
        model = self.model
        if model is None:
            return
        self.segment_requested.emit(
            SegmentRequest(
                model=model,
                device=str(self.device_box.currentData()),
                whole_case=self.case_button.isChecked(),
                probabilities=self.probabilities.isChecked(),
                replace=bool(self.result_box.currentData()),
                uncertainty=self.uncertainty.isChecked(),
                flips=self.flips.isChecked(),
            )
        )

    def _on_model_changed(self) -> None:
        model = self.model
        self.card.setMarkdown(model.card if model else "")
        say(self.scores, score_line(model) if model else "")
        self.card_button.setEnabled(bool(model and model.card))
        self.model_box.setToolTip(str(self.model_box.currentData(Qt.ItemDataRole.ToolTipRole) or ""))
        self._refresh()
        self.model_changed.emit()

    def _refresh(self) -> None:
        model, case = self.model, self._case
        reason = self._unavailable or why_not(model, case, bool(self.model_box.count()))
        say(self.next_step, reason)
        self.task.start_button.setEnabled(not reason)
        for widget in (self.start_box, self.start_button):
            widget.setEnabled(case is not None and self.start_box.count() > 0)
        told = () if reason or model is None or case is None else _about(model, case)
        say(self.fit, "\n".join(filter(None, told)))

    def _lay_out(self) -> None:
        form = QGridLayout()
        form.setVerticalSpacing(5)
        form.setColumnStretch(1, 1)
        model_row = QHBoxLayout()
        model_row.addWidget(self.model_box, 1)
        model_row.addWidget(self.card_button)
        model_row.addWidget(self.model_menu)
        extent = QHBoxLayout()
        extent.addWidget(self.case_button)
        extent.addWidget(self.slice_button)
        extent.addStretch(1)
        maps = QHBoxLayout()
        maps.setSpacing(12)
        maps.addWidget(self.probabilities)
        maps.addWidget(self.uncertainty)
        maps.addStretch(1)
        form.addWidget(QLabel("Model"), 0, 0)
        form.addLayout(model_row, 0, 1)
        form.addWidget(self.scores, 1, 1)
        form.addWidget(self.card, 2, 0, 1, 2)
        form.addWidget(self.ask_row, 3, 0, 1, 2)
        form.addWidget(QLabel("Device"), 4, 0)
        form.addWidget(self.device_box, 4, 1)
        form.addWidget(QLabel("On"), 5, 0)
        form.addLayout(extent, 5, 1)
        form.addWidget(self.result_label, 6, 0)
        form.addWidget(self.result_box, 6, 1)
        form.addWidget(QLabel("Also"), 7, 0)
        form.addLayout(maps, 7, 1)
        form.addWidget(self.flips, 8, 1)
        start = QHBoxLayout()
        start.setSpacing(4)
        from_label = hint("or start from")
        from_label.setWordWrap(False)
        from_label.setMinimumWidth(0)  # that is: what its text needs
        start.addWidget(from_label)
        start.addWidget(self.start_box, 1)
        start.addWidget(self.start_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(form)
        for widget in (self.fit, self.next_step, self.task, self.error, self.outcome, self.notes):
            layout.addWidget(widget)
        layout.addLayout(start)


def _about(model: ModelRecord, case: Case) -> tuple[str, ...]:
    """Return what to know before a model runs on a case: channels it does without, and what is unlike its own cases."""
    return fit_in_words(model, case), *unlike_in_words(case, [model])


def why_not(model: ModelRecord | None, case: Case | None, any_model: bool) -> str:
    """Return what to do before Segment can be pressed; empty when it can."""
    if case is None:
        return "Open a case first."
    if not any_model:
        return "No model was found. Put a model folder into the project's models folder, or start from labels."
    if model is None:
        return "No model was made for these channels. Choose one anyway, or start from labels."
    if not set(model.channels) & set(case.channels):
        return f"{model.display_name} needs {', '.join(model.channels)}, and this case has {', '.join(case.channels)}."
    return ""


def entry_text(record: ModelRecord) -> str:
    """Return how a model is named in a list: `lgg·2`, or with its version, or with the program that it is of."""
    if record.external is not None:
        return f"{record.name} ({KINDS[record.external.kind]})"
    return record.display_name if record.parent is not None else f"{record.name} (v{record.version})"


def _combo() -> QComboBox:
    box = QComboBox()
    # The panel keeps its width whatever the longest entry is.
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(10)
    return box
