"""The blocks that the networks for slices are built of, all for (N, C, H, W).

Convolution, norm and ReLU in a row, with the ReLU in place: in channels_last and bf16 a CPU runs them without a copy.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_brainseg.networks.options import BlockOptions


def conv3(width_in: int, width_out: int, dilation: int = 1, stride: int = 1) -> nn.Conv2d:
    """Return a 3 x 3 convolution that keeps the size, but for its stride."""
    return nn.Conv2d(width_in, width_out, 3, stride=stride, padding=dilation, dilation=dilation)


def norm(width: int, options: BlockOptions) -> nn.Module:
    """Return batch norm, or nothing where the options have none."""
    return nn.BatchNorm2d(width) if options.batch_norm else nn.Identity()


class ConvBlock(nn.Sequential):
    """`convs_per_block` times convolution, batch norm if wanted and ReLU; then dropout if wanted."""

    def __init__(self, width_in: int, width_out: int, options: BlockOptions) -> None:
        layers: list[nn.Module] = []
        for number in range(options.convs_per_block):
            layers.append(conv3(width_out if number else width_in, width_out, options.dilation))
            if options.batch_norm:
                layers.append(nn.BatchNorm2d(width_out))
            layers.append(nn.ReLU(inplace=True))
        if options.dropout:
            layers.append(nn.Dropout(options.dropout))
        super().__init__(*layers)


class PyramidPooling(nn.Module):
    """Pool to 1 x 1, 2 x 2 and 4 x 4, mix each, bring them back and join them to what was pooled.

    After Zhao 2017 (arXiv:1612.01105); without norms, since a pool of one value has no variance.
    """

    def __init__(self, width: int, grids: tuple[int, ...] = (1, 2, 4)) -> None:
        super().__init__()
        narrow = max(1, width // len(grids))
        self.grids = grids
        self.branches = nn.ModuleList(nn.Conv2d(width, narrow, 1) for _ in grids)
        self.mix = nn.Conv2d(width + narrow * len(grids), width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the shape of `x`."""
        pooled = [
            functional.interpolate(
                functional.relu(branch(functional.adaptive_avg_pool2d(x, grid))),
                size=x.shape[2:],
                mode="bilinear",
                align_corners=False,
            )
            for branch, grid in zip(self.branches, self.grids, strict=True)
        ]
        return functional.relu(self.mix(torch.cat([x, *pooled], 1)))


def doubled(x: Tensor) -> Tensor:
    """Return features of twice the height and width, bilinear."""
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def halved(x: Tensor) -> Tensor:
    """Return the maximum of each 2 x 2 pixels."""
    return functional.max_pool2d(x, 2)


def initialise(network: nn.Module) -> None:
    """Draw weights that keep the variance through layers with ReLU (He 2015, arXiv:1502.01852); biases are 0.

    Ronneberger 2015 asks for it: without norms a deep network of torch's own initial weights hardly starts to learn.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        elif isinstance(layer, nn.ConvTranspose2d):  # with a stride of its kernel: one value of each channel in
            nn.init.normal_(layer.weight, std=layer.in_channels**-0.5)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
