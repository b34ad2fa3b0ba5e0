"""MONAI's SegResNet (Myronenko 2018, arXiv:1810.11654), padded so that it takes any size."""

from __future__ import annotations

from typing import Any

from monai.networks.nets import SegResNet
from torch import nn

from napari_brainseg.networks.padding import AnySize


def create(in_channels: int, out_channels: int, spatial_dims: int = 3, width: int = 16, **options: Any) -> nn.Module:
    """Build a SegResNet whose first stage has `width` filters, 8 or a multiple; the other options are MONAI's own."""
    network = SegResNet(
        spatial_dims=spatial_dims, in_channels=in_channels, out_channels=out_channels, init_filters=width, **options
    )
    return AnySize(network, 2 ** (len(network.blocks_down) - 1))
