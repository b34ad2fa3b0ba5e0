"""Fine-tune from a project: read what is confirmed there, teach the model, keep the new one as a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import OutputError, TrainingError
from napari_brainseg.base.local_time import local_time
from napari_brainseg.base.paths import shipped_models, why_not_writable
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.model_store.lineage import free_name
from napari_brainseg.model_store.model import load_model, save_model
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.finetune_settings import FinetuneSettings
from napari_brainseg.training.finetuning import FinetuneResult, finetune


@dataclass(frozen=True, eq=False)
class TaughtModel:
    """A fine-tuned model that lies in a folder, and how it came about.

    Attributes:
        record: The new model.
        result: What the fine-tuning gave.
        skipped: A sentence for every corrected case that could not be read, so that nothing was learnt from it.
    """

    record: ModelRecord
    result: FinetuneResult
    skipped: tuple[str, ...] = ()


def finetune_project(
    project: Project,
    record: ModelRecord,
    settings: FinetuneSettings | None = None,
    *,
    open_case: tuple[Case, Correction] | None = None,
    folder: Path | None = None,
    token: CancelToken | None = None,
) -> Generator[Progress, None, TaughtModel]:
    """Teach a model from every confirmed slice of a project that it was made for, and save it; nothing else changes.

    A corrected case that cannot be read is left out and named in the result.

    Args:
        project: Whose corrections are learnt from.
        record: The model to start from.
        settings: Steps, rate, layers …
        open_case: The open case with what is confirmed there now, taken in the place of what the project holds of it.
        folder: The new model's folder; by default a free name such as `lgg-2` in the project's models.
        token: Cancelling it stops the run; nothing is kept.

    Raises:
        TrainingError: Nothing is confirmed for this model.
        InputError: The project cannot be read, or a case does not fit the model.
        OutputError: The folder exists or cannot be written; found before the work.
    """
    yield Progress(0, 0, "reading the corrected cases")
    _check_place(project.models / free_name(record, (project.models,)) if folder is None else folder)
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
    result = yield from finetune(pairs, load_model(record), settings, token=token)
    if token is not None:
        token.raise_if_cancelled()
    # Asked again: another window may have saved one meanwhile.
    target = project.models / free_name(record, (project.models,)) if folder is None else folder
    saved = save_model(result.model, target, card(result, target.name))
    if token is not None and token.cancelled:  # pressed while it was being written
        shutil.rmtree(target, ignore_errors=True)
        token.raise_if_cancelled()
    return TaughtModel(saved, result, tuple(skipped))


def card(result: FinetuneResult, model_name: str) -> str:
    """Return the model card, Markdown."""
    record = result.model.record
    facts = record.training
    rows = "\n".join(f"| {name} | {result.before[name]:.3f} | {after:.3f} |" for name, after in result.after.items())
    cases = "\n".join(f"- {one['case']}: {', '.join(one['slices']) or 'a mask'}" for one in facts["data"])
    settings = facts["settings"]
    layers = "all weights" if settings["layers"] == "all" else "the decoder's weights alone"
    return f"""# {model_name}

{record.title}

Fine-tuned from **{facts["parent"]["name"]}** (version {facts["parent"]["version"]}) on slices that a person confirmed;
made on {local_time(str(facts["date"]))}. For research use, not for diagnosis.

## Learnt from

{cases}

{settings["steps"]} steps of AdamW at a rate of {settings["rate"]:g}, {layers}, seed {settings["seed"]}.

## Scores

Dice over the confirmed voxels, mean of the cases:

| region | before | after |
|---|---|---|
{rows}

## Limits

These are the very voxels that it learnt from, so the scores say how well it took them up, not how it does elsewhere.
It may do worse on other cases than {facts["parent"]["name"]} does.
"""


def _check_place(folder: Path) -> None:
    """Raise `OutputError` where the new model's folder could not be made, before minutes are spent on it."""
    if folder.exists():
        raise OutputError(f"{folder} exists. Choose another name for the model.")
    if shipped_models() in folder.absolute().parents:
        raise OutputError(f"{folder} lies among the models that came with the program. Choose another folder.")
    reason = why_not_writable(folder.parent)
    if reason is not None:
        raise OutputError(reason)
