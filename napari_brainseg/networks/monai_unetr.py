"""MONAI's UNETR (Hatamizadeh 2022, arXiv:2103.10504), padded to the one size that it is built for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets import UNETR
from torch import Tensor, nn

from napari_brainseg.base.errors import ModelError
from napari_brainseg.networks.padding import cropped, padded
from napari_brainseg.networks.transformers import size_per_axis, without_cross_attention

_PATCH = 16  # MONAI's, fixed


class _OneSize(nn.Module):
    """UNETR for images up to `size`; smaller ones are padded to it."""

    def __init__(self, network: nn.Module, size: tuple[int, ...]) -> None:
        super().__init__()
        self.network = network
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K, *spatial) for images (N, C, *spatial).

        Raises:
            ModelError: The images are larger than the network was built for.
        """
        shape = images.shape[2:]
        if any(have > most for have, most in zip(shape, self.size, strict=True)):
            built, given = (" x ".join(map(str, sizes)) for sizes in (self.size, shape))
            raise ModelError(
                f"This monai_unetr was built for images up to {built}, these are {given}. Train one with a larger "
                "img_size."
            )
        return cropped(self.network(padded(images, self.size)), images)


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
        img_size: The largest image, in pixels, of all axes or of each, rounded up to the patch of 16; by default 256
            in 2-D and 96 in 3-D.
        **options: MONAI's own, such as `feature_size`, `hidden_size`, `mlp_dim` and `num_heads`.

    Raises:
        ValueError: The size does not fit the axes, or MONAI refuses an option.
    """
    wanted = size_per_axis(img_size or (256 if spatial_dims == 2 else 96), spatial_dims)
    # A single patch is no sequence, and instance norm cannot learn from one value.
    size = tuple(-(-extent // _PATCH) * _PATCH for extent in wanted)
    if set(size) == {_PATCH}:
        raise ValueError(f"img_size must be above {_PATCH} in one axis at least, not {img_size}")
    network = UNETR(
        in_channels=in_channels, out_channels=out_channels, img_size=size, spatial_dims=spatial_dims, **options
    )
    return _OneSize(without_cross_attention(network), size)
