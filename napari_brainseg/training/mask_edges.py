"""The first stage of the edge transfer: the edges of the true masks are drawn into training images.

A network first learns from images that show where the tumour ends, then goes on with plain images. Never for
validation or for use: there is no true mask then.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def draw_mask_edges(images: Tensor, labels: Tensor) -> Tensor:
    """Return images (N, C, *spatial) whose voxels on the inner border of a class have each channel's highest value.

    Args:
        images: Floating.
        labels: (N, *spatial), label values; a border is where a neighbour within one voxel has another value.
    """
    classes = labels[:, None].float()
    pool = functional.max_pool2d if images.ndim == 4 else functional.max_pool3d
    differs = (pool(classes, 3, 1, 1) != classes) | (-pool(-classes, 3, 1, 1) != classes)
    edges = differs & (classes > 0)
    return images.where(~edges, images.flatten(2).amax(-1).reshape(*images.shape[:2], *[1] * (images.ndim - 2)))
