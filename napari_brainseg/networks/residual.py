"""Residual units with the activation first (He 2016, arXiv:1603.05027), for (N, C, H, W), and the rise beside them."""

from __future__ import annotations

from torch import Tensor, nn

from napari_brainseg.networks.convolutions import conv3, norm
from napari_brainseg.networks.options import BlockOptions


def activated(width: int, options: BlockOptions) -> list[nn.Module]:
    """Return norm and ReLU; the ReLU is in place only where it does not overwrite what the shortcut still needs."""
    return [norm(width, options), nn.ReLU(inplace=options.batch_norm)]


class ResidualUnit(nn.Module):
    """`convs_per_block` times norm, ReLU and convolution, added to a 1 x 1 convolution of the input.

    Args:
        width_in: Channels that come in.
        width_out: Channels that go out.
        options: Of all blocks.
        stride: Of the first convolution and of the shortcut.
        first: The unit at the image, which starts with a convolution.
    """

    def __init__(
        self, width_in: int, width_out: int, options: BlockOptions, *, stride: int = 1, first: bool = False
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(options.convs_per_block):
            width = width_out if number else width_in
            if number or not first:
                layers += activated(width, options)
            layers.append(conv3(width, width_out, options.dilation, 1 if number else stride))
        if options.dropout:
            layers.append(nn.Dropout(options.dropout))
        self.layers = nn.Sequential(*layers)
        self.shortcut = nn.Sequential(nn.Conv2d(width_in, width_out, 1, stride=stride), norm(width_out, options))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, width_out, H / stride, W / stride)."""
        added: Tensor = self.layers(x) + self.shortcut(x)
        return added
