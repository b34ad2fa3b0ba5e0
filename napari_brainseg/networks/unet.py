"""U-Net (Ronneberger 2015, arXiv:1505.04597) with the options that studies vary.

Parameters for 4 channels and 4 classes: 31,032,516, without bridge 15,826,116, with interpolation in place of the
transposed convolutions 31,379,716 (dilation itself adds nothing). Three convolutions with batch norm, the running
statistics counted: 46,774,852, without bridge 22,117,956.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_brainseg.networks.convolutions import ConvBlock, PyramidPooling, doubled, halved, initialise
from napari_brainseg.networks.options import BlockOptions, one_of, only_slices, parsed
from napari_brainseg.networks.padding import cropped, padded


@dataclass(frozen=True)
class UNetOptions(BlockOptions):
    """The options of a U-Net.

    Attributes:
        upsampling: `transposed`: 2 x 2 convolutions that learn; `interpolate`: bilinear, without parameters.
        bottleneck: `plain`, or `pyramid`: the deepest features are pooled at 1, 2 and 4 and joined.
        subpixel: Pixels of a side that the channels of one place hold, 1, 2 or 4: all convolutions work at that part of
            the size, on as many times wider layers for the same time, and the head gives each place its pixels back
            (sub-pixel convolution, Shi 2016, arXiv:1609.05158).
    """

    upsampling: str = "transposed"
    bottleneck: str = "plain"
    subpixel: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("upsampling", self.upsampling, ("transposed", "interpolate"))
        one_of("bottleneck", self.bottleneck, ("plain", "pyramid"))
        if self.subpixel not in (1, 2, 4):
            raise ValueError(f"subpixel must be 1, 2 or 4, not {self.subpixel}")


class _Up(nn.Module):
    """Twice the size, joined to the features of the encoder, and a block of convolutions."""

    def __init__(self, width_in: int, width_out: int, options: UNetOptions) -> None:
        super().__init__()
        learnt = options.upsampling == "transposed"
        self.up = nn.ConvTranspose2d(width_in, width_out, 2, stride=2) if learnt else None
        self.block = ConvBlock(width_out + (width_out if learnt else width_in), width_out, options)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.up(x) if self.up is not None else doubled(x)
        joined: Tensor = self.block(torch.cat([skip, x], 1))
        return joined


class UNet(nn.Module):
    """U-Net for (N, C, H, W) of any size; the result has the size of the input.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2; the network is for slices.
        **options: Of `UNetOptions`.

    Raises:
        TypeError: There is no such option, or `spatial_dims` is not 2.
        ValueError: An option is out of its range.
    """

    name = "unet"

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int = 2, **options: Any) -> None:
        super().__init__()
        only_slices(self.name, spatial_dims)
        chosen = parsed(UNetOptions, options)
        self.subpixel = chosen.subpixel
        self.stride = 16 * self.subpixel
        widths = [chosen.base_width * 2**level for level in range(4)]
        deepest = widths[-1] * 2 if chosen.bridge else widths[-1]
        first = in_channels * self.subpixel**2
        self.encoder = nn.ModuleList(ConvBlock(a, b, chosen) for a, b in pairwise([first, *widths]))
        self.bottleneck = nn.Sequential()
        if chosen.bridge:
            self.bottleneck.append(ConvBlock(widths[-1], deepest, chosen))
        if chosen.bottleneck == "pyramid":
            self.bottleneck.append(PyramidPooling(deepest))
        self.decoder = nn.ModuleList(_Up(a, b, chosen) for a, b in pairwise([deepest, *reversed(widths)]))
        self.gates = nn.ModuleList(self._gates(deepest, widths))
        initialise(self)
        self.head = nn.Conv2d(widths[0], out_channels * self.subpixel**2, 1)

    def _gates(self, deepest: int, widths: list[int]) -> list[nn.Module]:
        """Return what the features of the encoder pass on their way across, the deepest first; nothing here."""
        return []

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, out_channels, H, W) for images (N, in_channels, H, W)."""
        x = functional.pixel_unshuffle(padded(images, self.stride, two=True), self.subpixel)
        skips = []
        for stage in self.encoder:
            skips.append(stage(x))
            x = halved(skips[-1])
        x = self.bottleneck(x)
        for level, stage in enumerate(self.decoder):
            skip = skips.pop()
            if level < len(self.gates):
                skip = self.gates[level](skip, x)
            x = stage(x, skip)
        return cropped(functional.pixel_shuffle(self.head(x), self.subpixel), images)
