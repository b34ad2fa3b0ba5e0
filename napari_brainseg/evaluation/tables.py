"""An evaluation as files: `cases.csv`, `slices.csv`, `set.csv` and `results.json`."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_brainseg import __version__
from napari_brainseg.base.errors import OutputError
from napari_brainseg.base.paths import write_text
from napari_brainseg.evaluation.case_scores import Scores
from napari_brainseg.evaluation.evaluating import Evaluation
from napari_brainseg.evaluation.measures import MEASURES, OVERLAP
from napari_brainseg.evaluation.page import NOTICE
from napari_brainseg.evaluation.parts import parts_of

RESULTS = "results.json"
NAMES = (RESULTS, "report.html", "cases.csv", "slices.csv", "set.csv")
_ON_SLICES = (*OVERLAP, "hd95", "surface_dice", "border_dice", "true_voxels", "predicted_voxels")


def refuse_existing(folder: Path, *, overwrite: bool) -> None:
    """Raise `OutputError` where the folder holds an evaluation that may not be replaced."""
    existing = [folder / name for name in NAMES if (folder / name).exists()]
    if existing and not overwrite:
        raise OutputError(f"{existing[0]} exists. Choose another folder, or add --overwrite to replace it.")


def write_tables(evaluation: Evaluation, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the tables into a folder, each aside and renamed; `facts` say what was compared and go into the JSON.

    Raises:
        OutputError: The folder cannot be written.
    """
    for name, rows in (
        ("cases", _case_rows(evaluation)),
        ("slices", _slice_rows(evaluation)),
        ("set", _set_rows(evaluation)),
    ):
        write_text(folder / f"{name}.csv", _csv(rows))
    write_text(folder / RESULTS, json.dumps(_finite(results(evaluation, facts)), indent=1) + "\n")


def results(evaluation: Evaluation, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything but the single slices as plain values; NaN where a measure says nothing."""
    overall = evaluation.overall
    return {
        "notice": NOTICE,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        **facts,
        "scheme": evaluation.scheme.id,
        "patients": overall.patients,
        "set": {part: {m: asdict(e) for m, e in row.items()} for part, row in overall.estimates.items()},
        "pooled": overall.pooled,
        "cases": {
            case.case_id: {"unit": case.unit, "notes": list(case.notes), "parts": case.parts}
            for case in evaluation.cases
        },
        "failed": dict(evaluation.failed),
        "notes": list(evaluation.notes),
        "definitions": {measure.name: measure.text for measure in MEASURES},
    }


def _kinds(evaluation: Evaluation) -> dict[str, str]:
    kinds = {part.name: part.kind for part in parts_of(evaluation.scheme)}
    return {
        name: kinds.get(name, "background" if name == "background" else "mean") for name in evaluation.overall.pooled
    }


def _case_rows(evaluation: Evaluation) -> Iterable[list[object]]:
    kinds, names = _kinds(evaluation), [measure.name for measure in MEASURES]
    yield ["case", "part", "kind", "unit", *names]
    for case in evaluation.cases:
        for part, scores in case.parts.items():
            yield [case.case_id, part, kinds[part], case.unit, *_values(scores, names)]


def _slice_rows(evaluation: Evaluation) -> Iterable[list[object]]:
    kinds = _kinds(evaluation)
    yield ["case", "slice", "part", "kind", "unit", *_ON_SLICES]
    for case in evaluation.cases:
        for z, parts in enumerate(case.slices):
            for part, scores in parts.items():
                yield [case.case_id, z, part, kinds[part], case.unit, *_values(scores, _ON_SLICES)]


def _set_rows(evaluation: Evaluation) -> Iterable[list[object]]:
    kinds, overall = _kinds(evaluation), evaluation.overall
    yield ["part", "kind", "measure", "mean", "low", "high", "median", "deviation", "cases", "pooled"]
    for part, row in overall.estimates.items():
        for measure, e in row.items():
            figures = {**asdict(e), "pooled": overall.pooled[part].get(measure, math.nan)}
            yield [part, kinds[part], measure, *_values(figures, figures)]


def _values(scores: Mapping[str, Any] | Scores, names: Iterable[str]) -> list[object]:
    """Return the values as they stand in a table: six digits, and nothing where there is none."""
    found = (scores.get(name, math.nan) for name in names)
    return ["" if math.isnan(value) else f"{value:.6g}" for value in found]


def _csv(rows: Iterable[list[object]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _finite(value: Any) -> Any:
    """Return the value with null for every NaN, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
