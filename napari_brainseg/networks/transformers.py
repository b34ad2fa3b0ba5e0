"""MONAI's vision transformer for images of any size, and without layers that are never run."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets import ViT
from torch import Tensor, nn
from torch.nn import functional

_MODES = {2: "bilinear", 3: "trilinear"}


class TokenEncoder(nn.Module):
    """A vision transformer from images to grids of tokens.

    On another grid of patches than the learnt one the learnt positions are interpolated (Dosovitskiy 2021, 3.2).

    Args:
        vit: MONAI's, made for images of `grid` times the patch.
        grid: Patches along each axis that the positions were made for.
    """

    def __init__(self, vit: ViT, grid: Sequence[int]) -> None:
        super().__init__()
        self.vit = vit
        self.grid = tuple(grid)
        for block in vit.blocks:
            # MONAI makes layers of cross-attention and never runs them. No gradient reaches them, which would stop a
            # training in several processes.
            del block.cross_attn, block.norm_cross_attn

    def positions(self, grid: Sequence[int]) -> Tensor:
        """Return the positions (1, hidden, *grid)."""
        learnt: Tensor = self.vit.patch_embedding.position_embeddings
        positions = learnt.transpose(1, 2).reshape(1, -1, *self.grid)
        if tuple(grid) == self.grid:
            return positions
        return functional.interpolate(positions, size=tuple(grid), mode=_MODES[len(grid)], align_corners=False)

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return tokens (N, hidden, *grid) after the last norm, and after each block, for images of whole patches."""
        embedding = self.vit.patch_embedding
        patches = embedding.patch_embeddings(images)
        placed: Tensor = patches + self.positions(patches.shape[2:])
        tokens = embedding.dropout(placed.flatten(2).transpose(1, 2))
        hidden = []
        for block in self.vit.blocks:
            tokens = block(tokens)
            hidden.append(tokens.transpose(1, 2).reshape(placed.shape))
        return self.vit.norm(tokens).transpose(1, 2).reshape(placed.shape), hidden


def doubled(x: Tensor) -> Tensor:
    """Return features (N, C, *spatial) of twice the size, interpolated."""
    return functional.interpolate(x, scale_factor=2.0, mode=_MODES[x.ndim - 2], align_corners=False)


def size_per_axis(size: int | Sequence[int], spatial_dims: int, name: str = "img_size") -> tuple[int, ...]:
    """Return an extent for every axis from one, or from one for each.

    Raises:
        ValueError: There are more or fewer than there are axes, or one is not above 0.
    """
    sizes = tuple(size) if isinstance(size, Sequence) else (size,) * spatial_dims
    if len(sizes) != spatial_dims or any(not isinstance(extent, int) or extent < 1 for extent in sizes):
        raise ValueError(f"{name} must be a number above 0 or {spatial_dims} of them, not {size}")
    return sizes
