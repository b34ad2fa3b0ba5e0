"""Write a model's card anew: README.md with its diagram, from `model.json` and what was taken into `records.json`."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_brainseg.base.errors import InputError, ModelError
from napari_brainseg.base.paths import written_aside
from napari_brainseg.evaluation.calibration import Reliability
from napari_brainseg.evaluation.charts import reliability_before_and_after
from napari_brainseg.model_store.card import model_card
from napari_brainseg.model_store.card_facts import ROBUSTNESS, Facts, facts_text, joined, read_facts, taken
from napari_brainseg.model_store.folders import DIAGRAM, MODEL_FILES, RECORDS
from napari_brainseg.model_store.store import ModelRecord

CARD = MODEL_FILES[2]


def write_card(record: ModelRecord, take: Iterable[str] = (), join: Iterable[str] = ()) -> Path:
    """Take results into a model's folder, write its card anew from all that is recorded there, and return its path.

    Args:
        record: The model.
        take: See `card_facts.taken`; of a kind that was taken before, the new one counts.
        join: `robustness.json` of further folds, whose cases are added to those that were taken before.

    Raises:
        ModelError: The model has not been saved, runs in another environment, or its records are damaged.
        InputError: Something cannot be taken.
        OutputError: The folder cannot be written.
    """
    if record.folder is None:
        raise ModelError(f"The model {record.name} has not been saved yet.")
    facts = {**read_facts(record.folder), **taken(take, record)}
    for word in join:
        further = taken([word], record).get(ROBUSTNESS)
        if further is None or ROBUSTNESS not in facts:
            raise InputError(f"{word} cannot be joined: what can is a robustness.json, to one that was taken before.")
        facts[ROBUSTNESS] = joined(facts[ROBUSTNESS], further)
    for name, content in card_files(record, facts).items():
        with written_aside(record.folder / name, overwrite=True) as aside:
            aside.write_bytes(content)
    return record.folder / CARD


def card_files(record: ModelRecord, facts: Facts) -> dict[str, bytes]:
    """Return the files of a card by name: what it is written from, its diagram, and last itself."""
    files = {RECORDS: facts_text(facts).encode()} if facts else {}
    calibration = record.scores.get("calibration")
    if calibration:
        files[DIAGRAM] = _diagram(record, calibration["regions"])
    return {**files, CARD: model_card(record, facts).encode()}


def _diagram(record: ModelRecord, regions: Mapping[str, Any]) -> bytes:
    """Return the reliability diagram as PNG, without anything that changes from one time to the next."""
    before, after = (
        {name: Reliability.from_json(one[when]) for name, one in regions.items()} for when in ("before", "after")
    )
    stream = io.BytesIO()
    figure = reliability_before_and_after(before, after, record.scheme)
    figure.savefig(stream, format="png", dpi=90, metadata={"Software": None})
    return stream.getvalue()
