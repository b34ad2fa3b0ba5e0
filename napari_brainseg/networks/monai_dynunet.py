"""MONAI's DynUNet, the network of nnU-Net (Isensee 2021, doi:10.1038/s41592-020-01008-z), for any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets import DynUNet
from torch import Tensor, nn
from torch.nn import functional

from napari_brainseg.networks.padding import cropped, padded

Sizes = Sequence[int | Sequence[int]]


class _Supervised(nn.Module):
    """DynUNet that gives a list of logits in training where it is deeply supervised.

    It runs the blocks itself: MONAI registers each of them twice, once more in a recursion for TorchScript, and a file
    of weights would hold all of them twice.
    """

    def __init__(self, network: DynUNet) -> None:
        super().__init__()
        del network.skip_layers
        self.network = network
        dims = network.spatial_dims
        per_axis = [[step] * dims if isinstance(step, int) else list(step) for step in network.strides]
        self.stride = [1] * dims
        for steps in per_axis:
            self.stride = [total * step for total, step in zip(self.stride, steps, strict=True)]

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        """Return logits (N, K, *spatial), or in training with deep supervision a list of them, the finest first."""
        network = self.network
        x = network.input_block(padded(images, self.stride, two=True))
        skips = [x]
        for stage in network.downsamples:
            x = stage(x)
            skips.append(x)
        x = network.bottleneck(x)
        rising = []
        for stage in network.upsamples:
            x = stage(x, skips.pop())
            rising.append(x)
        logits = [network.output_block(rising.pop())]
        if self.training and network.deep_supervision:
            for head in network.deep_supervision_heads:
                logits.append(functional.interpolate(head(rising.pop()), logits[0].shape[2:]))
        outputs = [cropped(each, images) for each in logits]
        return outputs if len(outputs) > 1 else outputs[0]


def create(
    in_channels: int,
    out_channels: int,
    spatial_dims: int = 3,
    strides: Sizes = (1, 2, 2, 2, 2),
    kernel_size: Sizes | None = None,
    **options: Any,
) -> nn.Module:
    """Build a DynUNet of 2-D or 3-D.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2 or 3.
        strides: Of each stage, for all axes or for each; the first is 1.
        kernel_size: Of each stage; by default 3.
        **options: MONAI's own, such as `filters`, `deep_supervision`, `deep_supr_num` and `res_block`.

    Raises:
        ValueError: The first stride is not 1, or MONAI refuses an option.
    """
    first = strides[0] if len(strides) else 1
    if first != 1 and list(first if isinstance(first, Sequence) else [first]) != [1] * spatial_dims:
        raise ValueError(f"the first of strides must be 1, not {first}")
    network = DynUNet(
        spatial_dims=spatial_dims,
        in_channels=in_channels,
        out_channels=out_channels,
        kernel_size=kernel_size or [3] * len(strides),
        strides=strides,
        upsample_kernel_size=strides[1:],
        **options,
    )
    return _Supervised(network)
