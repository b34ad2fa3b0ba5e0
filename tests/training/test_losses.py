import math

import torch

from napari_brainseg.training.losses import bce_dice, ce_dice, soft_dice


def test_soft_dice_by_hand() -> None:
    probabilities, targets = torch.tensor([[[0.5, 0.5]]]), torch.tensor([[[1.0, 0.0]]])
    assert soft_dice(probabilities, targets, smooth=0).item() == 1 - 2 * 0.5 / (1 + 1)


def test_soft_dice_of_nothing_is_zero() -> None:
    assert soft_dice(torch.zeros(2, 1, 4), torch.zeros(2, 1, 4)).item() == 0


def test_bce_dice_by_hand() -> None:
    value = bce_dice(torch.zeros(1, 1, 2), torch.tensor([[[1.0, 0.0]]]))
    torch.testing.assert_close(value, torch.tensor(math.log(2) + 1 - 2 / 3))


def test_losses_are_fp32_and_finite_in_half_precision() -> None:
    logits = torch.full((1, 3, 4), 80.0, dtype=torch.bfloat16, requires_grad=True)
    for loss in (bce_dice, ce_dice):
        value = loss(logits, torch.zeros(1, 3, 4))
        assert value.dtype == torch.float32
        assert torch.isfinite(value)
