"""`LearnController`: joins the panel Learn, the confirmations, the project and the fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.project import Confirmed, Project
from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.base.progress import CancelToken
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.model_store.store import ModelRecord, classes_in_words, why_not_ours
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background
from napari_brainseg.plugin.widgets.candidate_control import CandidateControl
from napari_brainseg.plugin.widgets.correction_saver import CorrectionSaver
from napari_brainseg.plugin.widgets.learn_panel import LearnPanel
from napari_brainseg.plugin.widgets.new_answer import NewAnswer
from napari_brainseg.training.finetune_settings import FinetuneSettings


@dataclass(frozen=True)
class LearnSources:
    """Where the controller asks for what other panels hold.

    Attributes:
        project: The project, or None where there is none.
        model: The model chosen under Segment, or None.
        device: The device chosen there.
    """

    project: Callable[[], Project | None]
    model: Callable[[], ModelRecord | None]
    device: Callable[[], str]


class LearnController(QObject):
    """Saves what is confirmed, counts it, runs Fine-tune and hands over what came of it, to be accepted or discarded.

    Signals:
        model_made(object): The `ModelRecord` of a new model that was accepted; model lists should be read again.
        save_failed(str): What is confirmed could not be saved; it stays in memory.
        contradicted(str): It was saved over what somebody else had confirmed in the same slices.
        answered(object, object): The `Segmentation` of a new model that was taken for the whole case, and None.
        said(str): What was taken of a new model's answer, or why nothing was.
    """

    model_made = Signal(object)
    save_failed = Signal(str)
    contradicted = Signal(str)
    answered = Signal(object, object)
    said = Signal(str)

    def __init__(
        self, panel: LearnPanel, answer: NewAnswer, sources: LearnSources, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._panel, self._confirmations, self._sources = panel, answer.confirmations, sources
        confirmations = answer.confirmations
        answer.said.connect(self.said)
        answer.taken.connect(self._on_taken)
        self._saver = CorrectionSaver(sources.project, self)
        self._task: BackgroundTask | None = None
        self._others: tuple[object, Confirmed] | None = None
        self.candidates = CandidateControl(panel.box, answer, self)
        self.candidates.accepted.connect(self._on_accepted)
        self.candidates.decided.connect(self._show_count)
        panel.box.discard_requested.connect(self._on_discarded)
        confirmations.correction_made.connect(self._saver.submit)
        confirmations.changed.connect(self._on_changed)
        panel.finetune_requested.connect(self._on_finetune_requested)
        panel.cancel_requested.connect(self._on_cancel_requested)
        self._saver.failed.connect(self._on_save_failed)
        self._saver.saved.connect(self._on_saved)
        self._saver.said.connect(self.contradicted)
        self._save_error, self._closed = "", False
        self.refresh()

    @property
    def running(self) -> bool:
        """Whether a fine-tuning runs."""
        return self._task is not None and not self._task.over

    def refresh(self) -> None:
        """Count again, as after another case, model or project was chosen."""
        self._others = None
        if self._panel.error.text() != self._save_error:
            self._panel.show_error("")  # it was about the choice before
        self.candidates.follow_case(self._confirmations.case)
        self._show_count()

    def leave_case(self) -> None:
        """Offer no answer for a case that is about to be left; a model that waits for a decision goes on waiting."""
        self.candidates.follow_case(None)

    def unsaved(self) -> tuple[str, ...]:
        """Wait for what is being saved, and return the ids of the cases whose confirmed slices are in no project."""
        self._confirmations.save_what_rests()
        self._saver.flush()
        return self._saver.unsaved

    def save_again(self) -> None:
        """Try once more to save what could not be saved, as in another project."""
        self._saver.save_again()

    def flush(self) -> None:
        """Wait until everything confirmed is saved or has failed."""
        self._saver.flush()

    def close(self) -> None:
        """Stop a run, save what waits and end the thread; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        self.candidates.close()
        self._saver.close()

    def _on_changed(self) -> None:
        self._show_count()

    def _show_count(self) -> None:
        if self.candidates.waiting:
            self._panel.show_undecided()
            return
        record = self._sources.model()
        try:
            count = self._count(record)
        except BrainsegError as error:
            self._panel.show_confirmed("", "")
            self._panel.show_error(str(error))
            return
        model = "" if record is None else record.display_name
        if record is not None and record.external is not None:
            self._panel.show_confirmed("", model, why_not_ours(record))
            return
        self._panel.show_confirmed(count.describe() if count.cases else "", model, self._fit(record))

    def _fit(self, record: ModelRecord | None) -> str:
        """Return what of the open case's confirmed labels the model knows otherwise, or why it cannot learn here."""
        known = self._confirmations
        if record is None or known.case is None or known.scheme is None or not self._anything_confirmed():
            return ""
        if not set(record.channels) <= set(known.case.expected):
            needs = ", ".join(record.channels)
            return f"{record.display_name} needs {needs}, so it cannot learn from this case. Choose another model."
        return classes_in_words(record, known.scheme)

    def _anything_confirmed(self) -> bool:
        mask = self._confirmations.mask
        return mask is not None and bool(mask.any())

    def _count(self, record: ModelRecord | None) -> Confirmed:
        """Count the open case from memory, and the others from the project, whose files are read once a case."""
        case, project = self._confirmations.case, self._sources.project()
        channels = () if record is None else record.channels
        key = (None if project is None else project.folder, channels, case)
        if self._others is None or self._others[0] != key:
            others = Confirmed(0, 0) if project is None else project.confirmed(channels, without=case)
            self._others = (key, others)
        others = self._others[1]
        fits = case is not None and set(channels) <= set(case.expected)
        # What was imported may fill no whole slice and is still something to learn from.
        if not fits or not self._anything_confirmed():
            return others
        return Confirmed(others.slices + len(self._confirmations.slices), others.cases + 1)

    def _on_finetune_requested(self, settings: FinetuneSettings) -> None:
        project, record = self._sources.project(), self._sources.model()
        if self.running or self.candidates.waiting or record is None:
            return
        if project is None:
            self._panel.show_error("There is no project to keep the new model in. Choose a place to save under Case.")
            return
        case, correction = self._confirmations.case, self._confirmations.correction()
        open_case = None if case is None or correction is None else (case, correction)
        settings, token = replace(settings, device=self._sources.device()), CancelToken()
        self.candidates.dismiss()
        self._panel.show_running()
        self._task = run_in_background(
            _work(project, record, settings, open_case, token),
            token=token,
            progressed=self._panel.show_progress,
            returned=partial(self._on_returned, project, case),
            errored=self._panel.show_error,
            finished=self._on_finished,
        )

    def _on_cancel_requested(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._panel.show_outcome("Cancelled. Nothing was kept.")

    def _on_returned(self, project: Project, case: Case | None, candidate: Any) -> None:
        self.candidates.show(candidate, project, case)
        self.candidates.follow_case(self._confirmations.case)

    def _on_accepted(self, record: ModelRecord) -> None:
        self._panel.show_outcome("")
        self.model_made.emit(record)

    def _on_taken(self, answer: Segmentation) -> None:
        # Where a model was unsure is what a person is led by; without it what was known before says more.
        if answer.uncertainty is not None:
            self.answered.emit(answer, None)

    def _on_discarded(self) -> None:
        if not self.candidates.waiting:
            self._panel.show_outcome("Discarded. Your models are as they were, and what you confirmed stays.")

    def _on_finished(self) -> None:
        self._panel.show_idle()
        self._show_count()

    def _on_save_failed(self, sentence: str) -> None:
        self._save_error = sentence
        self._panel.show_error(sentence)
        self.save_failed.emit(sentence)

    def _on_saved(self) -> None:
        if self._save_error and self._panel.error.text() == self._save_error and not self._saver.unsaved:
            self._panel.show_error("")


def _work(
    project: Project,
    record: ModelRecord,
    settings: FinetuneSettings,
    open_case: tuple[Case, Correction] | None,
    token: CancelToken,
) -> Generator[Any, None, Any]:
    # Started in the worker's thread: torch loads there, so that the window neither waits for it nor needs it to open.
    from napari_brainseg.training.project_finetuning import finetune_project

    return (yield from finetune_project(project, record, settings, open_case=open_case, token=token))
