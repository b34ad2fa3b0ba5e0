"""Score models on a part of their splits: its cases are segmented first. The test part is read only when final."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_brainseg.base.errors import InputError, OutputError, TrainingError
from napari_brainseg.base.paths import refuse_unwritable, write_text
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.reading import CaseFiles, OpenOptions, read_case
from napari_brainseg.cases.writing import write_outputs
from napari_brainseg.evaluation.case_scores import Comparison
from napari_brainseg.evaluation.evaluating import Evaluation, evaluate
from napari_brainseg.evaluation.label_pairs import in_one_scheme
from napari_brainseg.evaluation.parts import part_names, plain
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.store import ModelRecord, fit_in_words
from napari_brainseg.training.folds import Fold, SplitPart, files_of, find_folds, run_folder
from napari_brainseg.training.splits import patient_of

FINAL = "final.json"


@dataclass(frozen=True)
class Keeping:
    """Where the masks that a model finds are kept, under the names that an export gives them.

    Attributes:
        folder: For the masks.
        overwrite: Whether masks that lie there already are replaced.
    """

    folder: Path
    overwrite: bool = False

    def refuse_mixture(self) -> None:
        """Raise `OutputError` where something is in the folder that may not be replaced, or it cannot be written."""
        if not self.overwrite and self.folder.is_dir() and any(self.folder.iterdir()):
            raise OutputError(f"{self.folder} is not empty. Choose another folder, or add --overwrite.")
        refuse_unwritable(self.folder)


@dataclass(frozen=True, eq=False)
class ModelEvaluation:
    """The evaluation of one model or more.

    Attributes:
        evaluation: The scores.
        facts: What was compared, in words by name.
        origin: The models with version, SHA-256 of the weights and split, and which of them segmented each case, as
            plain values for the file.
        files: The files of the cases.
    """

    evaluation: Evaluation
    facts: Mapping[str, Any]
    origin: Mapping[str, Any]
    files: Mapping[str, CaseFiles]


def evaluate_models(
    models: Sequence[str | Path],
    cases: Path,
    chosen: SplitPart,
    options: OpenOptions,
    device: str = "auto",
    keep: Keeping | None = None,
) -> Generator[Progress, None, ModelEvaluation]:
    """Segment the cases of a part of each model's split, and score all of them together.

    Reading the test part is written to `final.json` of the model's run before a case of it is read, so that no look
    at it goes uncounted.

    Args:
        models: Names or folders. Several are the folds of a cross-validation: each segments its own part.
        cases: Folder of labelled cases.
        chosen: Which of them.
        options: How they are opened.
        device: Where the models compute.
        keep: Where the masks are written; by default they are not.

    Raises:
        ModelError: There is no such model.
        TrainingError: The test part is not said to be final, a split cannot be used, a case would be scored twice, or
            the models differ in what they give.
        InputError: There are no cases, or none of the part could be scored.
        OutputError: The final reading cannot be recorded, or the masks cannot be kept.
    """
    chosen.refuse_unsaid()
    folds = find_folds(models, chosen)
    files = files_of(folds, cases, chosen.part)
    if keep is not None:
        keep.refuse_mixture()
    facts = {
        "model": ", ".join(f"{fold.record.name} {fold.record.version}" for fold in folds),
        "split": f"{', '.join(fold.split_name for fold in folds)} in {chosen.file}",
        "part": chosen.part,
        "final": chosen.final,
    }
    if device != "auto":
        from napari_brainseg.inference.devices import resolve_device

        resolve_device(device)  # a wrong one must not cost a reading of the test part
    if chosen.final:
        facts["test_part_readings"] = max(record_final(f.record, f.split_name, len(f.ids)) for f in folds)
    model_of = {case_id: fold for fold in folds for case_id in fold.ids}
    notes = tuple(note for fold in folds for note in fold.learned_from())
    evaluation = yield from evaluate(
        tuple(model_of), _Segmenter(model_of, files, options, device, keep), patient_of, notes
    )
    origin = {
        "models": [fold.to_json() for fold in folds],
        "predicted_by": {case.case_id: model_of[case.case_id].title for case in evaluation.cases},
    }
    return ModelEvaluation(evaluation, facts, origin, files)


def record_final(record: ModelRecord, split: str, cases: int) -> int:
    """Write to the model's run that its test part is read now; return how often it was, this time included.

    A model outside of a run has nowhere to keep it, and every reading counts as the first.
    """
    run = run_folder(record)
    if run is None:
        return 1
    readings = _readings(run / FINAL)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    sha256 = record.training.get("sha256", "")
    readings.append({"date": moment, "split": split, "cases": cases, "weights_sha256": sha256})
    write_text(run / FINAL, json.dumps({"times": len(readings), "readings": readings}, indent=1) + "\n")
    return len(readings)


def _readings(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        readings = json.loads(path.read_text(encoding="utf-8"))["readings"]
        return [dict(reading) for reading in readings]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} cannot be read, so the test part stays closed. Restore or remove it.") from error


@dataclass(frozen=True, eq=False)
class _Segmenter:
    """Reads, segments and compares a case, and keeps what was found."""

    model_of: Mapping[str, Fold]
    files: Mapping[str, CaseFiles]
    options: OpenOptions
    device: str
    keep: Keeping | None

    def __call__(self, case_id: str) -> Generator[Progress, None, Comparison]:
        from napari_brainseg.inference.engine import segment  # torch loads here, once everything else is known good

        if case_id not in self.files:
            raise InputError(f"{case_id} is in the split, but its files are not in the folder of cases.")
        case = read_case(self.files[case_id], self.options)
        if case.labels is None:
            note = case.notes[-1] if case.notes else "Choose a folder of labelled cases."
            raise InputError(f"{case_id} has no labels to be scored against. {note}")
        record = self.model_of[case_id].record
        found = yield from segment(case, record, SegmentSettings(self.device, probabilities=True))
        if self.keep is not None:
            write_outputs(found, self.keep.folder, overwrite=self.keep.overwrite)
        truth = case.labels.volume.data, case.labels.scheme
        prediction, labels, scheme = in_one_scheme((found.labels, found.scheme), truth)  # type: ignore[arg-type]
        names, maps = part_names(scheme), found.probabilities
        fit = fit_in_words(record, case)
        return Comparison(
            case_id=case_id,
            prediction=prediction,
            truth=labels,
            scheme=scheme,
            spacing=case.geometry.spacing,
            probabilities={
                names[plain(name)]: values
                for name, values in zip(found.probability_names, () if maps is None else maps, strict=True)
                if plain(name) in names
            },
            notes=(*case.notes, *found.notes, *([fit] if fit else [])),
        )
