"""Let a network with strides take any input size: pad at the far ends, crop the output back."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


def padded(images: Tensor, stride: int | Sequence[int], *, two: bool = False) -> Tensor:
    """Pad (N, C, *spatial) with zeros at the far end of each spatial axis to a multiple of `stride`.

    Crop the network's output back with `output[..., :h, :w]` (or three extents) of the input.

    Args:
        images: Of any size.
        stride: Of all axes, or of each.
        two: Leave no less than two strides in the last axis where there is but one in every axis: batch and instance
            norm cannot learn from a single value at the bottom of a network.
    """
    strides = [stride] * (images.ndim - 2) if isinstance(stride, int) else list(stride)
    sizes = images.shape[2:]
    wanted = [-(-size // step) * step for size, step in zip(sizes, strides, strict=True)]
    if two and wanted == strides:
        wanted[-1] *= 2
    missing = [target - size for target, size in zip(wanted, sizes, strict=True)]
    if not any(missing):
        return images
    return functional.pad(images, [n for extent in reversed(missing) for n in (0, extent)])


def cropped(output: Tensor, like: Tensor) -> Tensor:
    """Crop (N, K, *spatial) to the spatial size of `like`."""
    for axis, size in enumerate(like.shape[2:], start=2):
        output = output.narrow(axis, 0, size)
    return output


class AnySize(nn.Module):
    """A network whose input must be a multiple of `stride`, made to take any size."""

    def __init__(self, network: nn.Module, stride: int | Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K, *spatial) for images (N, C, *spatial)."""
        return cropped(self.network(padded(images, self.stride, two=True)), images)
