"""Flips, ensembles, 2.5-D and the maps that come as by-products, each against its definition."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from known_models import SHAPE, Thresholds, make_case, make_model
from torch import Tensor

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.postprocessing import PostProcessing
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.model import Model
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.model_store.store import ModelRecord


@pytest.fixture(autouse=True)
def fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINSEG_FP32", "1")


class Constant(Thresholds):
    """Gives every voxel the same probability in every region."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.logit = float(torch.logit(torch.tensor(probability)))

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(torch.full((len(images), 3, *images.shape[2:]), self.logit))


class Ramp(Thresholds):
    """Probabilities that grow along the last axis, whatever is in the image: mirrored copies disagree."""

    def forward(self, images: Tensor) -> Tensor:
        ramp = torch.linspace(0.1, 0.7, images.shape[-1]).expand(len(images), 3, *images.shape[2:])
        return torch.logit(self.layer(ramp))


def _ran(model: Any, **choices: Any) -> Any:
    return run_to_end(segment(make_case(), model, SegmentSettings(**choices)))


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_an_ensemble_is_the_mean_of_the_probabilities(spatial_dims: int) -> None:
    pair = [make_model(spatial_dims, Constant(0.3)), make_model(spatial_dims, Constant(0.9))]
    result = _ran(pair, probabilities=True)
    inside = result.probabilities[:, 1:8, 5:30, 6:30].astype(float)
    np.testing.assert_allclose(inside, 0.6, atol=1e-3)
    assert (result.labels[1:8, 5:30, 6:30] == 3).all()
    # Of 0.3 and 0.9: the mean square, 0.45, less the square of the mean, 0.36.
    np.testing.assert_allclose(result.variance[1:8, 5:30, 6:30].astype(float), 0.09, atol=1e-3)
    assert result.model == "thresholds 1 + thresholds 1"


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_mirrored_copies_are_mirrored_back_and_averaged(spatial_dims: int) -> None:
    result = _ran(make_model(spatial_dims, Ramp()), probabilities=True, flips=True)
    np.testing.assert_allclose(result.probabilities[:, 1:8, 3:32, 4:32].astype(float), 0.4, atol=1e-3)
    ramp = np.linspace(0.1, 0.7, 28)
    expected = (ramp**2 + ramp[::-1] ** 2) / 2 - 0.4**2
    np.testing.assert_allclose(result.variance[3, 10, 4:32].astype(float), expected, atol=1e-3)


def test_flips_leave_a_network_that_they_do_not_matter_to_as_it_is() -> None:
    for dims in (2, 3):
        plain, flipped = _ran(make_model(dims)), _ran(make_model(dims), flips=True)
        np.testing.assert_array_equal(plain.labels, flipped.labels)
        assert plain.variance is None
        assert flipped.variance.max() < 1e-3  # rounding


@pytest.mark.parametrize(("name", "expected"), [("entropy", None), ("margin", 0.6)])
def test_uncertainty_is_a_map_of_the_case(name: str, expected: float | None) -> None:
    result = _ran(make_model(2, Constant(0.7)), uncertainty=name)
    inside = result.uncertainty[1:8, 3:32, 4:32].astype(float)
    if expected is None:  # all regions at 0.7: ET has 0.7, the background the rest, nothing lies between
        expected = -(0.7 * np.log(0.7) + 0.3 * np.log(0.3)) / np.log(4)
    np.testing.assert_allclose(inside, expected, atol=1e-3)
    assert (result.uncertainty_name, result.uncertainty.shape, result.uncertainty.dtype) == (name, SHAPE, np.float16)
    assert not result.uncertainty[:, :3].any()


def test_models_that_do_not_fit_together_are_refused() -> None:
    other = make_model()
    fewer = Model(_with(other, outputs=("WT",)), other.network)
    with pytest.raises(ModelError, match=r"their outputs differ \(WT, TC, ET and WT\)"):
        _ran([make_model(), fewer])
    with pytest.raises(ModelError, match="their label schemes differ"):
        _ran([make_model(), Model(_with(other, scheme_id="brats2017"), other.network)])
    with pytest.raises(ModelError, match="their numbers of axes differ"):
        _ran([make_model(), make_model(3)])
    with pytest.raises(ModelError, match="at least one model"):
        _ran([])


def test_members_of_other_boxes_share_the_case() -> None:
    whole = make_model()
    whole = Model(_with(whole, preprocessing=Preprocessing(zero_background=True)), Constant(0.6))
    result = _ran([make_model(2, Constant(0.8)), whole], probabilities=True)
    np.testing.assert_allclose(result.probabilities[:, 1:8].astype(float), 0.7, atol=1e-3)


def test_neighbouring_slices_join_the_input() -> None:
    class Neighbours(Thresholds):
        def forward(self, images: Tensor) -> Tensor:
            assert images.shape[1] == 12
            return super().forward(images[:, 8:9])  # FLAIR of the slice above

    model = make_model(2, Neighbours())
    joined = Preprocessing(crop=True, zero_background=True, neighbours=1)
    result = _ran(Model(_with(model, preprocessing=joined), model.network))
    plain = _ran(make_model())
    np.testing.assert_array_equal(result.labels[1:7], plain.labels[2:8])


def test_rules_after_the_labels_are_noted_and_need_the_whole_case() -> None:
    rules = PostProcessing(min_volume=1e6)
    result = _ran(make_model(), post_processing=rules)
    assert not result.labels.any()
    assert result.notes[0].startswith("Removed ")
    part = _ran(make_model(), post_processing=rules, slices=(3, 5))
    assert part.labels.any()
    assert part.notes == ("Steps after the labels need the whole case, so they were left out.",)
    model = make_model()
    recommended = Model(_with(model, post_processing={"min_volume": 1e6}), model.network)
    assert not _ran(recommended).labels.any()
    assert _ran(recommended, post_processing=PostProcessing()).labels.any()


def _with(model: Model, **changes: Any) -> ModelRecord:
    return replace(model.record, **changes)
