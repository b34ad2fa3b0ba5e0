"""Score a model on one part of a split: its cases are segmented first. The test part is read only when it is final."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_brainseg.base.errors import InputError, TrainingError
from napari_brainseg.base.paths import write_text
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.reading import CaseFiles, OpenOptions, read_case
from napari_brainseg.evaluation.case_scores import Comparison
from napari_brainseg.evaluation.evaluating import Evaluation, evaluate
from napari_brainseg.evaluation.label_pairs import in_one_scheme
from napari_brainseg.evaluation.parts import part_names, plain
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.store import ModelRecord, find_model, fit_in_words
from napari_brainseg.training.prepared import cases_by_id
from napari_brainseg.training.splits import Split, patient_of, read_splits

VALIDATION, TEST = "validation", "test"
FINAL = "final.json"


@dataclass(frozen=True)
class SplitPart:
    """Which cases are scored.

    Attributes:
        file: JSON file of splits.
        name: Of the split; None takes the one that the model was trained with, or the only one there is.
        part: `validation` or `test`.
        final: Whether a person has said that this reading of the test part is the final one.
    """

    file: Path
    name: str | None = None
    part: str = VALIDATION
    final: bool = False

    def refuse_unsaid(self) -> None:
        """Raise `TrainingError` where the test part is asked for but not said to be final, or the other way round."""
        if self.part == TEST and not self.final:
            raise TrainingError(
                "The test part is for the final score alone, once all choices are made. Add --final to read it, which "
                "is recorded, or score the validation part."
            )
        if self.final and self.part != TEST:
            raise TrainingError("--final is for the test part alone. Add --part test, or leave --final out.")


@dataclass(frozen=True, eq=False)
class ModelEvaluation:
    """The evaluation of a model, what was compared in words by name, and the files of the cases."""

    evaluation: Evaluation
    facts: Mapping[str, Any]
    files: Mapping[str, CaseFiles]


def evaluate_model(
    model: str | Path, cases: Path, chosen: SplitPart, options: OpenOptions, device: str = "auto"
) -> Generator[Progress, None, ModelEvaluation]:
    """Segment the cases of one part of a split and score them.

    Reading the test part is written to `final.json` of the model's run before a case of it is read, so that no look
    at it goes uncounted.

    Args:
        model: Name or folder.
        cases: Folder of labelled cases.
        chosen: Which of them.
        options: How they are opened.
        device: Where the model computes.

    Raises:
        TrainingError: The test part is not said to be final, or the split cannot be used.
        InputError: There are no cases, or none of the part could be scored.
        OutputError: The final reading cannot be recorded.
    """
    chosen.refuse_unsaid()
    record = find_model(model)
    name, split = _split(chosen, record)
    ids = split.test if chosen.part == TEST else split.validation
    if not ids:
        raise TrainingError(f"The {chosen.part} part of {name!r} in {chosen.file} is empty. Choose another part.")
    files = {id: found for id, found in cases_by_id(cases).items() if id in ids}
    if not files:
        raise InputError(
            f"{cases} holds none of the {len(ids)} cases of the {chosen.part} part. Choose another folder."
        )
    facts = {
        "model": f"{record.name} {record.version}",
        "split": f"{name} in {chosen.file}",
        "part": chosen.part,
        "final": chosen.final,
    }
    if device != "auto":
        from napari_brainseg.inference.devices import resolve_device

        resolve_device(device)  # a wrong one must not cost a reading of the test part
    if chosen.final:
        facts["test_part_readings"] = record_final(record, name, len(ids))
    notes = _learned_from(record, ids)
    evaluation = yield from evaluate(ids, _Segmenter(record, files, options, device), patient_of, notes)
    return ModelEvaluation(evaluation, facts, files)


def _split(chosen: SplitPart, record: ModelRecord) -> tuple[str, Split]:
    splits = read_splits(chosen.file)
    trained_with = record.training.get("settings", {}).get("split_name")
    name = chosen.name or (trained_with if trained_with in splits else None)
    if name is None and len(splits) == 1:
        name = next(iter(splits))
    if name not in splits:
        which = "more than one split" if name is None else f"no split {name!r}"
        raise TrainingError(
            f"{chosen.file} holds {which}; choose with --split-name from {', '.join(splits) or 'none'}."
        )
    return name, splits[name]


def run_folder(record: ModelRecord) -> Path | None:
    """Return the folder of the run that made a model, where it lies in one."""
    run = record.folder.parent if record.folder is not None else None
    return run if run is not None and (run / "settings.json").is_file() else None


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


def _learned_from(record: ModelRecord, ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return a sentence where the model's run learned from patients that are scored now."""
    run = run_folder(record)
    if run is None:
        return ()
    try:
        learned = json.loads((run / "settings.json").read_text(encoding="utf-8"))["cases"]["train"]
        patients = {patient_of(case_id) for case_id in learned}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()
    known = [case_id for case_id in ids if patient_of(case_id) in patients]
    if not known:
        return ()
    return (
        f"The model learned from {len(known)} of these {len(ids)} cases ({', '.join(known[:3])}"
        f"{' …' if len(known) > 3 else ''}), so the scores are too good.",
    )


@dataclass(frozen=True, eq=False)
class _Segmenter:
    """Reads, segments and compares a case."""

    record: ModelRecord
    files: Mapping[str, CaseFiles]
    options: OpenOptions
    device: str

    def __call__(self, case_id: str) -> Generator[Progress, None, Comparison]:
        from napari_brainseg.inference.engine import segment  # torch loads here, once everything else is known good

        if case_id not in self.files:
            raise InputError(f"{case_id} is in the split, but its files are not in the folder of cases.")
        case = read_case(self.files[case_id], self.options)
        if case.labels is None:
            note = case.notes[-1] if case.notes else "Choose a folder of labelled cases."
            raise InputError(f"{case_id} has no labels to be scored against. {note}")
        found = yield from segment(case, self.record, SegmentSettings(self.device, probabilities=True))
        truth = case.labels.volume.data, case.labels.scheme
        prediction, labels, scheme = in_one_scheme((found.labels, found.scheme), truth)  # type: ignore[arg-type]
        names, maps = part_names(scheme), found.probabilities
        fit = fit_in_words(self.record, case)
        assert maps is not None
        return Comparison(
            case_id=case_id,
            prediction=prediction,
            truth=labels,
            scheme=scheme,
            spacing=case.geometry.spacing,
            probabilities={
                names[plain(name)]: values
                for name, values in zip(found.probability_names, maps, strict=True)
                if plain(name) in names
            },
            notes=(*case.notes, *found.notes, *([fit] if fit else [])),
        )
