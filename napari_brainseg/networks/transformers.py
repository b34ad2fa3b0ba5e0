"""What MONAI's vision transformers need before they can be trained here."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.blocks.transformerblock import TransformerBlock
from torch import nn


def without_cross_attention(network: nn.Module) -> nn.Module:
    """Drop the layers of cross-attention that MONAI makes and never runs.

    No gradient reaches them, which stops a training in several processes, and a file of weights would hold them.
    """
    for block in network.modules():
        if isinstance(block, TransformerBlock) and not block.with_cross_attention:
            del block.cross_attn, block.norm_cross_attn
    return network


def size_per_axis(size: int | Sequence[int], spatial_dims: int, name: str = "img_size") -> tuple[int, ...]:
    """Return an extent for every axis from one, or from one for each.

    Raises:
        ValueError: There are more or fewer than there are axes, or one is not above 0.
    """
    sizes = (size,) * spatial_dims if isinstance(size, int) else tuple(size)
    if len(sizes) != spatial_dims or min(sizes) < 1:
        raise ValueError(f"{name} must be a number above 0 or {spatial_dims} of them, not {size}")
    return sizes
