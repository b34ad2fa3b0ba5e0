"""A network behind a small auto-encoder that draws the tumour brightly into the image; its drawing is the input."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_brainseg.networks.padding import cropped, padded


class Highlighter(nn.Sequential):
    """From slices (N, C, H, W), H and W multiples of 8, to one drawn image (N, 1, H, W): three levels down and up.

    Without norms, so that it behaves alike in training and in use; without skips, so that it must learn what to draw.
    """

    stride = 8

    def __init__(self, in_channels: int, width: int = 16) -> None:
        layers: list[nn.Module] = []
        widths = (in_channels, width, 2 * width, 4 * width)
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU()]
        for before, after in ((4 * width, 2 * width), (2 * width, width), (width, width)):
            layers += [nn.ConvTranspose2d(before, after, 2, stride=2), nn.ReLU()]
        super().__init__(*layers, nn.Conv2d(width, 1, 3, padding=1))

    def draw(self, images: Tensor) -> Tensor:
        """Return drawn images (N, 1, H, W) of any size."""
        return cropped(self(padded(images, self.stride)), images)


class Highlighted(nn.Module):
    """A network for slices whose input is joined or replaced by what a highlighter draws.

    Images with one channel more than the highlighter takes bring their drawing with them as the last one: in training
    it was drawn by a highlighter that never saw their labels.

    Args:
        network: Takes `in_channels` + 1 channels where the drawing joins, 1 where it replaces.
        in_channels: Image channels.
        joins: Whether the drawing joins the image.
    """

    def __init__(self, network: nn.Module, in_channels: int, *, joins: bool) -> None:
        super().__init__()
        self.highlighter = Highlighter(in_channels).requires_grad_(False)
        self.network = network
        self._in_channels, self._joins = in_channels, joins

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K, H, W) for images (N, C, H, W) or (N, C + 1, H, W)."""
        if images.shape[1] == self._in_channels:
            images = torch.cat([images, self.highlighter.draw(images).to(images.dtype)], 1)
        logits: Tensor = self.network(images if self._joins else images[:, -1:])
        return logits
