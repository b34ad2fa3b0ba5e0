"""Where the windows of a 3-D network lie, what they hold, and how their results are blended."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Size = tuple[int, int, int]
Window = tuple[slice, slice, slice]


def starts(size: int, window: int, overlap: int | None = None) -> list[int]:
    """Return where windows begin along one axis, so that neighbours overlap and the last one ends with the axis.

    Args:
        size: Voxels along the axis.
        window: Voxels of a window.
        overlap: Voxels that neighbours share at least; None for half a window.
    """
    if size <= window:
        return [0]
    step = max(1, window - overlap if overlap is not None else round(window * 0.5))
    return [*range(0, size - window, step), size - window]


def plan_windows(shape: Sequence[int], window: Size, overlap: Size | None = None) -> list[Window]:
    """Return windows that cover a volume (Z, Y, X); an axis shorter than its window has one shorter window."""
    shared = overlap or (None, None, None)
    axes = [[slice(s, min(s + w, n)) for s in starts(n, w, o)] for n, w, o in zip(shape, window, shared, strict=True)]
    return [(z, y, x) for z, y, x in product(*axes)]


@lru_cache(maxsize=4)
def blend_weights(window: Size) -> Tensor:
    """Return Gaussian weights (Z, Y, X), 1 in the middle, sigma an eighth of the window (Isensee 2021)."""
    weights = torch.ones(1)
    for axis, size in enumerate(window):
        place = torch.arange(size) - (size - 1) / 2
        along = torch.exp(-0.5 * (place / (size / 8)) ** 2)
        weights = weights * along.reshape([-1 if a == axis else 1 for a in range(3)])
    return weights.clamp(min=1e-3)


def window_content(images: NDArray[np.floating], place: Window, size: Size) -> Tensor:
    """Return images (C, Z, Y, X) of a window as fp32 (C, *size), zeros at the far ends where it is shorter."""
    content = images[(slice(None), *place)]
    missing = [(0, target - have) for target, have in zip(size, content.shape[1:], strict=True)]
    padded = np.pad(content, [(0, 0), *missing]) if any(after for _, after in missing) else content
    return torch.from_numpy(np.ascontiguousarray(padded, np.float32))


class Blended:
    """The weighted mean of maps of overlapping windows.

    Args:
        maps: How many maps there are at each voxel.
        shape: Of the volume, (Z, Y, X).
        size: Of a window, (Z, Y, X).
        device: Where the sums lie.
    """

    def __init__(self, maps: int, shape: Sequence[int], size: Size, device: torch.device | str = "cpu") -> None:
        self._weights = blend_weights(size).to(device)
        self._total = torch.zeros((maps, *shape), device=device)
        self._weight = torch.zeros(tuple(shape), device=device)

    def add(self, place: Window, maps: Tensor) -> None:
        """Add maps (R, *size) of a window; what lies beyond the volume's end is left out."""
        z, y, x = (s.stop - s.start for s in place)
        weights = self._weights[:z, :y, :x]
        self._total[(slice(None), *place)].addcmul_(maps[:, :z, :y, :x].to(weights), weights)
        self._weight[place] += weights

    def mean(self, place: Window) -> Tensor:
        """Return the blended maps (R, z, y, x) of a part of the volume; 0 where no window was added."""
        return self._total[(slice(None), *place)] / self._weight[place].clamp(min=1e-6)


def nearest_first(spans: Sequence[slice], place: int) -> list[int]:
    """Return the order of spans along an axis: those whose middle is nearest to `place` first, else as they are."""
    return sorted(range(len(spans)), key=lambda i: abs(spans[i].start + spans[i].stop - 1 - 2 * place))
