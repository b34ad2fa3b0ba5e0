"""Losses as pure functions of probabilities or logits and targets, always computed in fp32.

Shapes throughout: logits, probabilities and targets (N, K, *spatial); targets are 0 or 1. An output is a region with a
sigmoid of its own, or a class of a softmax, the background first.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# -ln p and -ln Dice are kept this far from 0, where a root of them has an infinite gradient.
_LEAST = 1e-6
_LEAST_DICE = 1e-12


def against_rest(logits: Tensor) -> Tensor:
    """Return z_k - ln Σ_{j ≠ k} exp z_j, whose sigmoid is the softmax probability of class k.

    So every loss of independent outputs is one of a softmax too, without the logarithm of a probability that is 0.
    """
    others = [torch.cat([logits[:, :k], logits[:, k + 1 :]], 1).logsumexp(1) for k in range(logits.shape[1])]
    return logits - torch.stack(others, 1)


def overlap(probabilities: Tensor, targets: Tensor, smooth: float = 1.0, *, per_sample: bool = False) -> Tensor:
    """Return soft Dice (2 Σ p y + s) / (Σ p + Σ y + s) of each output, (K,) over the batch, or (N, K).

    Milletari 2016 (arXiv:1606.04797), without its squares. `smooth` makes an empty target that is predicted empty 1.
    """
    axes = list(range(2, probabilities.ndim)) if per_sample else [0, *range(2, probabilities.ndim)]
    both = (probabilities * targets).sum(axes)
    total = probabilities.sum(axes) + targets.sum(axes)
    return (2 * both + smooth) / (total + smooth)


def soft_dice(probabilities: Tensor, targets: Tensor, smooth: float = 1.0) -> Tensor:
    """Return 1 - soft Dice, pooled over the batch and averaged over the outputs."""
    return (1 - overlap(probabilities, targets, smooth)).mean()


def inverse_dice(probabilities: Tensor, targets: Tensor, smooth: float = 1.0) -> Tensor:
    """Return 1 - soft Dice of what is outside: of 1 - p and 1 - y."""
    return soft_dice(1 - probabilities, 1 - targets, smooth)


def bce_dice(
    logits: Tensor,
    targets: Tensor,
    bce_weight: float = 1.0,
    dice_weight: float = 1.0,
    reduce: str = "batch",
    smooth: float = 1.0,
) -> Tensor:
    """Return bce_weight · BCE + dice_weight · (1 - Dice) for independent sigmoid outputs.

    Args:
        logits: Any floating type; computed in fp32, since half precision can give NaN.
        targets: 0 or 1.
        bce_weight: Of the cross-entropy.
        dice_weight: Of the Dice term.
        reduce: `batch`: Dice pooled over the batch; `sample`: the mean of each sample's.
        smooth: Of the Dice.
    """
    logits, targets = logits.float(), targets.float()
    dice = overlap(torch.sigmoid(logits), targets, smooth, per_sample=reduce == "sample").mean()
    return bce_weight * functional.binary_cross_entropy_with_logits(logits, targets) + dice_weight * (1 - dice)


def ce_dice(logits: Tensor, targets: Tensor) -> Tensor:
    """Return cross-entropy plus soft Dice of the foreground for a softmax over classes (one-hot targets)."""
    logits, targets = logits.float(), targets.float()
    return functional.cross_entropy(logits, targets) + soft_dice(logits.softmax(1)[:, 1:], targets[:, 1:])


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | None = None, *, softmax: bool) -> Tensor:
    """Return the mean cross-entropy, of the softmax or of every sigmoid; `weights` (K,) count classes or insides more.

    Sigmoid: -(w y ln p + (1 - y) ln(1 - p)). Softmax: Σ_i w_{l_i} (-ln p_i) / Σ_i w_{l_i}, l_i the true class.
    """
    logits, targets = logits.float(), targets.float()
    if softmax:
        return functional.cross_entropy(logits, targets.argmax(1), weight=weights)
    shaped = None if weights is None else weights.reshape(-1, *[1] * (logits.ndim - 2))
    return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=shaped)


def exponential_logarithmic(
    logits: Tensor,
    targets: Tensor,
    frequencies: Tensor,
    dice_weight: float = 0.8,
    cross_weight: float = 0.2,
    gamma: float = 0.3,
    *,
    softmax: bool,
) -> Tensor:
    """Return w_dice · mean((-ln Dice)^γ) + w_cross · mean(w_l (-ln p_l)^γ), Wong 2018 (arXiv:1809.00076, eq. 1-3).

    l is what a voxel is: a class of the softmax, the background among them, or the inside or outside of a region; p_l
    is its probability, and w_l = √(Σf / f_l). Both logarithms are clamped: for γ < 1 the gradient is infinite at 1.

    Args:
        logits: Any floating type; computed in fp32.
        targets: 0 or 1; one-hot for a softmax.
        frequencies: The share f of all voxels that each output has, (K,), above 0.
        dice_weight: w_dice.
        cross_weight: w_cross.
        gamma: γ of both terms.
        softmax: The outputs are classes of a softmax.
    """
    logits, targets = logits.float(), targets.float()
    logits = against_rest(logits) if softmax else logits
    shape = (-1, *[1] * (logits.ndim - 2))
    inside = frequencies.to(logits).rsqrt().reshape(shape)
    outside = (1 - frequencies).to(logits).clamp(min=_LEAST).rsqrt().reshape(shape)
    dice = overlap(logits.sigmoid(), targets).clamp(min=_LEAST_DICE)
    true, _ = _log_truth(logits, targets, softmax=softmax)
    weights = (inside * targets).sum(1) if softmax else inside * targets + outside * (1 - targets)
    cross = weights * (-true).clamp(min=_LEAST) ** gamma
    return dice_weight * ((-dice.log()).clamp(min=_LEAST) ** gamma).mean() + cross_weight * cross.mean()


def switching(
    logits: Tensor, targets: Tensor, share: float = 0.75, threshold: float = 0.05, *, small_first: bool = True
) -> Tensor:
    """Return BCE + λ (1 - Dice) + (1 - λ) (1 - inverse Dice), the two weights exchanged by the batch's foreground.

    After Anand 2020 (arXiv:2008.03750). The τ of the study that used it here is not known; 0.05, near the tumour's
    share of an LGG slice with one, is ours.

    Args:
        logits: Of sigmoid outputs.
        targets: 0 or 1.
        share: λ.
        threshold: τ, the share of voxels in any output at which the weights are exchanged.
        small_first: λ belongs to Dice below the threshold, and to the inverse Dice above it; False the other way round.
    """
    logits, targets = logits.float(), targets.float()
    probabilities = logits.sigmoid()
    below = targets.amax(1).mean() < threshold
    weight = torch.where(below == small_first, share, 1 - share)
    dice, inverse = soft_dice(probabilities, targets), inverse_dice(probabilities, targets)
    return functional.binary_cross_entropy_with_logits(logits, targets) + weight * dice + (1 - weight) * inverse


def focal(logits: Tensor, targets: Tensor, gamma: float = 2.0, *, softmax: bool) -> Tensor:
    """Return the mean of -(1 - p_t)^γ ln p_t, p_t the probability of the truth (Lin 2017, arXiv:1708.02002)."""
    logits, targets = logits.float(), targets.float()
    true, false = _log_truth(against_rest(logits) if softmax else logits, targets, softmax=softmax)
    # From the logarithm of 1 - p_t, so that its gradient is finite for every γ.
    return (-(gamma * false).exp() * true).mean()


def tversky(
    probabilities: Tensor, targets: Tensor, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0
) -> Tensor:
    """Return 1 - (TP + s) / (TP + α FP + β FN + s), pooled over the batch (Salehi 2017, arXiv:1706.05721)."""
    axes = [0, *range(2, probabilities.ndim)]
    tp = (probabilities * targets).sum(axes)
    fp = (probabilities * (1 - targets)).sum(axes)
    fn = ((1 - probabilities) * targets).sum(axes)
    return (1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)).mean()


def _log_truth(logits: Tensor, targets: Tensor, *, softmax: bool) -> tuple[Tensor, Tensor]:
    """Return ln p_t and ln(1 - p_t) of the truth from sigmoid logits, (N, K, *spatial), or (N, *spatial) of classes."""
    if softmax:
        return (functional.logsigmoid(logits) * targets).sum(1), (functional.logsigmoid(-logits) * targets).sum(1)
    signed = logits * (2 * targets - 1)
    return functional.logsigmoid(signed), functional.logsigmoid(-signed)
