"""Several networks as one: the mean of their logits (Lakshminarayanan 2017, arXiv:1612.01474).

It is a network as any other, so that whatever runs, teaches, checks or passes on a model does so with an ensemble.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from napari_brainseg.networks import create_network


class Ensemble(nn.Module):
    """Networks that take and give the same; where their `stride` differs, the largest one is that of all."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        strides = [getattr(member, "stride", 1) for member in members]
        alike = all(stride == strides[0] for stride in strides)
        self.stride = strides[0] if alike else max(_largest(stride) for stride in strides)

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        """Return the mean logits (N, K, *spatial) for images (N, C, *spatial), of each level where there are several.

        One member after the other, so that the memory is that of one.
        """
        total: list[Tensor] = []
        several, kind = False, images.dtype
        for member in self.members:
            given = member(images)
            several = isinstance(given, list)
            outputs = given if several else [given]
            kind = outputs[0].dtype
            # Summed in fp32: halves would lose what members agree on.
            total = (
                [t + o.float() for t, o in zip(total, outputs, strict=True)] if total else [o.float() for o in outputs]
            )
        mean = [(t / len(self.members)).to(kind) for t in total]
        return mean if several else mean[0]


def _largest(stride: int | Sequence[int]) -> int:
    return stride if isinstance(stride, int) else max(stride)


def create(
    in_channels: int,
    out_channels: int,
    spatial_dims: int = 2,
    of: str | Sequence[Mapping[str, Any]] = "unext",
    options: Mapping[str, Any] | None = None,
    members: int | None = None,
) -> nn.Module:
    """Build an ensemble.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2 or 3.
        of: Name of the members' architecture in the registry; or for each member its `name` and `options`.
        options: The options of members that are all alike.
        members: How many, 2 or more, where they are all alike; 5 by default.

    Raises:
        ValueError: There are fewer than 2 members.
        TypeError: A member that is given by itself has no name, or there are options or a number for all besides.
        ModelError: There is no such network, or it does not take these options.
    """
    if isinstance(of, str):
        each: list[tuple[str, Mapping[str, Any]]] = [(of, options or {})] * (5 if members is None else members)
    elif not all(isinstance(one, Mapping) and "name" in one for one in of):
        raise TypeError("each member needs a name, and may have options")
    elif options is None and members is None:
        each = [(one["name"], one.get("options", {})) for one in of]
    else:
        raise TypeError("members that are given one by one have their own options, and need no number")
    if len(each) < 2:
        raise ValueError(f"members must be 2 or more, not {len(each)}")
    shape = {"in_channels": in_channels, "out_channels": out_channels, "spatial_dims": spatial_dims}
    return Ensemble([create_network(name, **shape, **own) for name, own in each])
