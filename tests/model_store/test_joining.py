from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_folds import write_folds

from napari_brainseg.base.errors import ModelError, OutputError
from napari_brainseg.model_store.ensembles import learned_cases
from napari_brainseg.model_store.joining import average_models, join_models
from napari_brainseg.model_store.model import load_model
from napari_brainseg.model_store.model_zip import export_model, import_model


def test_an_ensemble_gives_the_mean_of_its_members_logits(tmp_path: Path) -> None:
    folds = write_folds(tmp_path)
    joined = load_model(join_models(folds, tmp_path / "all").folder)
    assert joined.record.weights_sha256 == hashlib.sha256(joined.record.weights_path.read_bytes()).hexdigest()
    images = torch.randn((2, 4, 33, 40), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        one, other = (load_model(fold).network(images) for fold in folds)
        assert torch.equal(joined.network(images), (one + other) / 2)


def test_an_ensemble_is_passed_on_as_any_model_and_replaces_none(tmp_path: Path) -> None:
    joined = join_models(write_folds(tmp_path), tmp_path / "all")
    taken = import_model(export_model(joined, tmp_path / "all.zip"), tmp_path / "there")
    assert (taken.network, taken.weights_sha256) == (joined.network, joined.weights_sha256)
    with pytest.raises(OutputError, match="all exists"):
        join_models(write_folds(tmp_path / "more"), tmp_path / "all")


def test_an_average_has_the_mean_of_all_weights_and_no_scores_of_its_own(tmp_path: Path) -> None:
    folds = write_folds(tmp_path)
    averaged = load_model(average_models(folds, tmp_path / "both", "brainseg models average both A B").folder)
    one, other = (load_model(fold).network.state_dict() for fold in folds)
    for name, value in averaged.network.state_dict().items():
        if value.is_floating_point():
            wanted = ((one[name].float() + other[name].float()) / 2).half().float()
            torch.testing.assert_close(value.float(), wanted, msg=name)
        else:
            assert torch.equal(value, other[name])
    record = averaged.record
    assert (record.name, record.scores, record.trained_to_miss) == ("both", {}, ("t1",))
    assert learned_cases(record) == {"a", "b", "c", "d"}
    assert record.training["cases"]["earlier"] == ["b"]
    assert record.training["command"].split(" && ") == [
        "brainseg train --config m.yaml data=FOLDER out=FOLDER split_name=fold0",
        "brainseg train --config m.yaml data=FOLDER out=FOLDER split_name=fold1",
        "brainseg models average both A B",
    ]


def test_the_commands_of_a_training_and_of_one_that_goes_on_from_it_are_told_once(tmp_path: Path) -> None:
    first, second = write_folds(tmp_path)
    own = {"command": f"{first.training['command']} && go on", "temperature": {"WT": 2.0}, "calibrated_from": "x"}
    both = replace(second, training={**second.training, **own})
    record = average_models([first, both], tmp_path / "mean", "mean")
    assert record.training["command"] == f"{first.training['command']} && go on && mean"
    assert not {"temperature", "calibrated_from"} & record.training.keys()  # of weights that are not these


def test_networks_of_other_options_have_no_mean(tmp_path: Path) -> None:
    wide = {"name": "unext", "options": {"widths": [4, 8, 8, 8, 8]}}
    with pytest.raises(ModelError, match="cannot be averaged: their networks differ"):
        average_models(write_folds(tmp_path, network=wide), tmp_path / "both")
    assert not (tmp_path / "both").exists()
