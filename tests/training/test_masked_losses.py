import math

import pytest
import torch

from napari_brainseg.training.losses import bce_dice, ce_dice
from napari_brainseg.training.masked_losses import masked_bce_dice, masked_ce_dice

PAIRS = [(masked_bce_dice, bce_dice), (masked_ce_dice, ce_dice)]


def example():
    chance = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=chance)
    classes = torch.randint(0, 3, (2, 4, 5), generator=chance)
    return logits, torch.nn.functional.one_hot(classes, 3).movedim(-1, 1).float()


@pytest.mark.parametrize(("masked", "plain"), PAIRS)
def test_a_full_mask_gives_the_plain_loss(masked, plain):
    logits, targets = example()

    full = masked(logits, targets, torch.ones(2, 4, 5, dtype=torch.bool))

    torch.testing.assert_close(full, plain(logits, targets))


@pytest.mark.parametrize(("masked", "plain"), PAIRS)
def test_a_mask_gives_the_loss_of_its_voxels_alone(masked, plain):
    logits, targets = example()
    mask = torch.zeros(2, 4, 5, dtype=torch.bool)
    mask[:, 1:3] = True

    torch.testing.assert_close(masked(logits, targets, mask), plain(logits[:, :, 1:3], targets[:, :, 1:3]))


@pytest.mark.parametrize(("masked", "plain"), PAIRS)
def test_no_gradient_comes_from_outside_the_mask(masked, plain):
    logits, targets = example()
    logits.requires_grad_()
    mask = torch.zeros(2, 4, 5, dtype=torch.bool)
    mask[0, 0, 0] = True

    masked(logits, targets, mask).backward()

    assert logits.grad[0, :, 0, 0].abs().min() > 0
    assert (logits.grad.abs().sum(1)[~mask] == 0).all()


def test_half_precision_logits_are_computed_in_single():
    logits, targets = example()
    mask = torch.ones(2, 4, 5, dtype=torch.bool)
    huge = (logits * 1e4).bfloat16()

    assert math.isfinite(float(masked_bce_dice(huge, targets, mask)))
    assert masked_bce_dice(huge, targets, mask).dtype == torch.float32
