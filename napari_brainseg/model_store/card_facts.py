"""What a card is written from besides `model.json`: results that were taken into `records.json`. Loads no torch."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_brainseg.base.errors import InputError, ModelError
from napari_brainseg.model_store.ensembles import learned_cases, trainings_of
from napari_brainseg.model_store.folders import RECORDS
from napari_brainseg.model_store.store import ModelRecord

VALIDATION, CROSS_VALIDATION, HOLD_OUT = "validation", "cross_validation", "hold_out"
ROBUSTNESS, COMPARED = "robustness", "compared"
SCORES = (VALIDATION, CROSS_VALIDATION, HOLD_OUT)
KINDS = (*SCORES, ROBUSTNESS, COMPARED)
OF_CASES = ("dice", "surface_dice", "border_dice")
OF_SLICES = ("slice_dice_all", "slice_dice_tumour", "slice_false_alarms")
_DIGITS = 6
_FILES = ("results.json", "robustness.json")
_NOTHING = ("results.json of brainseg evaluate", "robustness.json of brainseg robustness", "CSV table")

Facts = dict[str, Any]


def read_facts(folder: Path) -> Facts:
    """Return what was taken into a model folder, by kind; raise `ModelError` where the file is damaged."""
    path = folder / RECORDS
    if not path.exists():
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return {kind: facts[kind] for kind in KINDS if isinstance(facts.get(kind), Mapping)}
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{path} cannot be read ({error}). Remove it and take the results again.") from error


def facts_text(facts: Facts) -> str:
    """Return the text of `records.json`."""
    return json.dumps({kind: facts[kind] for kind in KINDS if kind in facts}, indent=1) + "\n"


def taken(words: Iterable[str], record: ModelRecord) -> Facts:
    """Return what files hold that a card tells, by kind.

    Args:
        words: Files, or folders that hold one of the known names, each with `KIND=` before it where the file does not
            say itself whose scores it holds.
        record: The model that the card is of.

    Raises:
        InputError: A file cannot be read, is none of those that are known, or its scores are not this model's.
    """
    found: Facts = {}
    for word in words:
        kind, equals, place = word.partition("=")
        if not equals or kind not in KINDS:
            kind, place = "", word
        for path in _files(Path(place)):
            found.update(_taken(path, kind, record))
    return found


def joined(earlier: Facts, later: Facts) -> Facts:
    """Return what was measured of some folds of a cross-validation with what was measured of others.

    Means are over the cases of both; a condition that one of them lacks is left out.

    Raises:
        InputError: The later are of no folds, or of one that the earlier have too.
    """
    folds = [{one["split_name"] for one in facts["models"] if one["split_name"]} for facts in (earlier, later)]
    if not all(folds) or folds[0] & folds[1]:
        twice = ", ".join(sorted(folds[0] & folds[1])) or "none"
        raise InputError(
            f"Only results of different folds can be joined; in both: {twice}. Take these with --take, in place of the "
            "card's, or name those of other folds."
        )
    groups = {}
    for group, entries in earlier["groups"].items():
        others = {entry["name"]: entry for entry in later["groups"].get(group, ())}
        pairs = [(entry, others[entry["name"]]) for entry in entries if entry["name"] in others]
        groups[group] = [_pooled(one, earlier, other, later) for one, other in pairs]
    cases = earlier["plain"]["cases"] + later["plain"]["cases"]
    plain = {"mean": _pooled(earlier["plain"], earlier, later["plain"], later)["mean"], "cases": cases}
    told = {"command": "; ".join(facts["command"] for facts in (earlier, later)), "plain": plain, "groups": groups}
    return {**later, **told, "models": [*earlier["models"], *later["models"]]}


def _pooled(one: Facts, earlier: Facts, other: Facts, later: Facts) -> Facts:
    """Return one condition of both: means weighted by cases, the largest number of voxels that differ."""
    counts = [entry.get("cases", facts["plain"]["cases"]) for entry, facts in ((one, earlier), (other, later))]
    means: Facts = {
        key: {
            region: _number(sum(n * e[key][region] for n, e in zip(counts, (one, other), strict=True)) / sum(counts))
            for region in one[key]
        }
        for key in ("mean", "difference")
        if key in one
    }
    changed = [entry["changed_voxels"] for entry in (one, other) if entry.get("changed_voxels") is not None]
    return {**other, **means, "cases": sum(counts), "changed_voxels": max(changed, default=None)}


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        there = [path / name for name in _FILES if (path / name).is_file()]
        if not there:
            raise InputError(f"{path} holds neither {' nor '.join(_FILES)}. Name a file, or another folder.")
        return there
    return [path]


def _taken(path: Path, kind: str, record: ModelRecord) -> Facts:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".csv":
            return {COMPARED: _table(text, path)}
        told = json.loads(text)
        if "groups" in told and "plain" in told:
            return {ROBUSTNESS: _robustness(told, record)}
        if "set" in told and "cases" in told:
            scores = _scores(told, record)
            return {kind if kind in SCORES else _kind_of(told, path, record): scores}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be taken ({reason}). Name a {', or a '.join(_NOTHING)}.") from error
    raise InputError(f"{path} holds nothing that is known. Name a {', or a '.join(_NOTHING)}.")


def _kind_of(told: Mapping[str, Any], path: Path, record: ModelRecord) -> str:
    """Return whose scores they are: those of the model's own weights, or those of the folds that stand for it."""
    models = told.get("models")
    if not isinstance(models, list) or not models:
        named = " or ".join(f"{kind}={path}" for kind in SCORES)
        raise InputError(f"{path} does not say which models made its masks. Say what it is: {named}.")
    if len(models) > 1:
        return CROSS_VALIDATION
    if not is_own(models, record):
        raise InputError(f"{path} holds scores of other weights than those of {record.name}. Evaluate it anew.")
    scored = set(told["cases"])
    validated = {case for training in trainings_of(record) for case in training.cases.get("validation", ())}
    known = scored & learned_cases(record)
    if known:
        raise InputError(
            f"{path} scores {record.name} on {len(known)} of the cases it learnt from, such as {min(known)}. Take "
            "scores of others."
        )
    return VALIDATION if scored <= validated or told.get("part") == "validation" else HOLD_OUT


def is_own(models: object, record: ModelRecord) -> bool:
    """Whether models, as results name them, are this one alone; its weights before they were calibrated count too.

    But not those of a model that averages over planes: its labels may have changed.
    """
    earlier = record.training.get("calibrated_from", []) if len(record.preprocessing.planes) == 1 else []
    own = {record.weights_sha256, *(earlier if isinstance(earlier, list) else [])}
    return isinstance(models, list) and len(models) == 1 and models[0].get("sha256") in own


def _scores(told: Mapping[str, Any], record: ModelRecord) -> Facts:
    regions = [region.name for region in record.scheme.regions if region.name in told["set"]]
    means = {
        region: {
            name: {key: _number(told["set"][region][name][key]) for key in ("mean", "low", "high")}
            for name in (*OF_CASES, *OF_SLICES)
            if name in told["set"][region]
        }
        for region in regions
    }
    cases = {
        case: {region: {name: _number(one["parts"][region].get(name)) for name in OF_CASES} for region in regions}
        for case, one in sorted(told["cases"].items())
    }
    return {**_origin(told), "patients": told["patients"], "set": means, "cases": cases}


def _robustness(told: Mapping[str, Any], record: ModelRecord) -> Facts:
    groups = {
        group: [
            {
                **{key: entry[key] for key in ("name", "present", "text", "changed_voxels") if key in entry},
                **{key: _numbers(entry[key]) for key in ("mean", "difference")},
                "cases": len(entry["cases"]),
            }
            for entry in entries
        ]
        for group, entries in told["groups"].items()
    }
    plain = {"mean": _numbers(told["plain"]["mean"]), "cases": len(told["plain"]["cases"])}
    own = is_own(told.get("models"), record)
    return {**_origin(told), "own": own, "command": str(told.get("command", "")), "plain": plain, "groups": groups}


def _origin(told: Mapping[str, Any]) -> Facts:
    """Return when and by which models results were made, without any place of a machine."""
    models = [
        {key: str(one.get(key, "")) for key in ("name", "version", "split_name")} for one in told.get("models", [])
    ]
    return {key: str(told.get(key, "")) for key in ("made", "version", "part")} | {"models": models}


def _table(text: str, path: Path) -> Facts:
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    if len(rows) < 2 or any(len(row) != len(rows[0]) for row in rows):
        raise InputError(f"{path} is no table: it needs a line of titles and rows of as many cells. Correct it.")
    return {"columns": rows[0], "rows": rows[1:]}


def _numbers(values: Mapping[str, Any]) -> Facts:
    return {str(name): _number(value) for name, value in values.items()}


def _number(value: Any) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), _DIGITS)
