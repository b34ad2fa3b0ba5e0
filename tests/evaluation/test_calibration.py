from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import calibration_binning

from napari_brainseg.evaluation.calibration import BINS, reliability


def test_bins_and_error_agree_with_monai() -> None:
    chance = np.random.default_rng(3)
    probability = chance.random((6, 10, 12), dtype=np.float32)
    truth = chance.random(probability.shape) < probability**2
    ours = reliability(probability, truth)
    tensors = [torch.from_numpy(a)[None, None].float() for a in (probability, truth)]
    predicted, true, voxels = (t[0, 0].numpy() for t in calibration_binning(*tensors, num_bins=BINS))
    np.testing.assert_array_equal(ours.voxels, voxels)
    np.testing.assert_allclose(ours.predicted / ours.voxels, predicted, rtol=1e-5)
    np.testing.assert_allclose(ours.true / ours.voxels, true, rtol=1e-5)
    assert ours.ece == pytest.approx(float((np.abs(predicted - true) * voxels).sum() / voxels.sum()), rel=1e-5)


def test_known_errors() -> None:
    half = np.full(10, 0.5, np.float16)
    truth = np.arange(10) < 5
    assert reliability(half, truth).ece == 0.0
    assert reliability(half, np.ones(10, bool)).ece == pytest.approx(0.5)
    assert reliability(truth.astype(np.float32), truth).ece == 0.0
    assert reliability(1 - truth.astype(np.float32), truth).ece == 1.0


def test_bins_of_cases_add_up() -> None:
    one, other = reliability(np.full(4, 0.9), np.ones(4, bool)), reliability(np.full(4, 0.9), np.zeros(4, bool))
    assert (one + other).ece == pytest.approx(0.4)
    assert np.isnan(reliability(np.zeros(0), np.zeros(0, bool)).ece)
