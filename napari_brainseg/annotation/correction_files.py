"""A `Correction` as files: `<n>-labels.nii.gz`, `<n>-confirmed.nii.gz`, `<n>-predicted.nii.gz` and `<n>.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from napari_brainseg.annotation.case_state import read_record, slices_from_json, slices_to_json
from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.label_files import read_mask, read_on_grid, write_mask, write_on_grid
from napari_brainseg.base.errors import InputError
from napari_brainseg.base.paths import write_text
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelScheme, scheme_by_id

FORMAT = 1
_PARTS = ("labels", "confirmed", "predicted")


def write_correction(case: Case, correction: Correction, folder: Path, number: int) -> Path:
    """Write a correction as number `number` on the case's grid and return its json file.

    Raises:
        LabelError: A value of no class.
        OutputError: The place cannot be written.
    """
    write_on_grid(case, correction.labels, correction.scheme, _part(folder, number, "labels"))
    write_mask(case, correction.confirmed, _part(folder, number, "confirmed"))
    if correction.predicted is not None:
        write_on_grid(case, correction.predicted, correction.scheme, _part(folder, number, "predicted"))
    record = {
        "format": FORMAT,
        "case": correction.case_id,
        "scheme": correction.scheme.id,
        "slices": slices_to_json(correction.slices),
        "confirmed_voxels": int(correction.confirmed.sum()),
        "changed_voxels": int(correction.changed.sum()),
        "predicted": correction.predicted is not None,
        "model": correction.model,
        "when": correction.when,
        "who": correction.who,
        "seconds": round(correction.seconds, 1),
        "strokes": correction.strokes,
    }
    path = folder / f"{number}.json"
    write_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return path


def read_correction(case: Case, folder: Path, number: int) -> Correction:
    """Return correction `number` of `case`.

    Raises:
        InputError: A file is missing or damaged, or lies on another grid than the case.
        LabelError: The labels hold values that are not their scheme's.
    """
    path = folder / f"{number}.json"
    record = read_record(path, FORMAT)
    try:
        scheme = scheme_by_id(record["scheme"])
        predicted = bool(record["predicted"])
        slices = slices_from_json(record["slices"])
        model, when, who = (str(record[key]) for key in ("model", "when", "who"))
        # Corrections of earlier versions say neither.
        seconds, strokes = float(record.get("seconds", 0)), int(record.get("strokes", 0))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} lacks what a correction needs ({error}). Restore it from a copy.") from error
    return Correction(
        case_id=case.id,
        labels=read_on_grid(case, scheme, _part(folder, number, "labels")),
        confirmed=read_mask(case, _part(folder, number, "confirmed")),
        scheme=scheme,
        slices=slices,
        predicted=read_on_grid(case, scheme, _part(folder, number, "predicted")) if predicted else None,
        model=model,
        when=when,
        who=who,
        seconds=seconds,
        strokes=strokes,
    )


@dataclass(frozen=True)
class CorrectionFacts:
    """What the json file of a correction says, without a look at the labels: their scheme, and voxels confirmed."""

    scheme: LabelScheme
    voxels: int


def read_facts(folder: Path, number: int) -> CorrectionFacts:
    """Return the facts of correction `number`.

    Raises:
        InputError: Its file is missing or damaged.
        LabelError: There is no such scheme.
    """
    path = folder / f"{number}.json"
    record = read_record(path, FORMAT)
    try:
        return CorrectionFacts(scheme_by_id(record["scheme"]), int(record["confirmed_voxels"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} lacks what a correction needs ({error}). Restore it from a copy.") from error


def remove_correction(folder: Path, number: int) -> None:
    """Remove the files of correction `number`; those in use elsewhere stay until the next time."""
    for path in (folder / f"{number}.json", *(_part(folder, number, part) for part in _PARTS)):
        try:
            path.unlink(missing_ok=True)
        except OSError:  # another window reads it, on Windows; the state no longer points at it
            continue


def _part(folder: Path, number: int, part: str) -> Path:
    return folder / f"{number}-{part}.nii.gz"
