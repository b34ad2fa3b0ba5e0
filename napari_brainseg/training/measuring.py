"""Measure what the training cases of a model look like, for one that was trained before that was recorded."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.paths import write_text
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.reading import read_case
from napari_brainseg.model_store.domain import Domain, measure_case
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.prepared import cases_by_id, find_labelled


def measure_domain(
    record: ModelRecord, folder: Path, case_ids: Sequence[str] = ()
) -> Generator[Progress, None, ModelRecord]:
    """Measure cases of a folder, by default all, and write what they look like into the model's `model.json`.

    Weights, their SHA-256 and the card stay as they are.

    Raises:
        TrainingError: A case is not in the folder.
        InputError: A case cannot be read.
        ModelError: The model has not been saved.
        OutputError: `model.json` cannot be written.
    """
    if record.folder is None:
        raise ModelError(f"The model {record.name} has not been saved yet.")
    files = find_labelled(folder, case_ids) if case_ids else list(cases_by_id(folder).values())
    facts = []
    for number, found in enumerate(files):
        yield Progress(number, len(files), f"measuring {found.id}")
        facts.append(measure_case(read_case(found)))
    domain = Domain.of(facts, record.channels)
    measured = replace(record, training={**record.training, "domain": domain.to_json()})
    write_text(record.folder / "model.json", measured.to_json())
    return measured
