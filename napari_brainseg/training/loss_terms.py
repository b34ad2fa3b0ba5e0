"""Losses by name, for regions and classes alike, and weighted sums of them.

For a softmax, a binary cross-entropy is that of each class against the others, and terms of Dice leave the background
out, but for the two whose papers count it (exponential_logarithmic and generalised_dice).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.training import losses


@dataclass(frozen=True, eq=False)
class Head:
    """What the outputs are: classes of a softmax or regions with a sigmoid each, and the share of voxels of each."""

    softmax: bool
    frequencies: Tensor | None = None

    def sigmoids(self, logits: Tensor) -> Tensor:
        """Return fp32 logits whose sigmoids are the probabilities of all outputs."""
        return losses.against_rest(logits.float()) if self.softmax else logits.float()

    def foreground(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return fp32 probabilities and targets of all but the background."""
        logits, targets = logits.float(), targets.float()
        return (logits.softmax(1)[:, 1:], targets[:, 1:]) if self.softmax else (logits.sigmoid(), targets)

    def rarity(self) -> Tensor:
        """Return the shares (K,), none of them 0."""
        if self.frequencies is None:
            raise TrainingError("This loss weighs classes by their share of the data, which is not known here.")
        return self.frequencies.clamp(min=1e-6)


def _bce(logits: Tensor, targets: Tensor, head: Head) -> Tensor:
    return losses.cross_entropy(head.sigmoids(logits), targets, softmax=False)


def _bce_dice(
    logits: Tensor,
    targets: Tensor,
    head: Head,
    bce: float = 1.0,
    dice: float = 1.0,
    reduce: str = "batch",
    smooth: float = 1.0,
) -> Tensor:
    overlap = losses.overlap(*head.foreground(logits, targets), smooth, per_sample=reduce == "sample")
    return bce * _bce(logits, targets, head) + dice * (1 - overlap.mean())


def _soft_dice(logits: Tensor, targets: Tensor, head: Head, smooth: float = 1.0) -> Tensor:
    return losses.soft_dice(*head.foreground(logits, targets), smooth)


def _inverse_dice_bce(logits: Tensor, targets: Tensor, head: Head) -> Tensor:
    return _bce(logits, targets, head) + losses.inverse_dice(*head.foreground(logits, targets))


def _dice_focal(logits: Tensor, targets: Tensor, head: Head, gamma: float = 2.0, focal: float = 1.0) -> Tensor:
    return _soft_dice(logits, targets, head) + focal * losses.focal(logits, targets, gamma, softmax=head.softmax)


def _cross_entropy(logits: Tensor, targets: Tensor, head: Head) -> Tensor:
    return losses.cross_entropy(logits, targets, softmax=head.softmax)


def _weighted_cross_entropy(logits: Tensor, targets: Tensor, head: Head, most: float = 100.0) -> Tensor:
    shares = head.rarity()
    # A class counts by its rarity against the mean class; the inside of a region by its outside against it.
    weights = 1 / (shares * len(shares)) if head.softmax else (1 - shares) / shares
    return losses.cross_entropy(logits, targets, weights.clamp(max=most).to(logits.device), softmax=head.softmax)


def _exponential_logarithmic(
    logits: Tensor, targets: Tensor, head: Head, dice: float = 0.8, cross: float = 0.2, gamma: float = 0.3
) -> Tensor:
    return losses.exponential_logarithmic(logits, targets, head.rarity(), dice, cross, gamma, softmax=head.softmax)


def _switching(
    logits: Tensor,
    targets: Tensor,
    head: Head,
    share: float = 0.75,
    threshold: float = 0.05,
    small_first: bool = True,
) -> Tensor:
    first = 1 if head.softmax else 0
    return losses.switching(
        head.sigmoids(logits)[:, first:], targets[:, first:], share, threshold, small_first=small_first
    )


def _tversky(logits: Tensor, targets: Tensor, head: Head, alpha: float = 0.3, beta: float = 0.7) -> Tensor:
    return losses.tversky(*head.foreground(logits, targets), alpha, beta)


def _generalised_dice(logits: Tensor, targets: Tensor, head: Head) -> Tensor:
    """MONAI's (Sudre 2017, arXiv:1707.03237), pooled over the batch, since an empty slice would have no weight."""
    from monai.losses import GeneralizedDiceLoss  # not above: importing MONAI takes seconds, and few runs need it

    measure = GeneralizedDiceLoss(softmax=head.softmax, sigmoid=not head.softmax, batch=True)
    loss: Tensor = measure(logits.float(), targets.float())
    return loss


def _hausdorff_dt(logits: Tensor, targets: Tensor, head: Head, alpha: float = 2.0) -> Tensor:
    """MONAI's (Karimi 2019, arXiv:1904.10030)."""
    from monai.losses import HausdorffDTLoss

    loss: Tensor = HausdorffDTLoss(alpha=alpha, include_background=True)(*head.foreground(logits, targets))
    return loss


LOSSES: Mapping[str, Callable[..., Tensor]] = {
    "bce": _bce,
    "bce_dice": _bce_dice,
    "soft_dice": _soft_dice,
    "inverse_dice_bce": _inverse_dice_bce,
    "dice_focal": _dice_focal,
    "cross_entropy": _cross_entropy,
    "weighted_cross_entropy": _weighted_cross_entropy,
    "exponential_logarithmic": _exponential_logarithmic,
    "switching": _switching,
    "tversky": _tversky,
    "generalised_dice": _generalised_dice,
    "hausdorff_dt": _hausdorff_dt,
}
_BY_FREQUENCY = {"weighted_cross_entropy", "exponential_logarithmic"}

Terms = Mapping[str, Mapping[str, Any]]


def needs_frequencies(terms: Terms) -> bool:
    """Whether a term weighs outputs by their share of the training voxels."""
    return bool(_BY_FREQUENCY & set(terms))


class LossSum(nn.Module):
    """The weighted sum of losses, fp32; see `create_loss`."""

    def __init__(self, terms: Terms, head: Head) -> None:
        super().__init__()
        self._terms = {name: dict(options) for name, options in terms.items()}
        self._weights = {name: float(options.pop("weight", 1.0)) for name, options in self._terms.items()}
        self._head = head

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits and targets (N, K, *spatial)."""
        # Autocast would compute some terms in half precision, where they are not finite.
        with torch.autocast(logits.device.type, enabled=False):
            logits, targets = logits.float(), targets.float()
            each = [
                self._weights[name] * LOSSES[name](logits, targets, self._head, **options)
                for name, options in self._terms.items()
            ]
            return torch.stack(each).sum()


def create_loss(terms: Terms, *, softmax: bool, frequencies: Tensor | None = None) -> nn.Module:
    """Build the weighted sum of losses by name.

    Args:
        terms: Options of each loss by its name; `weight` (1) multiplies it.
        softmax: The outputs are classes of a softmax, the background first; else regions with a sigmoid each.
        frequencies: Share of all training voxels that each output has, (K,); for losses that weigh by it.

    Raises:
        TrainingError: There is no such loss, or it does not take these options.
    """
    for name, options in terms.items():
        if name not in LOSSES:
            near = get_close_matches(name, LOSSES, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TrainingError(f"There is no loss {name!r}.{hint} There are {', '.join(LOSSES)}.")
        known = {"weight": 1.0, **{p.name: p.default for p in list(signature(LOSSES[name]).parameters.values())[3:]}}
        for option, value in options.items():
            _check_option(name, option, value, known)
    if not terms:
        raise TrainingError(f"No loss is named. There are {', '.join(LOSSES)}.")
    return LossSum(terms, Head(softmax, frequencies))


def _check_option(loss: str, option: str, value: Any, known: Mapping[str, Any]) -> None:
    """Raise `TrainingError` where a loss has no such option, or it cannot have this value."""
    if option not in known:
        raise TrainingError(f"The loss {loss!r} has no option {option!r}; it takes {', '.join(known)}.")
    default = known[option]
    if option == "reduce":
        fits, needed = value in ("batch", "sample"), "batch or sample"
    elif isinstance(default, bool):
        fits, needed = isinstance(value, bool), "true or false"
    else:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
        needed = "a number, 0 or more"
    if not fits:
        raise TrainingError(f"{option} of the loss {loss!r} is {value!r}; it must be {needed}.")
