"""ResUNet++ (Jha 2019, arXiv:1911.07067): residual units with squeeze-and-excitation, attention, atrous pyramids.

It has 4,070,596 parameters for 4 channels and 4 classes, the running statistics counted; one study prints 4,092,868,
which the paper's description does not lead to.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_brainseg.networks.convolutions import conv3, doubled, halved, initialise, norm
from napari_brainseg.networks.options import BlockOptions, only_slices, parsed
from napari_brainseg.networks.padding import cropped, padded
from napari_brainseg.networks.residual import ResidualUnit, activated

_RATES = (1, 6, 12, 18)


@dataclass(frozen=True)
class ResUNetPlusPlusOptions(BlockOptions):
    """The shared options, with batch norm and a first width of 16."""

    batch_norm: bool = True
    base_width: int = 16


class SqueezeExcite(nn.Module):
    """Weigh channels by what their means say together (Hu 2018, arXiv:1709.01507)."""

    def __init__(self, width: int, ratio: int = 8) -> None:
        super().__init__()
        narrow = max(1, width // ratio)
        self.squeeze = nn.Linear(width, narrow, bias=False)
        self.excite = nn.Linear(narrow, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the shape of `x`."""
        weights: Tensor = self.excite(functional.relu(self.squeeze(x.mean((2, 3))))).sigmoid()
        return x * weights[:, :, None, None]


class AtrousPyramid(nn.Module):
    """The sum of 3 x 3 convolutions at four dilations, mixed (Chen 2017, arXiv:1606.00915)."""

    def __init__(self, width_in: int, width_out: int, options: BlockOptions) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(conv3(width_in, width_out, rate), norm(width_out, options)) for rate in _RATES
        )
        self.mix = nn.Conv2d(width_out, width_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, width_out, H, W)."""
        total = self.branches[0](x)
        for branch in self.branches[1:]:
            total = total + branch(x)
        mixed: Tensor = self.mix(total)
        return mixed


class _Attention(nn.Module):
    """Multiply the deeper features by what they and the encoder's say together."""

    def __init__(self, width_skip: int, width: int, options: BlockOptions) -> None:
        super().__init__()
        self.from_skip = nn.Sequential(*activated(width_skip, options), conv3(width_skip, width))
        self.from_below = nn.Sequential(*activated(width, options), conv3(width, width))
        self.attention = nn.Sequential(*activated(width, options), conv3(width, width))

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        weights: Tensor = self.attention(halved(self.from_skip(skip)) + self.from_below(below))
        return weights * below


class ResUNetPlusPlus(nn.Module):
    """ResUNet++ for (N, C, H, W) of any size; the result has the size of the input.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2; the network is for slices.
        **options: Of `ResUNetPlusPlusOptions`. The bridge is the atrous pyramid between encoder and decoder.

    Raises:
        TypeError: There is no such option, or `spatial_dims` is not 2.
        ValueError: An option is out of its range.
    """

    stride = 8

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int = 2, **options: Any) -> None:
        super().__init__()
        only_slices("res_unet_plusplus", spatial_dims)
        chosen = parsed(ResUNetPlusPlusOptions, options)
        first, *widths = (chosen.base_width * 2**level for level in range(4))
        encoder = [_excited(in_channels, first, chosen, first=True)]
        encoder += [_excited(a, b, chosen, stride=2) for a, b in pairwise([first, *widths])]
        self.encoder = nn.ModuleList(encoder)
        deepest = widths[-1] * 2 if chosen.bridge else widths[-1]
        self.bridge = AtrousPyramid(widths[-1], deepest, chosen) if chosen.bridge else nn.Identity()
        # The decoder ends at the second stage's width: the atrous pyramid of the head has the first's.
        rising = list(zip(pairwise([deepest, *reversed(widths)]), [*reversed(widths[:-1]), first], strict=True))
        self.attentions = nn.ModuleList(_Attention(skip, below, chosen) for (below, _), skip in rising)
        self.decoder = nn.ModuleList(_excited(below + skip, width, chosen) for (below, width), skip in rising)
        self.pyramid = AtrousPyramid(widths[0], first, chosen)
        initialise(self)
        self.head = nn.Conv2d(first, out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, out_channels, H, W) for images (N, in_channels, H, W)."""
        x = padded(images, self.stride, two=True)
        skips = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
        skips.pop()
        x = self.bridge(x)
        for attention, stage in zip(self.attentions, self.decoder, strict=True):
            skip = skips.pop()
            x = stage(torch.cat([doubled(attention(x, skip)), skip], 1))
        return cropped(self.head(self.pyramid(x)), images)


def _excited(
    width_in: int, width_out: int, options: BlockOptions, *, stride: int = 1, first: bool = False
) -> nn.Sequential:
    return nn.Sequential(
        ResidualUnit(width_in, width_out, options, stride=stride, first=first), SqueezeExcite(width_out)
    )
