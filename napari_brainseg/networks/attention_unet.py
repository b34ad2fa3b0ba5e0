"""Attention U-Net (Oktay 2018, arXiv:1804.03999): what crosses the U is weighed by what the deeper stage has seen.

Gates stand at all stages but the first, whose features say too little, as in the paper. It has 32,065,607 parameters
for 4 channels and 4 classes; one study prints 31,870,853, which its description does not lead to.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from napari_brainseg.networks.convolutions import doubled
from napari_brainseg.networks.unet import UNet


class AttentionGate(nn.Module):
    """Additive attention on a grid of half the size: σ(ψ(ReLU(W_x x + W_g g))), brought up to x and multiplied."""

    def __init__(self, width: int, width_below: int) -> None:
        super().__init__()
        inner = max(1, width // 2)
        self.from_skip = nn.Conv2d(width, inner, 2, stride=2, bias=False)
        self.from_below = nn.Conv2d(width_below, inner, 1)
        self.attention = nn.Conv2d(inner, 1, 1)

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        """Return the features `skip` (N, C, 2h, 2w) weighed by `below` (N, D, h, w)."""
        both = functional.relu(self.from_skip(skip) + self.from_below(below))
        return skip * doubled(self.attention(both).sigmoid())


class AttentionUNet(UNet):
    """Attention U-Net for (N, C, H, W) of any size, with the options of `UNet`."""

    name = "attention_unet"

    def _gates(self, deepest: int, widths: list[int]) -> list[nn.Module]:
        below = [deepest, *reversed(widths)]
        return [AttentionGate(width, deeper) for deeper, width in pairwise(below[:-1])]
