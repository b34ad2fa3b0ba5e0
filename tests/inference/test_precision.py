"""Half precision is used only where its labels are those of fp32; that is asked once and remembered."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from known_models import Thresholds, make_case, make_model
from torch import Tensor

from napari_brainseg.base.progress import run_to_end
from napari_brainseg.inference import facts, remembered
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.precision import agreement


class Dtypes(Thresholds):
    """Notes in which precision each layer computes; in half precision it is wrong by `error`."""

    def __init__(self, error: float = 0.0) -> None:
        super().__init__()
        self.error, self.seen = error, []

    def forward(self, images: Tensor) -> Tensor:
        half = torch.is_autocast_enabled("cpu")
        self.seen.append(half)
        return super().forward(images) - 100 * self.error * half


@pytest.fixture(autouse=True)
def has_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "fast_dtype", lambda device: torch.bfloat16)
    monkeypatch.delenv("BRAINSEG_FP32", raising=False)


def test_agreement_counts_the_voxels_that_either_calls_tumour() -> None:
    first, second = np.array([0, 0, 1, 1, 2, 2], np.uint8), np.array([0, 1, 1, 1, 2, 1], np.uint8)
    assert agreement(first, second) == 3 / 5
    assert agreement(first * 0, second * 0) == 1


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_half_precision_that_agrees_is_kept_and_not_asked_again(spatial_dims: int) -> None:
    model = make_model(spatial_dims, Dtypes())
    run_to_end(segment(make_case(), model))
    assert model.network.seen.count(False) == 1  # the comparison
    model.network.seen.clear()
    run_to_end(segment(make_case(), model))
    assert all(model.network.seen)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_half_precision_that_disagrees_is_given_up(spatial_dims: int) -> None:
    model = make_model(spatial_dims, Dtypes(error=0.5))
    result = run_to_end(segment(make_case(), model))
    plain = run_to_end(segment(make_case(), make_model(spatial_dims, Dtypes())))
    np.testing.assert_array_equal(result.labels, plain.labels)
    model.network.seen.clear()
    run_to_end(segment(make_case(), model))
    assert not any(model.network.seen)


def test_a_model_of_a_file_is_remembered_in_a_file(own_home: Path) -> None:
    remembered.remember("brats 1234 on cpu", "half", True)
    remembered.remember("brats 1234 on cpu", "bytes per voxel", 96.5)
    path = own_home / "cache" / "inference.json"
    assert json.loads(path.read_text()) == {"brats 1234 on cpu": {"half": True, "bytes per voxel": 96.5}}
    assert remembered.recall("brats 1234 on cpu", "half") is True
    assert remembered.recall("brats 1234 on gpu", "half") is None
    path.write_text("{damaged")
    assert remembered.recall("brats 1234 on cpu", "half") is None
    remembered.remember("other on cpu", "half", False)
    assert remembered.recall("other on cpu", "half") is False


def test_a_network_in_memory_leaves_no_file(own_home: Path) -> None:
    run_to_end(segment(make_case(), make_model(2, Dtypes())))
    assert not own_home.exists()
