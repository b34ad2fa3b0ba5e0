"""Join trained models, such as those of the folds of a cross-validation, into one: an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_brainseg.model_store.card import model_card
from napari_brainseg.model_store.ensembles import joined_record
from napari_brainseg.model_store.model import Model, load_model, new_network, save_model
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.networks.ensemble import Ensemble


def join_models(records: Sequence[ModelRecord], folder: Path) -> ModelRecord:
    """Write the ensemble of some models as a model folder, and return its record.

    Raises:
        ModelError: They do not fit together, or one cannot be loaded.
        OutputError: The folder exists or cannot be written.
    """
    record = joined_record(folder.name, records)
    network = new_network(record)
    assert isinstance(network, Ensemble)
    for member, one in zip(network.members, records, strict=True):
        member.load_state_dict(load_model(one).network.state_dict())
    return save_model(Model(record, network.eval()), folder, model_card(record), exact=True)
