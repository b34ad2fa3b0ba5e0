"""Each loss as its formula, worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from monai.losses import TverskyLoss
from torch import Tensor

from napari_brainseg.training.losses import (
    against_rest,
    bce_dice,
    ce_dice,
    cross_entropy,
    exponential_logarithmic,
    focal,
    inverse_dice,
    overlap,
    soft_dice,
    switching,
    tversky,
)

LN3 = math.log(3)  # the logit of 3/4
# Two voxels of one region: inside with p = 3/4, outside with p = 1/4.
LOGITS, TARGETS = torch.tensor([[[LN3, -LN3]]]), torch.tensor([[[1.0, 0.0]]])
# Two voxels of three classes: p = (1/2, 1/4, 1/4) and (1/4, 1/4, 1/2), truth background and the last class.
CLASS_LOGITS = torch.tensor([[[math.log(2), 0.0], [0.0, 0.0], [0.0, math.log(2)]]])
CLASSES = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]])


def close(actual: Tensor, expected: float) -> None:
    assert actual.dtype == torch.float32
    assert actual.item() == pytest.approx(expected, rel=1e-5)


def test_soft_dice_by_hand() -> None:
    assert soft_dice(torch.tensor([[[0.5, 0.5]]]), TARGETS, smooth=0).item() == 1 - 2 * 0.5 / (1 + 1)
    close(soft_dice(LOGITS.sigmoid(), TARGETS), 1 - (2 * 0.75 + 1) / (1 + 1 + 1))


def test_soft_dice_of_nothing_is_zero() -> None:
    assert soft_dice(torch.zeros(2, 1, 4), torch.zeros(2, 1, 4)).item() == 0


def test_overlap_is_pooled_over_the_batch_or_of_each_sample() -> None:
    probabilities = torch.tensor([[[1.0, 1.0]], [[1.0, 0.0]]])
    targets = torch.tensor([[[1.0, 1.0]], [[0.0, 0.0]]])
    torch.testing.assert_close(overlap(probabilities, targets, 0.0), torch.tensor([4 / 5]))
    torch.testing.assert_close(overlap(probabilities, targets, 1.0, per_sample=True), torch.tensor([[1.0], [0.5]]))


def test_inverse_dice_is_dice_of_what_is_outside() -> None:
    probabilities, targets = torch.tensor([[[0.75, 0.25, 0.0]]]), torch.tensor([[[1.0, 0.0, 0.0]]])
    close(inverse_dice(probabilities, targets, smooth=0), 1 - 2 * 1.75 / (2 + 2))


def test_bce_dice_by_hand() -> None:
    close(bce_dice(torch.zeros(1, 1, 2), TARGETS), math.log(2) + 1 - 2 / 3)
    close(bce_dice(torch.zeros(1, 1, 2), TARGETS, 0.5, 2.0, smooth=0.0), 0.5 * math.log(2) + 2 * 0.5)
    two, truth = torch.zeros(2, 1, 2), torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]])
    close(bce_dice(two, truth, 0.0, 1.0, "batch", 0.0), 1 - 2 * 0.5 / (2 + 1))
    close(bce_dice(two, truth, 0.0, 1.0, "sample", 0.0), 1 - (0.5 + 0) / 2)


def test_ce_dice_by_hand() -> None:
    dice = torch.tensor([(0 + 1) / (0.5 + 0 + 1), (2 * 0.5 + 1) / (0.75 + 1 + 1)])
    close(ce_dice(CLASS_LOGITS, CLASSES), math.log(2) + 1 - float(dice.mean()))


def test_cross_entropy_of_regions_and_classes_by_hand() -> None:
    close(cross_entropy(LOGITS, TARGETS, softmax=False), -math.log(0.75))
    weighted = cross_entropy(LOGITS, TARGETS, torch.tensor([5.0]), softmax=False)
    close(weighted, -(5 + 1) * math.log(0.75) / 2)
    close(cross_entropy(CLASS_LOGITS, CLASSES, softmax=True), math.log(2))
    logits = CLASS_LOGITS * torch.tensor([1.0, 0.0])  # the second voxel is even: p = 1/3
    weights = torch.tensor([1.0, 7.0, 3.0])
    close(cross_entropy(logits, CLASSES, weights, softmax=True), (math.log(2) + 3 * math.log(3)) / 4)


@pytest.mark.parametrize("classes", [2, 5])
def test_a_class_against_the_rest_has_the_softmax_as_its_sigmoid(classes: int) -> None:
    logits = torch.randn(2, classes, 3, 4, generator=torch.Generator().manual_seed(1)) * 4
    torch.testing.assert_close(against_rest(logits).sigmoid(), logits.softmax(1))


def test_exponential_logarithmic_by_hand() -> None:
    dice, frequencies = (2 * 0.75 + 1) / 3, torch.tensor([0.2])
    expected = 0.8 * (-math.log(dice)) ** 0.3
    expected += 0.2 * (-math.log(0.75)) ** 0.3 * (math.sqrt(1 / 0.2) + math.sqrt(1 / 0.8)) / 2
    close(exponential_logarithmic(LOGITS, TARGETS, frequencies, softmax=False), expected)
    shares = torch.tensor([0.5, 0.3, 0.2])
    each = [(2 * 0.5 + 1) / (0.75 + 1 + 1), 1 / (0.5 + 1), (2 * 0.5 + 1) / (0.75 + 1 + 1)]
    expected = 0.4 * sum(-math.log(d) for d in each) / 3
    expected += 0.6 * math.log(2) * (math.sqrt(1 / 0.5) + math.sqrt(1 / 0.2)) / 2
    close(exponential_logarithmic(CLASS_LOGITS, CLASSES, shares, 0.4, 0.6, gamma=1.0, softmax=True), expected)


def test_switching_exchanges_its_weights_at_the_threshold() -> None:
    # Half of the voxels are foreground; Dice and inverse Dice differ by the third voxel.
    logits, targets = torch.tensor([[[LN3, -LN3, -LN3, LN3]]]), torch.tensor([[[1.0, 0.0, 0.0, 0.0]]])
    entropy = -(3 * math.log(0.75) + math.log(0.25)) / 4
    dice, inverse = 1 - (2 * 0.75 + 1) / (2 + 1 + 1), 1 - (2 * 1.75 + 1) / (2 + 3 + 1)
    small, large = entropy + 0.75 * dice + 0.25 * inverse, entropy + 0.25 * dice + 0.75 * inverse
    assert small != pytest.approx(large)
    close(switching(logits, targets, threshold=0.26), small)
    close(switching(logits, targets, threshold=0.25), large)
    close(switching(logits, targets, threshold=0.26, small_first=False), large)
    close(switching(logits, targets, threshold=0.25, small_first=False), small)
    close(switching(logits, targets, 0.9, threshold=0.26), entropy + 0.9 * dice + 0.1 * inverse)


def test_switching_counts_a_voxel_of_nested_regions_once() -> None:
    logits, targets = torch.zeros(1, 2, 4), torch.tensor([[[1.0, 0.0, 0.0, 0.0]] * 2])
    values = {switching(logits, targets, threshold=t).item() for t in (0.24, 0.25, 0.26, 0.49)}
    assert len(values) == 2
    assert switching(logits, targets, threshold=0.26).item() == switching(logits, targets, threshold=0.49).item()


def test_focal_by_hand() -> None:
    close(focal(LOGITS, TARGETS, softmax=False), -(0.25**2) * math.log(0.75))
    close(focal(LOGITS, TARGETS, 0.5, softmax=False), -(0.25**0.5) * math.log(0.75))
    close(focal(CLASS_LOGITS, CLASSES, softmax=True), 0.5**2 * math.log(2))
    close(focal(CLASS_LOGITS, CLASSES, 0.0, softmax=True), math.log(2))


def test_tversky_by_hand_and_as_monai_has_it() -> None:
    close(tversky(LOGITS.sigmoid(), TARGETS, 0.2, 0.6, 0.0), 1 - 0.75 / (0.75 + 0.2 * 0.25 + 0.6 * 0.25))
    generator = torch.Generator().manual_seed(1)
    logits, targets = torch.randn(3, 2, 5, 6, generator=generator), torch.rand(3, 2, 5, 6, generator=generator).round()
    peer = TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7, smooth_nr=1.0, smooth_dr=1.0, batch=True)
    torch.testing.assert_close(tversky(logits.sigmoid(), targets), peer(logits, targets))
    torch.testing.assert_close(tversky(logits.sigmoid(), targets, 0.5, 0.5, 0.5), soft_dice(logits.sigmoid(), targets))


def test_losses_are_fp32_and_finite_in_half_precision() -> None:
    logits = torch.full((1, 3, 4), 80.0, dtype=torch.bfloat16, requires_grad=True)
    for loss in (bce_dice, ce_dice):
        value = loss(logits, torch.zeros(1, 3, 4))
        assert value.dtype == torch.float32
        assert torch.isfinite(value)
