from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from small_folds import write_folds

from napari_brainseg.base.errors import OutputError
from napari_brainseg.model_store.joining import join_models
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
