"""UNet 3+ (Huang 2020, arXiv:2004.08790): every stage of the decoder sees every scale.

Its classification-guided module is left out. For 4 channels and 4 classes and the running statistics counted it has
26,994,052 parameters, with four stages 8,212,612; one study prints 8,907,396 for four stages, which the paper's
description does not lead to. A third convolution and a fifth channel add 3,138,816, as in that study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_brainseg.networks.convolutions import ConvBlock, halved, initialise
from napari_brainseg.networks.options import BlockOptions, only_slices, parsed
from napari_brainseg.networks.padding import cropped, padded


@dataclass(frozen=True)
class UNet3PlusOptions(BlockOptions):
    """The shared options, with batch norm; `convs_per_block` counts in the encoder.

    Attributes:
        stages: Scales of the encoder, the paper's 5 or another number from 2 on.
        deep_supervision: Whether every stage gives logits in training.
    """

    batch_norm: bool = True
    stages: int = 5
    deep_supervision: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.stages < 2:
            raise ValueError(f"stages must be 2 or more, not {self.stages}")


def _rescaled(x: Tensor, steps: int) -> Tensor:
    """Return features 2^steps as large: bilinear, or the maximum of each square where `steps` is negative."""
    if steps > 0:
        return functional.interpolate(x, scale_factor=2.0**steps, mode="bilinear", align_corners=False)
    return functional.max_pool2d(x, 2**-steps) if steps else x


class _FullScale(nn.Module):
    """A stage of the decoder: as many channels from each scale, brought to this one, and a convolution of all."""

    def __init__(self, widths: Sequence[int], level: int, width: int, options: BlockOptions) -> None:
        super().__init__()
        self.level = level
        alone = replace(options, convs_per_block=1)
        self.branches = nn.ModuleList(ConvBlock(each, width, replace(alone, dropout=0.0)) for each in widths)
        self.fusion = ConvBlock(width * len(widths), width * len(widths), alone)

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """Return features of this stage from those of all, the finest first."""
        brought = [
            branch(_rescaled(scale, number - self.level))
            for number, (branch, scale) in enumerate(zip(self.branches, scales, strict=True))
        ]
        fused: Tensor = self.fusion(torch.cat(brought, 1))
        return fused


class UNet3Plus(nn.Module):
    """UNet 3+ for (N, C, H, W) of any size; the result has the size of the input.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2; the network is for slices.
        **options: Of `UNet3PlusOptions`. Without `bridge` the deepest stage is the pooled features of the one above.

    Raises:
        TypeError: There is no such option, or `spatial_dims` is not 2.
        ValueError: An option is out of its range.
    """

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int = 2, **options: Any) -> None:
        super().__init__()
        only_slices("unet_3plus", spatial_dims)
        chosen = parsed(UNet3PlusOptions, options)
        stages, width = chosen.stages, chosen.base_width
        self.stride = 2 ** (stages - 1)
        widths = [width * 2**level for level in range(stages)]
        if not chosen.bridge:
            widths[-1] = widths[-2]
        built = [in_channels, *widths] if chosen.bridge else [in_channels, *widths[:-1]]
        self.encoder = nn.ModuleList(ConvBlock(a, b, chosen) for a, b in pairwise(built))
        if not chosen.bridge:
            self.encoder.append(nn.Identity())
        fused = [width * stages] * (stages - 2)
        seen = [[*widths[: level + 1], *fused[level:], widths[-1]] for level in range(stages - 1)]
        self.decoder = nn.ModuleList(_FullScale(each, level, width, chosen) for level, each in enumerate(seen))
        initialise(self)
        self.head = nn.Conv2d(width * stages, out_channels, 3, padding=1)
        deeper = [*fused, widths[-1]] if chosen.deep_supervision else []
        self.deeper_heads = nn.ModuleList(nn.Conv2d(each, out_channels, 3, padding=1) for each in deeper)

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        """Return logits (N, out_channels, H, W) for images (N, in_channels, H, W).

        With deep supervision, and in training alone, a list of them from each stage, the finest first.
        """
        x = padded(images, self.stride, two=True)
        scales: list[Tensor] = []
        for stage in self.encoder:
            scales.append(stage(halved(scales[-1]) if scales else x))
        for level in reversed(range(len(self.decoder))):
            scales[level] = self.decoder[level](scales)
        logits = cropped(self.head(scales[0]), images)
        if not (self.training and len(self.deeper_heads)):
            return logits
        deeper = [
            cropped(_rescaled(head(scale), level), images)
            for level, (head, scale) in enumerate(zip(self.deeper_heads, scales[1:], strict=True), start=1)
        ]
        return [logits, *deeper]
