"""MONAI's UNETR (Hatamizadeh 2022, arXiv:2103.10504), for any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets import UNETR
from torch import Tensor, nn

from napari_brainseg.networks.padding import cropped, padded
from napari_brainseg.networks.transformers import TokenEncoder, size_per_axis

_PATCH = 16  # MONAI's, fixed


class _AnySize(nn.Module):
    """UNETR with the positions of its tokens interpolated to the image; it runs MONAI's blocks itself."""

    def __init__(self, network: UNETR, grid: Sequence[int]) -> None:
        super().__init__()
        self.encoder = TokenEncoder(network.vit, grid)
        del network.vit
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K, *spatial) for images (N, C, *spatial)."""
        network, whole = self.network, padded(images, _PATCH, two=True)
        deepest, hidden = self.encoder(whole)
        x = network.decoder5(deepest, network.encoder4(hidden[9]))
        x = network.decoder4(x, network.encoder3(hidden[6]))
        x = network.decoder3(x, network.encoder2(hidden[3]))
        x = network.decoder2(x, network.encoder1(whole))
        return cropped(network.out(x), images)


def create(
    in_channels: int,
    out_channels: int,
    spatial_dims: int = 3,
    img_size: int | Sequence[int] | None = None,
    **options: Any,
) -> nn.Module:
    """Build a UNETR of 2-D or 3-D.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2 or 3.
        img_size: Pixels of all axes, or of each, that the learnt positions are for; rounded up to the patch of 16. By
            default 256 in 2-D and 96 in 3-D.
        **options: MONAI's own, such as `feature_size`, `hidden_size`, `mlp_dim` and `num_heads`.

    Raises:
        ValueError: The size does not fit the axes, or MONAI refuses an option.
    """
    size = size_per_axis(img_size or (256 if spatial_dims == 2 else 96), spatial_dims)
    grid = [-(-extent // _PATCH) for extent in size]
    network = UNETR(
        in_channels=in_channels,
        out_channels=out_channels,
        img_size=[patches * _PATCH for patches in grid],
        spatial_dims=spatial_dims,
        **options,
    )
    return _AnySize(network, grid)
