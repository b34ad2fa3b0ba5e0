"""Vision transformer (Dosovitskiy 2021, arXiv:2010.11929), MONAI's, with a light convolutional decoder to pixels.

The decoder doubles the size step by step, as the one of SETR-PUP does (Zheng 2021, arXiv:2012.15840).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monai.networks.layers.factories import Conv
from monai.networks.nets import ViT
from torch import Tensor, nn

from napari_brainseg.networks.options import parsed
from napari_brainseg.networks.padding import cropped, padded
from napari_brainseg.networks.transformers import TokenEncoder, doubled, size_per_axis


@dataclass(frozen=True)
class ViTOptions:
    """The options of a vision transformer; the defaults are those of ViT-Small.

    Attributes:
        img_size: Pixels of all axes, or of each, that the learnt positions are for; by default 256 in 2-D, 96 in 3-D.
        patch_size: Pixels of a patch along each axis, a power of two.
        hidden_size: Features of a token.
        mlp_dim: Features inside the layers between the attentions.
        num_layers: Blocks.
        num_heads: Heads of each attention; they divide `hidden_size`.
        dropout: Share of values dropped in the blocks.
        decoder_width: Channels of the first step of the decoder; each further one has half, but no less than 8.
    """

    img_size: int | Sequence[int] | None = None
    patch_size: int = 16
    hidden_size: int = 384
    mlp_dim: int = 1536
    num_layers: int = 12
    num_heads: int = 6
    dropout: float = 0.0
    decoder_width: int = 128

    def __post_init__(self) -> None:
        if self.patch_size < 2 or self.patch_size & (self.patch_size - 1):
            raise ValueError(f"patch_size must be a power of two, not {self.patch_size}")
        for name in ("hidden_size", "mlp_dim", "num_layers", "num_heads", "decoder_width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")


class VisionTransformer(nn.Module):
    """ViT for images (N, C, *spatial) of any size; the result has the size of the input.

    Images are padded to whole patches; on another grid of patches than the learnt one the positions are interpolated.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2 or 3.
        **options: Of `ViTOptions`.

    Raises:
        TypeError: There is no such option.
        ValueError: An option is out of its range.
    """

    def __init__(self, in_channels: int, out_channels: int, spatial_dims: int = 2, **options: Any) -> None:
        super().__init__()
        chosen = parsed(ViTOptions, options)
        size = size_per_axis(chosen.img_size or (256 if spatial_dims == 2 else 96), spatial_dims)
        self.patch = chosen.patch_size
        grid = [-(-extent // self.patch) for extent in size]
        encoder = ViT(
            in_channels=in_channels,
            img_size=[extent * self.patch for extent in grid],
            patch_size=self.patch,
            hidden_size=chosen.hidden_size,
            mlp_dim=chosen.mlp_dim,
            num_layers=chosen.num_layers,
            num_heads=chosen.num_heads,
            dropout_rate=chosen.dropout,
            spatial_dims=spatial_dims,
        )
        self.encoder = TokenEncoder(encoder, grid)
        steps = self.patch.bit_length() - 1
        widths = [max(8, chosen.decoder_width // 2**step) for step in range(steps)]
        conv = Conv[Conv.CONV, spatial_dims]
        self.decoder = nn.ModuleList(
            nn.Sequential(conv(a, b, 3, padding=1), nn.GroupNorm(1, b), nn.ReLU(inplace=True))
            for a, b in zip([chosen.hidden_size, *widths], widths, strict=False)
        )
        self.head = conv(widths[-1], out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, out_channels, *spatial) for images (N, in_channels, *spatial)."""
        x, _ = self.encoder(padded(images, self.patch))
        for stage in self.decoder:
            x = stage(doubled(x))
        return cropped(self.head(x), images)
