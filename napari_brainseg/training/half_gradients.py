"""Where the gradients of half precision can be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import torch

# A bf16 3-D convolution of depth 2 has wrong weight gradients on a CPU (torch 2.13: they hold uninitialised memory);
# that is what the lowest stage of a network makes of small patches.
SAFE_PATCH = 96


def half_is_safe(device: torch.device, size: Sequence[int]) -> bool:
    """Whether a network may learn in half precision from images of this size, (y, x) or (z, y, x)."""
    return not (device.type == "cpu" and len(size) == 3 and min(size) < SAFE_PATCH)
