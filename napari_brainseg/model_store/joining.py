"""Make one model of several trained ones: an ensemble, the mean of their answers, or the mean of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from napari_brainseg.model_store.card import model_card
from napari_brainseg.model_store.ensembles import averaged_record, joined_record
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


def average_models(records: Sequence[ModelRecord], folder: Path, command: str = "") -> ModelRecord:
    """Write the model whose weights are the mean of those of some models as a model folder, and return its record.

    Where one training went on from another one, this mean often does better than either and costs no time later
    (Izmailov et al. 2018, arXiv:1803.05407; Wortsman et al. 2022, arXiv:2203.05482). The statistics of batch norm are
    averaged too.

    Raises:
        ModelError: They do not fit together, or one cannot be loaded.
        OutputError: The folder exists or cannot be written.
    """
    record = averaged_record(folder.name, records, command)
    states = [load_model(one).network.state_dict() for one in records]
    network = new_network(record)
    network.load_state_dict({key: _mean([state[key] for state in states]) for key in states[-1]})
    return save_model(Model(record, network.eval()), folder, model_card(record))


def _mean(values: Sequence[Tensor]) -> Tensor:
    last = values[-1]
    return torch.stack([value.float() for value in values]).mean(0) if last.is_floating_point() else last
