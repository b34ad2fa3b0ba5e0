"""`Fold`: a model with the part of its split that it is scored on; several are the folds of a cross-validation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_brainseg.base.errors import InputError, TrainingError
from napari_brainseg.cases.reading import CaseFiles
from napari_brainseg.model_store.store import ModelRecord, find_model
from napari_brainseg.training.prepared import cases_by_id
from napari_brainseg.training.splits import Split, patient_of, read_splits

VALIDATION, TEST = "validation", "test"


@dataclass(frozen=True)
class SplitPart:
    """Which cases are scored.

    Attributes:
        file: JSON file of splits.
        name: Of the split; None takes the one that each model was trained with, or the only one there is.
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
class Fold:
    """A model, the name of its split, and the ids of the cases of the part that it is scored on."""

    record: ModelRecord
    split_name: str
    ids: tuple[str, ...]

    @property
    def title(self) -> str:
        """Model, version and split in words."""
        return f"{self.record.name} {self.record.version}, split {self.split_name}"

    def to_json(self) -> dict[str, str]:
        """Return which model it is as plain values."""
        record = self.record
        return {
            "name": record.name,
            "version": record.version,
            "sha256": record.weights_sha256,
            "split_name": self.split_name,
        }

    def learned_from(self) -> tuple[str, ...]:
        """Return a sentence where the model's run learned from patients of the part."""
        run = run_folder(self.record)
        if run is None:
            return ()
        try:
            learned = json.loads((run / "settings.json").read_text(encoding="utf-8"))["cases"]["train"]
            patients = {patient_of(case_id) for case_id in learned}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return ()
        known = [case_id for case_id in self.ids if patient_of(case_id) in patients]
        if not known:
            return ()
        return (
            f"The model learned from {len(known)} of these {len(self.ids)} cases ({', '.join(known[:3])}"
            f"{' …' if len(known) > 3 else ''}), so the scores are too good.",
        )


def run_folder(record: ModelRecord) -> Path | None:
    """Return the folder of the run that made a model, where it lies in one."""
    run = record.folder.parent if record.folder is not None else None
    return run if run is not None and (run / "settings.json").is_file() else None


def find_folds(models: Sequence[str | Path], chosen: SplitPart) -> tuple[Fold, ...]:
    """Return each model with its part of the split that it was trained with.

    Args:
        models: Names or folders, one at least.
        chosen: The part.

    Raises:
        ModelError: There is no such model.
        TrainingError: A split cannot be used, a case stands in the parts of two models, or the models differ in what
            they give.
    """
    splits = read_splits(chosen.file)
    folds: list[Fold] = []
    for record in map(find_model, models):
        name, split = _split(chosen, splits, record)
        ids = split.test if chosen.part == TEST else split.validation
        if not ids:
            raise TrainingError(f"The {chosen.part} part of {name!r} in {chosen.file} is empty. Choose another part.")
        folds.append(Fold(record, name, ids))
    _refuse_shared(folds, chosen.part)
    _refuse_unlike(folds)
    return tuple(folds)


def files_of(folds: Sequence[Fold], cases: Path, part: str) -> dict[str, CaseFiles]:
    """Return the files of the cases that are scored, as far as the folder holds them, by id.

    Raises:
        InputError: The folder holds none of them.
    """
    ids = {case_id for fold in folds for case_id in fold.ids}
    files = {case_id: found for case_id, found in cases_by_id(cases).items() if case_id in ids}
    if not files:
        raise InputError(f"{cases} holds none of the {len(ids)} cases of the {part} part. Choose another folder.")
    return files


def _split(chosen: SplitPart, splits: Mapping[str, Split], record: ModelRecord) -> tuple[str, Split]:
    trained_with = record.training.get("settings", {}).get("split_name")
    name = chosen.name or (trained_with if trained_with in splits else None)
    if name is None and len(splits) == 1:
        name = next(iter(splits))
    if name is None or name not in splits:
        which = "more than one split" if name is None else f"no split {name!r}"
        untold = f", and {record.name} was trained with none of them" if name is None else ""
        raise TrainingError(
            f"{chosen.file} holds {which}{untold}; choose with --split-name from {', '.join(splits) or 'none'}."
        )
    return name, splits[name]


def _refuse_shared(folds: Sequence[Fold], part: str) -> None:
    owner: dict[str, Fold] = {}
    for fold in folds:
        for case_id in fold.ids:
            if case_id in owner:
                raise TrainingError(
                    f"{case_id} stands in the {part} parts of two models ({owner[case_id].title}; {fold.title}). "
                    "Give models of the folds of one cross-validation, each once."
                )
            owner[case_id] = fold


def _refuse_unlike(folds: Sequence[Fold]) -> None:
    first = folds[0].record
    for other in (fold.record for fold in folds[1:]):
        for words, ours, theirs in (
            ("outputs", ", ".join(first.outputs), ", ".join(other.outputs)),
            ("label schemes", first.scheme_id, other.scheme_id),
        ):
            if ours != theirs:
                raise TrainingError(
                    f"{first.name} and {other.name} are no folds of one cross-validation: their {words} differ "
                    f"({ours} and {theirs}). Choose models of one kind."
                )
