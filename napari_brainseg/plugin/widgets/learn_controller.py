"""`LearnController`: joins the panel Learn, the confirmations, the project and the fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.project import Confirmed, Project
from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.base.progress import CancelToken
from napari_brainseg.cases.case import Case
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background
from napari_brainseg.plugin.widgets.confirmations import Confirmations
from napari_brainseg.plugin.widgets.correction_saver import CorrectionSaver
from napari_brainseg.plugin.widgets.learn_panel import LearnPanel
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
    """Saves what is confirmed, counts it, runs Fine-tune and shows what came of it.

    Signals:
        model_made(object): The `ModelRecord` of a new model in the project; model lists should be read again.
        save_failed(str): What is confirmed could not be saved; it stays in memory.
        contradicted(str): It was saved over what somebody else had confirmed in the same slices.
    """

    model_made = Signal(object)
    save_failed = Signal(str)
    contradicted = Signal(str)

    def __init__(
        self, panel: LearnPanel, confirmations: Confirmations, sources: LearnSources, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._panel, self._confirmations, self._sources = panel, confirmations, sources
        self._saver = CorrectionSaver(sources.project, self)
        self._task: BackgroundTask | None = None
        self._others: tuple[object, Confirmed] | None = None
        confirmations.correction_made.connect(self._saver.submit)
        confirmations.changed.connect(self._on_changed)
        panel.finetune_requested.connect(self._on_finetune_requested)
        panel.cancel_requested.connect(self._on_cancel_requested)
        self._saver.failed.connect(self._on_save_failed)
        self._saver.saved.connect(self._on_saved)
        self._saver.said.connect(self.contradicted)
        self._save_error = ""
        self.refresh()

    @property
    def running(self) -> bool:
        """Whether a fine-tuning runs."""
        return self._task is not None and not self._task.over

    def refresh(self) -> None:
        """Count again, as after another case, model or project was chosen."""
        self._others = None
        self._show_count()

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
        """Stop a run, save what waits and end the thread."""
        if self._task is not None:
            self._task.cancel()
        self._saver.close()

    def _on_changed(self) -> None:
        self._show_count()

    def _show_count(self) -> None:
        record = self._sources.model()
        try:
            count = self._count(record)
        except BrainsegError as error:
            self._panel.show_confirmed("", "")
            self._panel.show_error(str(error))
            return
        model = "" if record is None else record.display_name
        self._panel.show_confirmed(count.describe() if count.slices else "", model)

    def _count(self, record: ModelRecord | None) -> Confirmed:
        """Count the open case from memory, and the others from the project, whose files are read once a case."""
        case, project = self._confirmations.case, self._sources.project()
        channels = () if record is None else record.channels
        key = (None if project is None else project.folder, channels, case)
        if self._others is None or self._others[0] != key:
            others = Confirmed(0, 0) if project is None else project.confirmed(channels, without=case)
            self._others = (key, others)
        here = len(self._confirmations.slices) if case is not None and set(channels) <= set(case.expected) else 0
        others = self._others[1]
        return Confirmed(others.slices + here, others.cases + bool(here))

    def _on_finetune_requested(self, settings: FinetuneSettings) -> None:
        project, record = self._sources.project(), self._sources.model()
        if self.running or record is None:
            return
        if project is None:
            self._panel.show_error("There is no project to keep the new model in. Choose a place to save under Case.")
            return
        case, correction = self._confirmations.case, self._confirmations.correction()
        open_case = None if case is None or correction is None else (case, correction)
        settings, token = replace(settings, device=self._sources.device()), CancelToken()
        self._panel.show_running()
        self._task = run_in_background(
            _work(project, record, settings, open_case, token),
            token=token,
            progressed=self._panel.show_progress,
            returned=self._on_returned,
            errored=self._panel.show_error,
            finished=self._on_finished,
        )

    def _on_cancel_requested(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._panel.show_cancelled()

    def _on_returned(self, taught: Any) -> None:
        self._panel.show_result(taught.record.display_name, taught.result.before, taught.result.after)
        if taught.skipped:
            self._panel.show_error(f"Left out: {' '.join(taught.skipped)}")
        self.model_made.emit(taught.record)

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
