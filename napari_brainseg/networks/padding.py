"""Let a network with strides take any input size: pad at the far ends, crop the output back."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def padded(images: Tensor, stride: int) -> Tensor:
    """Pad (N, C, *spatial) with zeros at the far end of each spatial axis to a multiple of `stride`.

    Crop the network's output back with `output[..., :h, :w]` (or three extents) of the input.
    """
    missing = [-size % stride for size in reversed(images.shape[2:])]
    if not any(missing):
        return images
    return functional.pad(images, [n for extent in missing for n in (0, extent)])


def cropped(output: Tensor, like: Tensor) -> Tensor:
    """Crop (N, K, *spatial) to the spatial size of `like`."""
    for axis, size in enumerate(like.shape[2:], start=2):
        output = output.narrow(axis, 0, size)
    return output
