"""Several networks of one architecture as one: the mean of their logits (Lakshminarayanan 2017, arXiv:1612.01474).

It is a network as any other, so that whatever runs, teaches, checks or passes on a model does so with an ensemble.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from napari_brainseg.networks import create_network


class Ensemble(nn.Module):
    """Networks that take and give the same; the first one's `stride` is that of all."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.stride = getattr(members[0], "stride", 1)

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


def create(
    in_channels: int,
    out_channels: int,
    spatial_dims: int = 2,
    of: str = "unext",
    options: Mapping[str, Any] | None = None,
    members: int = 5,
) -> nn.Module:
    """Build an ensemble.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2 or 3.
        of: Name of the members' architecture in the registry.
        options: Its options, the same for every member.
        members: How many, 2 or more.

    Raises:
        ValueError: There are fewer than 2 members.
        ModelError: There is no such network, or it does not take these options.
    """
    if members < 2:
        raise ValueError(f"members must be 2 or more, not {members}")
    shape = {"in_channels": in_channels, "out_channels": out_channels, "spatial_dims": spatial_dims}
    return Ensemble([create_network(of, **shape, **(options or {})) for _ in range(members)])
