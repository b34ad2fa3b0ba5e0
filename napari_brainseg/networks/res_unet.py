"""Deep residual U-Net (Zhang 2018, arXiv:1711.10684): residual units, strides instead of pooling, three stages.

It has 8,233,860 parameters for 4 channels and 4 classes, the running statistics counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from napari_brainseg.networks.convolutions import doubled, initialise
from napari_brainseg.networks.options import BlockOptions, only_slices, parsed
from napari_brainseg.networks.padding import cropped, padded
from napari_brainseg.networks.residual import ResidualUnit


@dataclass(frozen=True)
class ResUNetOptions(BlockOptions):
    """The shared options, with batch norm as in the paper."""

    batch_norm: bool = True


class ResUNet(nn.Module):
    """Residual U-Net for (N, C, H, W) of any size; the result has the size of the input.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2; the network is for slices.
        **options: Of `ResUNetOptions`. Without `bridge` the third stage is pooled and goes straight up.

    Raises:
        TypeError: There is no such option, or `spatial_dims` is not 2.
        ValueError: An option is out of its range.
    """

    stride = 8

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int = 2, **options: Any) -> None:
        super().__init__()
        only_slices("res_unet", spatial_dims)
        chosen = parsed(ResUNetOptions, options)
        widths = [chosen.base_width * 2**level for level in range(3)]
        self.encoder = nn.ModuleList([ResidualUnit(in_channels, widths[0], chosen, first=True)])
        self.encoder.extend(ResidualUnit(a, b, chosen, stride=2) for a, b in pairwise(widths))
        deepest = widths[-1] * 2 if chosen.bridge else widths[-1]
        self.bridge = ResidualUnit(widths[-1], deepest, chosen, stride=2) if chosen.bridge else nn.MaxPool2d(2)
        rising = pairwise([deepest, *reversed(widths)])
        self.decoder = nn.ModuleList(ResidualUnit(below + width, width, chosen) for below, width in rising)
        initialise(self)
        self.head = nn.Conv2d(widths[0], out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, out_channels, H, W) for images (N, in_channels, H, W)."""
        x = padded(images, self.stride, two=True)
        skips = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
        x = self.bridge(x)
        for stage in self.decoder:
            x = stage(torch.cat([doubled(x), skips.pop()], 1))
        return cropped(self.head(x), images)
