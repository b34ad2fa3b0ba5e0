"""MONAI's residual U-Net (Kerfoot 2018, doi:10.1007/978-3-030-12029-0_40), padded so that it takes any size."""

from __future__ import annotations

from typing import Any

from monai.networks.nets import UNet
from torch import nn

from napari_brainseg.networks.padding import AnySize


def stages(width: int, levels: int) -> tuple[list[int], list[int]]:
    """Return MONAI's channels and strides of stages that each have twice the width and half the size of the last.

    Raises:
        ValueError: There are fewer than 2.
    """
    if levels < 2:
        raise ValueError(f"levels must be 2 or more, not {levels}")
    return [width * 2**level for level in range(levels)], [2] * (levels - 1)


def create(
    in_channels: int, out_channels: int, spatial_dims: int = 2, width: int = 32, levels: int = 5, **options: Any
) -> nn.Module:
    """Build a U-Net of 2-D or 3-D.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2 or 3.
        width: Filters of the first stage; each further one has twice as many and half the size.
        levels: Stages, 2 or more.
        **options: MONAI's own, such as `num_res_units` (here 2), `dropout` and `norm`.

    Raises:
        ValueError: There are fewer than 2 levels, or MONAI refuses an option.
    """
    channels, strides = stages(width, levels)
    network = UNet(
        spatial_dims=spatial_dims,
        in_channels=in_channels,
        out_channels=out_channels,
        channels=channels,
        strides=strides,
        **{"num_res_units": 2, **options},
    )
    return AnySize(network, 2 ** (levels - 1))
