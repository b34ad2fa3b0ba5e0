"""What a record says of the trainings behind a model: one, or one for each member of an ensemble. Loads no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from napari_brainseg.base.errors import ModelError
from napari_brainseg.model_store.store import ModelRecord

ENSEMBLE = "ensemble"
EARLIER = "earlier"  # the cases that a model learned from whose weights a training began with
IMAGENET = "imagenet"  # a setting of the training, and what is written down of one that goes on from it
PARTS = ("train", EARLIER, "validation", "test")
_OF_CALIBRATION = ("temperature", "calibrated_from")  # of the very weights
# What must be the same of models that become one, and how that is said.
_ALIKE = {
    "channels": "channels",
    "outputs": "outputs",
    "scheme_id": "label schemes",
    "spatial_dims": "numbers of axes",
    "window": "windows",
    "preprocessing": "preprocessing",
    "post_processing": "recommended rules",
}


@dataclass(frozen=True)
class Training:
    """One training: of a model, or of a member of an ensemble.

    Attributes:
        name: Of the model that it made.
        version: Of that model.
        sha256: Of its weights then.
        settings: All that it was told.
        cases: Names of cases by part, see `PARTS`; empty where that was not written down.
        command: What made it; empty where that was not written down.
        imagenet: Its encoder, or that of a model that it began with, began with weights from ImageNet.
    """

    name: str
    version: str
    sha256: str
    settings: Mapping[str, Any]
    cases: Mapping[str, tuple[str, ...]]
    command: str = ""
    imagenet: bool = False

    @property
    def split_name(self) -> str:
        """Which split of the file it was trained with; empty where that was not written down."""
        return str(self.settings.get("split_name", ""))


@dataclass(frozen=True)
class History:
    """What is behind the weights that a training begins with.

    Attributes:
        cases: The cases that they learned from, by all trainings in turn.
        command: What made them; empty where that was not written down.
        imagenet: They began with weights from ImageNet.
    """

    cases: frozenset[str] = frozenset()
    command: str = ""
    imagenet: bool = False


def history_of(record: ModelRecord) -> History:
    """Return what is behind the weights of a model."""
    return History(learned_cases(record), command_of(record), any(one.imagenet for one in trainings_of(record)))


def trainings_of(record: ModelRecord) -> tuple[Training, ...]:
    """Return the trainings behind a model, in the order of the members of an ensemble."""
    told, members = record.training, record.training.get("members")
    if not isinstance(members, list):
        told = {**told, "command": command_of(record)}
        return (_training(record.name, record.version, told, cases_of(record)),)
    shared = _group(told.get("settings"))
    return tuple(
        _training(
            str(one.get("name", "")),
            str(one.get("version", "")),
            {**told, **one, "settings": {**shared, **_group(one.get("settings"))}},
            _by_part(one.get("cases", told.get("cases"))),
        )
        for one in members
        if isinstance(one, Mapping)
    )


def cases_of(record: ModelRecord) -> dict[str, tuple[str, ...]]:
    """Return the cases of a training by part, from the record or else from the run that the folder lies in."""
    found = _by_part(record.training.get("cases"))
    if found or record.folder is None:
        return found
    try:
        run = json.loads((record.folder.absolute().parent / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    # The folder may have been moved into another run's.
    same = isinstance(run, Mapping) and _group(run.get("settings")).get("name") == record.name
    return _by_part(run.get("cases")) if same else {}


def learned_cases(record: ModelRecord) -> frozenset[str]:
    """Return all cases that a model learned from, those of the weights that its trainings began with too."""
    return frozenset(
        case for one in trainings_of(record) for part in ("train", EARLIER) for case in one.cases.get(part, ())
    )


def command_of(record: ModelRecord) -> str:
    """Return what made a model; of one whose record does not say it, from its card; empty where nothing does."""
    if "command" in record.training:
        return str(record.training["command"])
    found = re.search(r"`(brainseg train [^`\n]*)`", record.card)
    return found[1] if found else ""


def joined_record(name: str, records: Sequence[ModelRecord]) -> ModelRecord:
    """Return the record of the ensemble of some models, its weights not made yet.

    Settings that are common to all are written once; of each member those that are its own, with the cases it saw.

    Raises:
        ModelError: They are fewer than two or do not fit together; what differs is named.
    """
    _refuse_unlike(records)
    first, trainings = records[0], [record.training for record in records]
    shared = {key: value for key, value in trainings[0].items() if all(key in t and t[key] == value for t in trainings)}
    settings = [_group(training.get("settings")) for training in trainings]
    common = {k: v for k, v in settings[0].items() if all(k in one and one[k] == v for one in settings)}
    members = [_member(record, common, shared) for record in records]
    shared = {key: value for key, value in shared.items() if key not in ("sha256", "cases", "settings")}
    networks = [record.network for record in records]
    options = (
        {"of": first.network["name"], "options": first.network.get("options", {}), "members": len(records)}
        if all(network == first.network for network in networks)
        else {"of": networks}
    )
    return replace(
        first,
        name=name,
        version="1",
        network={"name": ENSEMBLE, "options": options},
        trained_to_miss=tuple(c for c in first.trained_to_miss if all(c in r.trained_to_miss for r in records)),
        training={"settings": common, "members": members, **shared},
        scores=_cross_validation(records),
        folder=None,
    )


def averaged_record(name: str, records: Sequence[ModelRecord], command: str) -> ModelRecord:
    """Return the record of the model whose weights are the mean of those of some models.

    It is that of the last one, which may go on from the others, without its scores and its calibration. Cases that the
    others learned from count as learned from before.

    Args:
        name: Of the new model.
        records: Of networks alike in every option.
        command: What makes it, to stand behind the commands of the trainings.

    Raises:
        ModelError: They are fewer than two or do not fit together; what differs is named.
    """
    _refuse_unlike(records)
    last = records[-1]
    for one in records:
        if one.network != last.network:
            raise ModelError(
                f"{one.folder} and {last.folder} cannot be averaged: their networks differ. Name models of one "
                "network, such as a training and another one that goes on from it."
            )
    histories = [history_of(record) for record in records]
    commands = list(dict.fromkeys(history.command for history in histories if history.command))
    whole = [one for one in commands if not any(one in other for other in commands if other != one)]
    cases = cases_of(last)
    earlier = sorted(frozenset().union(*(history.cases for history in histories)) - set(cases.get("train", ())))
    by_part = {**{part: list(ids) for part, ids in cases.items()}, **({EARLIER: earlier} if earlier else {})}
    told: dict[str, Any] = {"command": " && ".join([*whole, command]), "cases": by_part}
    if any(history.imagenet for history in histories):
        told[IMAGENET] = True
    missed = tuple(c for c in last.trained_to_miss if all(c in r.trained_to_miss for r in records))
    training = {key: value for key, value in last.training.items() if key not in _OF_CALIBRATION} | told
    return replace(last, name=name, version="1", trained_to_miss=missed, training=training, scores={}, folder=None)


def _member(record: ModelRecord, common: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    settings = _group(record.training.get("settings"))
    return {
        "name": record.name,
        "version": record.version,
        "sha256": record.weights_sha256,
        "settings": {key: value for key, value in settings.items() if key not in common},
        "cases": {part: list(ids) for part, ids in cases_of(record).items()},
        **({} if "command" in shared else {"command": command_of(record)}),
        **({IMAGENET: True} if record.training.get(IMAGENET) and IMAGENET not in shared else {}),
    }


def _refuse_unlike(records: Sequence[ModelRecord]) -> None:
    if len(records) < 2:
        raise ModelError("There must be two models or more. Name another one.")
    first = records[0]
    for one in records:
        if one.network["name"] == ENSEMBLE or one.network.get("highlight"):
            kind = "an ensemble already" if one.network["name"] == ENSEMBLE else "a network behind a highlighter"
            raise ModelError(f"{one.folder} is {kind}, which cannot be joined. Choose models of plain networks.")
        if one.parent is not None:
            raise ModelError(f"{one.folder} was fine-tuned. Choose models that brainseg train has made.")
        for name, words in _ALIKE.items():
            if getattr(one, name) != getattr(first, name):
                both = f"{first.folder} and {one.folder}"
                raise ModelError(f"{both} cannot be joined: their {words} differ. Choose models of one kind.")
    seen: dict[str, ModelRecord] = {}
    for one in records:
        twin = seen.setdefault(one.weights_sha256 or str(one.folder), one)
        if twin is not one:
            raise ModelError(f"{twin.folder} and {one.folder} have the same weights. Name each model once.")


def _cross_validation(records: Sequence[ModelRecord]) -> dict[str, Any]:
    """Return each case's scores by the member that did not learn from it; empty where a case has several or none."""
    found: dict[str, Mapping[str, float]] = {}
    for record in records:
        scores = _group(_group(record.scores.get("validation")).get("cases"))
        if not scores or found.keys() & scores.keys():
            return {}
        found.update(scores)
    regions = list(next(iter(found.values())))
    mean = {region: fmean(scores[region] for scores in found.values()) for region in regions}
    return {"cross_validation": {"mean": mean, "cases": dict(sorted(found.items()))}}


def _training(name: str, version: str, told: Mapping[str, Any], cases: Mapping[str, tuple[str, ...]]) -> Training:
    settings, sha256 = _group(told.get("settings")), str(told.get("sha256", ""))
    imagenet = bool(settings.get(IMAGENET) or told.get(IMAGENET))
    return Training(name, version, sha256, settings, cases, str(told.get("command", "")), imagenet)


def _by_part(cases: object) -> dict[str, tuple[str, ...]]:
    given = _group(cases)
    return {part: tuple(map(str, given[part])) for part in PARTS if isinstance(given.get(part), list | tuple)}


def _group(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
