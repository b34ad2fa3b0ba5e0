"""Fine-tune from a project: read what is confirmed there, teach the model, and save the new one once it is accepted."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import OutputError, TrainingError
from napari_brainseg.base.paths import shipped_models, why_not_writable
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.card import model_card
from napari_brainseg.model_store.lineage import free_name
from napari_brainseg.model_store.model import load_model, save_model
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.finetune_settings import FinetuneSettings
from napari_brainseg.training.finetuning import FinetuneResult, finetune


@dataclass(frozen=True, eq=False)
class Candidate:
    """A fine-tuned model that nobody has accepted yet: it lies in memory alone.

    Attributes:
        parent: The model it was taught from.
        result: The new model, the table and what is recommended.
        skipped: A sentence for every corrected case that could not be read, so that nothing was learnt from it.
        former: The parent's answer for the open case; None where no case is open.
        answer: The new model's.
    """

    parent: ModelRecord
    result: FinetuneResult
    skipped: tuple[str, ...] = ()
    former: Segmentation | None = None
    answer: Segmentation | None = None

    @property
    def changed_voxels(self) -> int:
        """In how many voxels of the open case the new model's answer differs from its parent's."""
        if self.former is None or self.answer is None:
            return 0
        return int(np.count_nonzero(self.former.labels != self.answer.labels))


def finetune_project(
    project: Project,
    record: ModelRecord,
    settings: FinetuneSettings | None = None,
    *,
    open_case: tuple[Case, Correction] | None = None,
    token: CancelToken | None = None,
) -> Generator[Progress, None, Candidate]:
    """Teach a model from every confirmed slice of a project that it was made for; nothing is saved or replaced.

    A corrected case that cannot be read is left out and named in the result.

    Args:
        project: Whose corrections are learnt from.
        record: The model to start from.
        settings: Steps, rate, layers …
        open_case: The open case with what is confirmed there now, taken in the place of what the project holds of it.
        token: Cancelling it stops the run; nothing is kept.

    Raises:
        TrainingError: Nothing is confirmed for this model.
        InputError: The project cannot be read, or a case does not fit the model.
    """
    settings, token = settings or FinetuneSettings(), token or CancelToken()
    yield Progress(0, 0, "reading the corrected cases")
    fits = open_case is not None and set(record.channels) <= set(open_case[0].expected)
    pairs = [open_case] if open_case is not None and fits and not open_case[1].is_empty else []
    skipped: list[str] = []
    without = None if open_case is None else open_case[0]
    for pair in project.corrections(record.channels, without=without, skipped=skipped):
        pairs.append(pair)
        yield Progress(0, 0, f"reading the corrected cases, {len(pairs)} so far")
    if not pairs and skipped:
        raise TrainingError(f"No corrected case can be read. {' '.join(skipped)}")
    if not pairs:
        raise TrainingError(
            f"{project.folder} holds no confirmed slices with the channels {', '.join(record.channels)} that "
            f"{record.name} needs. Confirm slices of such a case first, or choose another model."
        )
    parent = load_model(record)
    newest = "" if without is None else without.id
    result = yield from finetune(pairs, parent, settings, newest=newest, token=token)
    former = answer = None
    if open_case is not None and fits:
        run = SegmentSettings(device=settings.device, uncertainty="entropy")  # says where to look next
        yield Progress(0, 0, f"segmenting {open_case[0].id} again")
        former = yield from segment(open_case[0], parent, run, token)
        answer = yield from segment(open_case[0], result.model, run, token)
    token.raise_if_cancelled()
    return Candidate(record, result, tuple(skipped), former, answer)


def accept(candidate: Candidate, project: Project, folder: Path | None = None) -> ModelRecord:
    """Save a candidate as a model of its own; its parent stays as it is.

    The folder is written aside and renamed: after a crash there is the new model or none.

    Args:
        candidate: What `finetune_project` returned.
        project: Where models are kept.
        folder: Where to save it instead.

    Raises:
        OutputError: The folder exists or cannot be written.
    """
    target = project.models / free_name(candidate.parent, (project.models,)) if folder is None else folder
    check_place(target)
    model = candidate.result.model
    return save_model(model, target, model_card(replace(model.record, name=target.name)))


def check_place(folder: Path) -> None:
    """Raise `OutputError` where the new model's folder could not be made, before minutes are spent on it."""
    if folder.exists():
        raise OutputError(f"{folder} exists. Choose another name for the model.")
    if shipped_models() in folder.absolute().parents:
        raise OutputError(f"{folder} lies among the models that came with the program. Choose another folder.")
    reason = why_not_writable(folder.parent)
    if reason is not None:
        raise OutputError(reason)
