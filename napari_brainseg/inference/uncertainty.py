"""How sure a model is of each voxel, from the probabilities that it gave for it: no second run of the network.

Maps are 0 where the model is certain and 1 where it cannot be less so. Both kinds of outputs are read as `to_labels`
reads them. Classes of a softmax are alternatives; the background has what the others leave. Regions are nested: a voxel
is in the k-th one with the smallest probability of the first k, so that an inner region does not count where an outer
one is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from napari_brainseg.inference.decoding import is_softmax


def entropy(probabilities: Tensor, outputs: Sequence[str]) -> Tensor:
    """Return the entropy over the classes, background included, as a share of its largest value: fp32 (N, *spatial).

    It is 1 where all classes are equally likely, and log 2 / log K where two of K are.

    Args:
        probabilities: (N, R, *spatial), as `to_probabilities` gives them.
        outputs: The model's outputs, which say whether these are regions or classes.
    """
    total = torch.zeros_like(probabilities[:, 0], dtype=torch.float32)
    for share in _class_shares(probabilities, outputs):
        total += torch.special.entr(share)
    classes = probabilities.shape[1] + 1
    return total.div_(torch.tensor(float(classes)).log().item()).clamp_(0, 1)


def margin(probabilities: Tensor, outputs: Sequence[str]) -> Tensor:
    """Return how near the label is to another one: 1 where a breath would change it, fp32 (N, *spatial).

    Classes: 1 minus the distance between the two most probable ones. Regions: 1 minus twice the distance of the
    threshold one half to the nearest probability. For one region and a background the two are the same.

    Args:
        probabilities: (N, R, *spatial), as `to_probabilities` gives them.
        outputs: The model's outputs, which say whether these are regions or classes.
    """
    if is_softmax(outputs):
        shares = torch.stack(list(_class_shares(probabilities, outputs)), 1)
        first, second = shares.topk(2, 1).values.unbind(1)
        return (1 - (first - second)).clamp_(0, 1)
    nearest = torch.ones_like(probabilities[:, 0], dtype=torch.float32)
    for inside in _nested(probabilities):
        torch.minimum(nearest, (2 * inside - 1).abs_(), out=nearest)
    return nearest.neg_().add_(1)


def variance(members: Iterable[Tensor]) -> Tensor:
    """Return the variance over the members of an ensemble, or over flips: of each voxel's most disputed map.

    Args:
        members: Probabilities (N, R, *spatial) of each member; only sums of them are kept.

    Returns:
        fp32 (N, *spatial), from 0 to 0.25: half of the members at 0 and half at 1. 0 for a single member.
    """
    total = squares = None
    count = 0
    for member in members:
        values = member.float()
        total = values.clone() if total is None else total.add_(values)
        squares = values.square() if squares is None else squares.addcmul_(values, values)
        count += 1
    if total is None or squares is None:
        raise ValueError("variance needs at least one member")
    return variance_of_sums(total, squares, count)


def variance_of_sums(total: Tensor, squares: Tensor, count: int) -> Tensor:
    """Return what `variance` returns, from the sum and the sum of squares (N, R, *spatial) of `count` members."""
    mean = total / count
    return (squares / count).addcmul_(mean, mean, value=-1).amax(1).clamp_(0, 0.25)


def _class_shares(probabilities: Tensor, outputs: Sequence[str]) -> Iterator[Tensor]:
    """Yield the probability of each class, fp32 (N, *spatial), the background among them; together they are 1."""
    if is_softmax(outputs):
        rest = torch.ones_like(probabilities[:, 0], dtype=torch.float32)
        for share in probabilities.unbind(1):
            rest -= share
            yield share.float()
        yield rest.clamp_(min=0)  # half precision may leave a little less than nothing
        return
    outer = torch.ones_like(probabilities[:, 0], dtype=torch.float32)
    for inside in _nested(probabilities):
        yield outer - inside
        outer = inside
    yield outer


def _nested(probabilities: Tensor) -> Iterator[Tensor]:
    """Yield the probability, fp32 (N, *spatial), that a voxel is in the first region, the first two, and so on."""
    inside: Tensor | None = None
    for region in probabilities.unbind(1):
        inside = region.float() if inside is None else torch.minimum(inside, region.float())
        yield inside
