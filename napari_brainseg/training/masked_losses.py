"""Losses that see chosen voxels only, as pure functions of logits, targets and mask, computed in fp32."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from napari_brainseg.training.losses import soft_dice


def masked_bce_dice(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Return binary cross-entropy plus soft Dice of independent sigmoid outputs, over the voxels of `mask` alone.

    Args:
        logits: (N, K, *spatial), any floating type; computed in fp32, since half precision can give NaN.
        targets: (N, K, *spatial), 0 or 1.
        mask: (N, *spatial), True where the targets are known; at least one voxel is.
    """
    logits, targets, known = logits.float(), targets.float(), mask[:, None].float()
    each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    entropy = (each * known).sum() / (known.sum() * logits.shape[1])
    return entropy + soft_dice(logits.sigmoid() * known, targets * known)


def masked_ce_dice(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Return cross-entropy plus soft Dice of the foreground of a softmax, over the voxels of `mask` alone.

    Args:
        logits: (N, K, *spatial), background first; computed in fp32.
        targets: (N, K, *spatial), one-hot.
        mask: (N, *spatial), True where the targets are known; at least one voxel is.
    """
    logits, targets, known = logits.float(), targets.float(), mask[:, None].float()
    each = functional.cross_entropy(logits, targets, reduction="none")[:, None]
    entropy = (each * known).sum() / known.sum()
    return entropy + soft_dice((logits.softmax(1) * known)[:, 1:], (targets * known)[:, 1:])
