"""What was measured as `robustness.json`, from which the card is written, and as a table to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_brainseg import __version__
from napari_brainseg.base.errors import OutputError
from napari_brainseg.base.paths import write_text
from napari_brainseg.evaluation.page import NOTICE
from napari_brainseg.training.robustness.conditions import PLAIN, ROBUSTNESS, SEQUENCES, UNCHANGED, Condition
from napari_brainseg.training.robustness.measured import LOG_NAME, Measurement
from napari_brainseg.training.robustness.measuring import SEED, Robustness

RESULTS = "robustness.json"

Row = Mapping[str, Measurement]


def refuse_existing(folder: Path, *, overwrite: bool) -> None:
    """Raise `OutputError` where the folder holds results without the log from which they were made."""
    existing = folder / RESULTS
    if existing.exists() and not (folder / LOG_NAME).exists() and not overwrite:
        raise OutputError(f"{existing} exists. Choose another folder, or add --overwrite to replace it.")


def write_results(found: Robustness, folder: Path, command: str) -> Path:
    """Write `robustness.json`, aside and renamed, and return its path; raise `OutputError` where that fails."""
    path = folder / RESULTS
    write_text(path, json.dumps(results(found, command), indent=1) + "\n")
    return path


def results(found: Robustness, command: str) -> dict[str, Any]:
    """Return what was measured as plain values.

    A condition that could be made of no case is not in its group, but in `left_out` with the reason. `difference` is
    the mean over the cases of a condition of Dice less that of the same cases as they are. `changed_voxels` is the
    largest number of any case.
    """
    plain = found.measured[PLAIN]
    made = [condition for condition in found.conditions if _scored(found.measured[condition.name])]
    groups = {
        group: [
            _entry(condition, found.measured[condition.name], plain) for condition in made if condition.group == group
        ]
        for group in (ROBUSTNESS, SEQUENCES)
    }
    left_out = {
        condition.name: next((one.reason for one in found.measured[condition.name].values()), "No case was measured.")
        for condition in found.conditions
        if condition not in made
    }
    return {
        "notice": NOTICE,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "command": command,
        "models": [fold.to_json() for fold in found.folds],
        "scheme": found.folds[0].record.scheme_id,
        "seed": SEED,
        "plain": {"text": UNCHANGED.text, "mean": _mean(_scored(plain)), "cases": _scored(plain)},
        "groups": groups,
        "left_out": left_out,
        "failed": dict(found.failed),
    }


def lines(summary: Mapping[str, Any]) -> list[str]:
    """Return `results` as a table: Dice of each region and, in brackets, the difference to the cases as they are."""
    plain = summary["plain"]["mean"]
    entries = [{"name": PLAIN, "mean": plain, "difference": dict.fromkeys(plain, 0.0), "changed_voxels": None}]
    entries += [entry for group in summary["groups"].values() for entry in group]
    width = max(len(entry["name"]) for entry in entries)
    told = [f"{NOTICE} Mean Dice over {len(summary['plain']['cases'])} cases, and the difference to them as they are."]
    told.append(f"{'':{width}}  " + "  ".join(f"{region:>14}" for region in plain))
    for entry in entries:
        figures = (f"{entry['mean'][r]:.3f} ({entry['difference'][r]:+.3f})" for r in plain)
        changed = entry["changed_voxels"]
        differ = (
            "" if changed is None else f"  labels of at most {changed:,} voxels differ" if changed else "  same labels"
        )
        told.append(f"{entry['name']:{width}}  " + "  ".join(f"{figure:>14}" for figure in figures) + differ)
    return told + [f"{name} was left out. {reason}" for name, reason in summary["left_out"].items()]


def _entry(condition: Condition, row: Row, plain: Row) -> dict[str, Any]:
    cases = _scored(row)
    mean = _mean(cases)
    same = _mean({case_id: plain[case_id].dice for case_id in cases if case_id in plain})
    counted = [one.changed for one in row.values() if one.changed is not None]
    return {
        "name": condition.name,
        **({"present": list(condition.present)} if condition.present else {}),
        "text": condition.text,
        "mean": mean,
        "difference": {region: mean[region] - same[region] for region in mean},
        "cases": cases,
        "changed_voxels": max(counted) if counted else None,
        "left_out": {case_id: one.reason for case_id, one in row.items() if one.reason},
    }


def _scored(row: Row) -> dict[str, Mapping[str, float]]:
    return {case_id: one.dice for case_id, one in row.items() if not one.reason}


def _mean(cases: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    regions = next(iter(cases.values()), {})
    return {region: float(np.mean([dice[region] for dice in cases.values()])) for region in regions}
