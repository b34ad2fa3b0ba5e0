"""UNeXt: convolutions outside, shifted token MLPs inside (Valanarasu and Patel, MICCAI 2022, arXiv:2203.04967).

With 3 channels, 1 class and the default widths it has 1,471,921 parameters, as the published one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_brainseg.networks.padding import cropped, padded

_SHIFTS = (-2, -1, 0, 1, 2)


def _shifted(x: Tensor, axis: int) -> Tensor:
    """Shift five groups of channels of (N, H, W, C) by -2 … 2 along `axis`, zeros coming in at the border."""
    size = x.shape[axis]
    moved = []
    # The groups are cut as torch.chunk cuts them, as in the published code; a narrow tensor has fewer of them.
    for group, shift in zip(x.chunk(len(_SHIFTS), -1), _SHIFTS, strict=False):
        kept = group.narrow(axis, min(size, max(0, -shift)), max(0, size - abs(shift)))
        before, after = min(size, max(0, shift)), min(size, max(0, -shift))
        moved.append(functional.pad(kept, [0, 0] * (3 - axis) + [before, after]))
    return torch.cat(moved, -1)


class _LayerNorm(nn.LayerNorm):
    """Layer norm over the channels of (N, C, H, W); a view when the tensor is channels_last."""

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = super().forward(x.permute(0, 2, 3, 1))
        return normed.permute(0, 3, 1, 2)


class _ShiftedMLP(nn.Module):
    """Tokenised MLP: shift across the height, mix channels, depth-wise convolution, shift across the width, mix."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = _LayerNorm(width)
        self.mix_height = nn.Linear(width, width)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.mix_width = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        # Tokens are the pixels, their features the channels: (N, H, W, C) is a view of a channels_last tensor.
        tokens = self.mix_height(_shifted(self.norm(x).permute(0, 2, 3, 1), axis=1))
        tokens = functional.gelu(self.depthwise(tokens.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        mixed: Tensor = self.mix_width(_shifted(tokens, axis=2))
        return x + mixed.permute(0, 3, 1, 2)


class _Down(nn.Sequential):
    """Convolution, batch norm, half the size, ReLU."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__(
            nn.Conv2d(width_in, width_out, 3, padding=1), nn.BatchNorm2d(width_out), nn.MaxPool2d(2), nn.ReLU()
        )


class _Tokens(nn.Sequential):
    """Overlapping patches of half the size, one shifted MLP, layer norm."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__(
            nn.Conv2d(width_in, width_out, 3, stride=2, padding=1),
            _LayerNorm(width_out),
            _ShiftedMLP(width_out),
            _LayerNorm(width_out),
        )


class _Up(nn.Module):
    """Convolution, batch norm, twice the size, ReLU."""

    def __init__(self, width_in: int, width_out: int, *, norm: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width_in, width_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(width_out) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.convolution(x))
        return functional.relu(functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))


class UNeXt(nn.Module):
    """UNeXt for (N, C, H, W) of any size; the result has the size of the input.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2; the network is for slices.
        widths: Channels of the three convolution stages and the two token stages.
    """

    stride = 32

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spatial_dims: int = 2,
        widths: Sequence[int] = (16, 32, 128, 160, 256),
    ) -> None:
        super().__init__()
        if spatial_dims != 2:
            raise TypeError("unext is a network for slices (spatial_dims=2)")
        if len(widths) != 5:
            raise ValueError(f"widths must be 5 numbers, not {list(widths)}")
        w1, w2, w3, w4, w5 = widths
        self.encoder = nn.ModuleList(
            [_Down(in_channels, w1), _Down(w1, w2), _Down(w2, w3), _Tokens(w3, w4), _Tokens(w4, w5)]
        )
        self.decoder = nn.ModuleList([_Up(w5, w4), _Up(w4, w3), _Up(w3, w2), _Up(w2, w1), _Up(w1, w1, norm=False)])
        self.decoder_tokens = nn.ModuleList(
            [nn.Sequential(_ShiftedMLP(w4), _LayerNorm(w4)), nn.Sequential(_ShiftedMLP(w3), _LayerNorm(w3))]
        )
        self.head = nn.Conv2d(w1, out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, out_channels, H, W) for images (N, in_channels, H, W)."""
        x = padded(images, self.stride, two=True)
        skips = []
        for stage in self.encoder:
            x = stage(x)
            skips.append(x)
        skips.pop()
        for level, stage in enumerate(self.decoder):
            x = stage(x)
            if skips:
                x = x + skips.pop()
            if level < len(self.decoder_tokens):
                x = self.decoder_tokens[level](x)
        return cropped(self.head(x), images)
