"""Weights go where they mean the same: sequence by sequence, output by output."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.model_store.model import Model, load_model, new_network, save_model
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.first_weights import load_first_weights


def record(channels: tuple[str, ...], outputs: tuple[str, ...], scheme: str, width: int = 4) -> ModelRecord:
    network = {"name": "unet", "options": {"base_width": width}}
    return ModelRecord("m", "1", "a model", network, channels, scheme, outputs)


@pytest.fixture
def lgg(tmp_path: Path) -> Path:
    kept = record(("pre", "flair", "post"), ("WT",), "lgg")
    torch.manual_seed(1)
    save_model(Model(kept, new_network(kept)), tmp_path / "lgg", "card")
    return tmp_path / "lgg"


def test_a_network_begins_with_the_sequences_and_outputs_that_it_shares(lgg: Path) -> None:
    own = record(("flair", "t1", "t1ce", "t2"), ("TC", "WT", "ET"), "brats2017")
    torch.manual_seed(2)
    network = new_network(own)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    load_first_weights(network, own, str(lgg))
    theirs, weights = load_model(lgg).network.state_dict(), network.state_dict()
    first, *middle = (name for name in weights if weights[name].ndim > 1)
    last = [name for name in weights if weights[name].shape != theirs[name].shape and name != first]

    assert torch.equal(weights[first][:, [1, 0, 2]], theirs[first])
    assert torch.equal(weights[first][:, 3], before[first][:, 3])
    assert last
    for name in last:
        axis = [n for n in range(weights[name].ndim) if weights[name].shape[n] != theirs[name].shape[n]]
        assert axis == [0]
        assert torch.equal(weights[name][1], theirs[name][0])
        assert torch.equal(weights[name][[0, 2]], before[name][[0, 2]])
    for name in set(middle) - set(last):
        assert torch.equal(weights[name], theirs[name])


def test_another_order_of_the_same_sequences_is_followed(lgg: Path) -> None:
    own = record(("flair", "post", "pre"), ("WT",), "lgg")
    network = new_network(own)
    load_first_weights(network, own, str(lgg))
    theirs, weights = load_model(lgg).network.state_dict(), network.state_dict()
    first = next(name for name in weights if weights[name].ndim > 1)
    assert torch.equal(weights[first], theirs[first][:, [1, 2, 0]])


def test_another_order_of_the_same_outputs_is_followed(tmp_path: Path) -> None:
    kept = record(("flair",), ("WT", "TC", "ET"), "brats2017")
    save_model(Model(kept, new_network(kept)), tmp_path / "kept", "card")
    own = record(("flair",), ("ET", "WT", "TC"), "brats2017")
    network = new_network(own)
    load_first_weights(network, own, str(tmp_path / "kept"))
    theirs, weights = load_model(tmp_path / "kept").network.state_dict(), network.state_dict()
    for name in ("head.weight", "head.bias"):
        assert torch.equal(weights[name], theirs[name][[2, 0, 1]])


def test_a_network_that_sees_the_image_twice_gets_each_sequence_twice(tmp_path: Path) -> None:
    network = {"name": "efficientnet_unet", "options": {"widths": [8, 8, 8, 8]}}
    kept = ModelRecord("m", "1", "", network, ("pre", "flair", "post"), "lgg", ("WT",))
    own = ModelRecord("m", "1", "", network, ("t2", "flair"), "brats2017", ("TC", "WT"))
    save_model(Model(kept, new_network(kept)), tmp_path / "kept", "card")
    given = new_network(own)
    before = {name: weight.clone() for name, weight in given.state_dict().items()}
    load_first_weights(given, own, str(tmp_path / "kept"))
    theirs, weights = load_model(tmp_path / "kept").network.state_dict(), given.state_dict()

    assert torch.equal(weights["stem.0.weight"][:, 1], theirs["stem.0.weight"][:, 1])
    assert torch.equal(weights["stem.0.weight"][:, 0], before["stem.0.weight"][:, 0])
    mix = "decoder.3.mix.0.weight"  # 8 channels from below, 16 of the first stage, and 4 pixels of each channel
    assert torch.equal(weights[mix][:, :24], theirs[mix][:, :24])
    assert torch.equal(weights[mix][:, 28:], theirs[mix][:, 28:32])
    assert torch.equal(weights[mix][:, 24:28], before[mix][:, 24:28])
    assert torch.equal(weights["head.weight"][4:], theirs["head.weight"])
    assert torch.equal(weights["head.weight"][:4], before["head.weight"][:4])


def test_another_network_is_told(lgg: Path) -> None:
    for own in (
        record(("flair",), ("WT",), "lgg", width=6),
        ModelRecord("m", "1", "", {"name": "unext"}, ("flair",), "lgg", ("WT",)),
    ):
        with pytest.raises(TrainingError, match="do not fit the network of this run"):
            load_first_weights(new_network(own), own, str(lgg))
