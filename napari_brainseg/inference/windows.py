"""Where the windows of a 3-D network lie, and how their results are blended."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import torch
from torch import Tensor

Window = tuple[slice, slice, slice]


def starts(size: int, window: int, overlap: float = 0.5) -> list[int]:
    """Return where windows begin along one axis, so that neighbours overlap and the last one ends with the axis."""
    if size <= window:
        return [0]
    step = max(1, round(window * (1 - overlap)))
    return [*range(0, size - window, step), size - window]


def plan_windows(shape: tuple[int, ...], window: tuple[int, int, int]) -> list[Window]:
    """Return windows that cover a volume (Z, Y, X); an axis shorter than its window has one shorter window."""
    axes = [[slice(s, min(s + w, n)) for s in starts(n, w)] for n, w in zip(shape, window, strict=True)]
    return [(z, y, x) for z, y, x in product(*axes)]


@lru_cache(maxsize=4)
def blend_weights(window: tuple[int, int, int]) -> Tensor:
    """Return Gaussian weights (Z, Y, X), 1 in the middle, sigma an eighth of the window (Isensee 2021)."""
    weights = torch.ones(1)
    for axis, size in enumerate(window):
        place = torch.arange(size) - (size - 1) / 2
        along = torch.exp(-0.5 * (place / (size / 8)) ** 2)
        weights = weights * along.reshape([-1 if a == axis else 1 for a in range(3)])
    return weights.clamp(min=1e-3)
