"""Losses as pure functions of logits and targets, always computed in fp32."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def soft_dice(probabilities: Tensor, targets: Tensor, smooth: float = 1.0) -> Tensor:
    """Return 1 - Dice, pooled over the batch and averaged over the channels.

    `1 - (2 Σ p y + s) / (Σ p + Σ y + s)` per channel (Milletari 2016, arXiv:1606.04797, without its squares).

    Args:
        probabilities: (N, K, *spatial), 0 to 1.
        targets: The same shape, 0 or 1.
        smooth: s; makes an empty target that is predicted empty cost nothing.
    """
    axes = [0, *range(2, probabilities.ndim)]
    overlap = (probabilities * targets).sum(axes)
    total = probabilities.sum(axes) + targets.sum(axes)
    return (1 - (2 * overlap + smooth) / (total + smooth)).mean()


def bce_dice(logits: Tensor, targets: Tensor) -> Tensor:
    """Return binary cross-entropy plus soft Dice for independent sigmoid outputs.

    Args:
        logits: (N, K, *spatial), any floating type; computed in fp32, since half precision can give NaN.
        targets: (N, K, *spatial), 0 or 1.
    """
    logits, targets = logits.float(), targets.float()
    return functional.binary_cross_entropy_with_logits(logits, targets) + soft_dice(torch.sigmoid(logits), targets)


def ce_dice(logits: Tensor, targets: Tensor) -> Tensor:
    """Return cross-entropy plus soft Dice of the foreground for a softmax over classes.

    Args:
        logits: (N, K, *spatial), background first; computed in fp32.
        targets: (N, K, *spatial), one-hot.
    """
    logits, targets = logits.float(), targets.float()
    return functional.cross_entropy(logits, targets) + soft_dice(logits.softmax(1)[:, 1:], targets[:, 1:])
