"""`CandidateControl`: a fine-tuned model waits in memory for its acceptance; after that its answer can be taken."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.project import Project
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background
from napari_brainseg.plugin.widgets.candidate_box import CandidateBox
from napari_brainseg.plugin.widgets.case_layers import channel_files
from napari_brainseg.plugin.widgets.new_answer import NewAnswer

if TYPE_CHECKING:  # it loads torch, which the window opens without
    from napari_brainseg.training.project_finetuning import Candidate


@dataclass(frozen=True)
class _Exam:
    """Which exam an answer is for, without holding its images in memory."""

    id: str
    files: tuple[Path, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, case: Case) -> _Exam:
        return cls(case.id, channel_files(case), case.geometry.shape)


class CandidateControl(QObject):
    """Asks for the decision and carries it out.

    Signals:
        asked(): A new model waits for a decision.
        accepted(object): The `ModelRecord` that the new model became.
        decided(): No model waits for a decision any more.
    """

    asked = Signal()
    accepted = Signal(object)
    decided = Signal()

    def __init__(self, box: CandidateBox, answer: NewAnswer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._box, self._answer = box, answer
        self._candidate: Candidate | None = None
        self._project: Project | None = None
        self._exam: _Exam | None = None
        self._offer: tuple[Segmentation, str] | None = None
        self._task: BackgroundTask | None = None
        self._record: ModelRecord | None = None
        box.accept_requested.connect(self._on_accept)
        box.discard_requested.connect(self._on_discard)
        box.difference_toggled.connect(answer.show_difference)
        box.slices_requested.connect(self._on_slices)
        box.all_requested.connect(answer.take_all)
        box.done_requested.connect(self.dismiss)
        answer.changed.connect(self._show_answer)
        answer.confirmations.shown_changed.connect(self._show_answer)

    @property
    def waiting(self) -> bool:
        """Whether a model waits for a decision, or is being saved."""
        return self._candidate is not None

    @property
    def saving(self) -> bool:
        """Whether an accepted model is being saved."""
        return self._task is not None and not self._task.over

    def show(self, candidate: Candidate, project: Project, case: Case | None) -> None:
        """Ask what becomes of a new model.

        Args:
            candidate: What the fine-tuning gave.
            project: The one it was started in, which takes the model whatever is open when it is accepted.
            case: The one that was open then, for which the candidate has answers.
        """
        self._candidate, self._project, self._record = candidate, project, None
        self._exam = None if case is None else _Exam.of(case)
        self._offer = None if candidate.answer is None else (candidate.answer, "the new model")
        left_out = [f"Left out: {sentence}" for sentence in candidate.skipped]
        self._box.show_candidate(candidate.result.table, [*left_out, *candidate.result.notes])
        self.follow_case(case)
        self.asked.emit()

    def follow_case(self, case: Case | None) -> None:
        """Offer the answer while its exam is open, and not while another one is; the decision waits."""
        mine = case is not None and self._offer is not None and _Exam.of(case) == self._exam
        if not mine:
            self._answer.forget()
        elif self._offer is not None and not self._answer.offered:
            self._answer.offer(*self._offer)

    def dismiss(self) -> None:
        """Show nothing more of an accepted model; one that waits for a decision stays."""
        if not self.waiting:
            self._clear()

    def close(self) -> None:
        """Drop a model that nobody accepted, with its answer; one that is being saved is saved."""
        if self._task is not None:
            self._task.cancel()
        self._candidate = None
        self._answer.changed.disconnect(self._show_answer)
        self._answer.confirmations.shown_changed.disconnect(self._show_answer)
        self._answer.close()

    def _on_accept(self) -> None:
        candidate, project = self._candidate, self._project
        if candidate is None or project is None or self.saving:
            return
        self._box.show_saving()
        self._task = run_in_background(
            _saved(candidate, project),
            returned=partial(self._on_saved, project),
            errored=self._box.show_undecided,
        )

    def _on_saved(self, project: Project, record: ModelRecord) -> None:
        self._candidate, self._record = None, record
        self._box.show_accepted(f"{record.display_name} is saved in the project {project.folder}.")
        if self._offer is not None and self._answer.offered:
            self._offer = (replace(self._offer[0], model=f"{record.name} {record.version}"), record.display_name)
            self._answer.offer(*self._offer)
            self._answer.show_difference(bool(self._answer.voxels))
        self._show_answer()
        self.accepted.emit(record)
        self.decided.emit()

    def _on_discard(self) -> None:
        if self._candidate is not None and not self.saving:
            self._clear()
            self.decided.emit()

    def _on_slices(self, first: int, last: int) -> None:
        self._answer.take_slices(self._answer.confirmations.axis, first, last)

    def _clear(self) -> None:
        self._candidate = self._project = self._exam = self._offer = self._record = None
        self._box.hide()
        self._answer.forget()

    def _show_answer(self) -> None:
        answer, confirmations = self._answer, self._answer.confirmations
        self._box.show_difference(answer.voxels, shown=answer.layer is not None, problem=answer.problem)
        if self._record is not None:
            shown = confirmations.shown
            self._box.show_take(None if shown is None else shown.index, confirmations.length, answer.voxels)


def _saved(candidate: Candidate, project: Project) -> Generator[Any, None, ModelRecord]:
    from napari_brainseg.training.project_finetuning import accept

    record = accept(candidate, project)
    # Only now: a window that is closed meanwhile must not undo what the person decided.
    yield Progress(1, 1, "saved")
    return record
