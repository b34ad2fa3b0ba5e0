"""MONAI's Swin UNETR (Hatamizadeh 2022, arXiv:2201.01266), padded so that it takes any size."""

from __future__ import annotations

from typing import Any

from monai.networks.nets import SwinUNETR
from torch import nn

from napari_brainseg.networks.padding import AnySize


def create(in_channels: int, out_channels: int, spatial_dims: int = 3, width: int = 24, **options: Any) -> nn.Module:
    """Build a Swin UNETR whose first stage has `width` features, 12 or a multiple; the other options are MONAI's own.

    Images are padded to a multiple of 32.
    """
    network = SwinUNETR(
        spatial_dims=spatial_dims, in_channels=in_channels, out_channels=out_channels, feature_size=width, **options
    )
    return AnySize(network, network.patch_size**5)
