"""From network outputs to label values: a sigmoid per region, or a softmax over classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_brainseg.base.errors import ModelError
from napari_brainseg.cases.labels import LabelScheme

BACKGROUND = "background"


def is_softmax(outputs: Sequence[str]) -> bool:
    """Whether the outputs are classes behind a background, not regions."""
    return outputs[0] == BACKGROUND


def to_probabilities(logits: Tensor, outputs: Sequence[str]) -> Tensor:
    """Return fp32 probabilities of the named maps, (N, R, *spatial); a softmax drops its background."""
    if is_softmax(outputs):
        return logits.float().softmax(1)[:, 1:]
    return logits.float().sigmoid()


def probability_names(outputs: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the maps that `to_probabilities` gives."""
    return tuple(outputs[1:] if is_softmax(outputs) else outputs)


def to_labels(probabilities: Tensor, outputs: Sequence[str], scheme: LabelScheme) -> Tensor:
    """Return uint8 label values (N, *spatial) for probabilities (N, R, *spatial).

    Regions: a voxel is in a region where its probability is above one half and it is in every region around it; it gets
    the class that its innermost region adds to the next one inside. Classes: the most probable one, the background
    having what the others leave.
    """
    if is_softmax(outputs):
        values = torch.tensor([class_value(scheme, n) for n in outputs[1:]], dtype=torch.uint8)
        best, index = probabilities.max(1)
        background = 1 - probabilities.sum(1)
        return torch.where(best > background, values.to(index.device)[index], 0).to(torch.uint8)
    values = torch.tensor([0, *region_values(scheme, outputs)], dtype=torch.uint8)
    # How many nested regions hold the voxel: the running product is 1 up to the first region that does not.
    depth = (probabilities > 0.5).to(torch.uint8).cumprod(1, dtype=torch.uint8).sum(1, dtype=torch.int64)
    return values.to(depth.device)[depth]


def region_values(scheme: LabelScheme, outputs: Sequence[str]) -> list[int]:
    """Return, for each region of `outputs` (outermost first), the class that it adds to the next one inside.

    Raises:
        ModelError: The scheme has no such region, or the regions do not tell its classes apart.
    """
    regions = {r.name: set(r.values) for r in scheme.regions}
    unknown = [name for name in outputs if name not in regions]
    if unknown:
        raise ModelError(f"{scheme.title} has no region {unknown[0]!r}; it has {', '.join(regions)}.")
    values = []
    for name, inner in zip(outputs, [*outputs[1:], None], strict=True):
        added = regions[name] - (regions[inner] if inner else set())
        if len(added) != 1:
            raise ModelError(f"The regions {', '.join(outputs)} do not tell the classes of {scheme.title} apart.")
        values.append(added.pop())
    return values


def class_value(scheme: LabelScheme, name: str) -> int:
    """Return the value of the class with this name; raise `ModelError` when the scheme has none."""
    for label_class in scheme.classes:
        if label_class.name == name:
            return label_class.value
    raise ModelError(f"{scheme.title} has no class {name!r}.")


def to_targets(labels: Tensor, outputs: Sequence[str], scheme: LabelScheme) -> Tensor:
    """Return the training targets (N, K, *spatial), float 0 or 1, of label values (N, *spatial); K = len(outputs).

    For classes the background is all that they leave, a class of the scheme that is not among the outputs included.
    """
    if is_softmax(outputs):
        values: list[tuple[int, ...]] = [(class_value(scheme, n),) for n in outputs[1:]]
    else:
        region_values(scheme, outputs)
        by_name = {r.name: r.values for r in scheme.regions}
        values = [by_name[n] for n in outputs]
    maps = [torch.isin(labels, torch.tensor(v, dtype=labels.dtype, device=labels.device)) for v in values]
    if is_softmax(outputs):
        maps.insert(0, ~torch.stack(maps).any(0))
    return torch.stack(maps, 1).float()
