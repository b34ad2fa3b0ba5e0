"""MONAI's Attention U-Net (Oktay 2018, arXiv:1804.03999), padded so that it takes any size."""

from __future__ import annotations

from typing import Any

from monai.networks.nets import AttentionUnet
from torch import nn

from napari_brainseg.networks.monai_unet import stages
from napari_brainseg.networks.padding import AnySize


def create(
    in_channels: int, out_channels: int, spatial_dims: int = 2, width: int = 32, levels: int = 5, **options: Any
) -> nn.Module:
    """Build an Attention U-Net of 2-D or 3-D.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2 or 3.
        width: Filters of the first stage; each further one has twice as many and half the size.
        levels: Stages, 2 or more.
        **options: MONAI's own, such as `dropout`.

    Raises:
        ValueError: There are fewer than 2 levels, or MONAI refuses an option.
    """
    channels, strides = stages(width, levels)
    network = AttentionUnet(
        spatial_dims=spatial_dims,
        in_channels=in_channels,
        out_channels=out_channels,
        channels=channels,
        strides=strides,
        **options,
    )
    return AnySize(network, 2 ** (levels - 1))
