"""How a run is cut: the device, how much at once and which windows, from what the network needs and what is free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TypeVar

import torch

from napari_brainseg.base.errors import ModelError
from napari_brainseg.inference.windows import Size

_Thing = TypeVar("_Thing")

CPU = torch.device("cpu")

# More slices at once are no faster on a CPU, where their maps leave the cache; a GPU wants to be filled.
_SLICES = {"cpu": 8, "cuda": 32}
_WINDOWS = {"cpu": 1, "cuda": 4}
# The network's own buffers are not in the count of its tensors, and other programs take memory too.
_SHARE = 0.6
_SMALLEST = 32


@dataclass(frozen=True)
class Needs:
    """What is known of the network.

    Attributes:
        window: The windows it was trained on (Z, Y, X); None for slices.
        bytes_per_voxel: The most memory that its tensors take at one time, for each voxel of its input.
        maps: Maps that it gives for each voxel.
        stride: Its input is padded to a multiple of this.
        grows: Whether larger windows than those of its training are as good.
    """

    window: Size | None
    bytes_per_voxel: float
    maps: int
    stride: int = 1
    grows: bool = True


@dataclass(frozen=True)
class Limits:
    """What earlier runs have taught of the memory: no more than this.

    Attributes:
        batch: Slices or windows at once.
        voxels: Voxels of a window.
        results_on_cpu: Results leave the device window by window.
        cpu: The CPU computes.
    """

    batch: int | None = None
    voxels: int | None = None
    results_on_cpu: bool = False
    cpu: bool = False


@dataclass(frozen=True)
class Plan:
    """How a run is cut.

    Attributes:
        device: Where the network computes.
        results: Where its results are blended and become labels.
        batch: Slices or windows at once.
        window: (Z, Y, X); None for slices.
        overlap: Voxels that neighbouring windows share (Z, Y, X).
        half: The half precision of autocast, or None for fp32.
    """

    device: torch.device
    results: torch.device
    batch: int
    window: Size | None = None
    overlap: Size = (0, 0, 0)
    half: torch.dtype | None = None


def make_plan(
    needs: Needs, shape: Sequence[int], device: torch.device, free: int, limits: Limits, half: torch.dtype | None
) -> Plan:
    """Return how a box of (z, y, x) voxels is run where `free` bytes are free on the device that computes."""
    results = CPU if limits.results_on_cpu or limits.cpu or device.type == "mps" else device
    compute = CPU if limits.cpu else device
    if compute != device:
        half = None  # it was chosen for the other device
    budget = free * _SHARE
    if results.type != "cpu":
        taken = 4 * (needs.maps + 1) * prod(shape)
        if taken > budget / 2:
            results = CPU
        else:
            budget -= taken
    voxels = max(1, int(budget / needs.bytes_per_voxel))
    if needs.window is None:
        batch = min(_SLICES.get(compute.type, 8), voxels // max(1, prod(shape[1:])), limits.batch or voxels)
        return Plan(compute, results, max(1, batch), half=half)
    window, overlap = fitted_window(shape, needs, min(voxels, limits.voxels or voxels))
    batch = min(_WINDOWS.get(compute.type, 1), voxels // prod(window), limits.batch or voxels)
    return Plan(compute, results, max(1, batch), window, overlap, half)


def fitted_window(shape: Sequence[int], needs: Needs, voxels: int) -> tuple[Size, Size]:
    """Return the largest windows of at most so many voxels, and their overlap: the whole box where it fits.

    Windows larger than those of the training share half of such a one; the box is divided evenly. Where not even one
    of the training's fits it is halved, down to 32 voxels along an axis.
    """
    assert needs.window is not None
    trained = needs.window
    if not needs.grows:
        return _halved(trained, tuple_of(w // 2 for w in trained), voxels)
    shared = tuple_of(w // 2 for w in trained)
    pieces = [1, 1, 1]
    while True:
        size = tuple_of(
            _piece(n, count, o, max(needs.stride, 1), w)
            for n, count, o, w in zip(shape, pieces, shared, trained, strict=True)
        )
        longer = [axis for axis in range(3) if size[axis] > trained[axis]]
        if prod(size) <= voxels or not longer:
            return _halved(size, shared, voxels)
        pieces[max(longer, key=lambda axis: size[axis] / trained[axis])] += 1


def smaller(plan: Plan, limits: Limits, *, freed: bool) -> tuple[Limits, str]:
    """Return what the next attempt is limited to after memory ran out, and what to tell.

    First the cache is freed alone, then the batch is halved, the window, the results go to the CPU, then the CPU
    computes.

    Raises:
        ModelError: Nothing is left to try.
    """
    said = f"{plan.device} ran out of memory: "
    if not freed and plan.device != CPU:
        return limits, said + "freed what was kept and tried again."
    if plan.batch > 1:
        what = "slices" if plan.window is None else "windows"
        batch = plan.batch // 2
        return replace(limits, batch=batch), said + f"{batch} instead of {plan.batch} {what} at once."
    if plan.window is not None and any(n > _SMALLEST for n in plan.window):
        half, _ = _halved(plan.window, plan.overlap, prod(plan.window) - 1)
        words = [" × ".join(map(str, size)) for size in (half, plan.window)]
        return replace(limits, voxels=prod(half)), said + f"windows of {words[0]} instead of {words[1]} voxels."
    if plan.results != CPU:
        return replace(limits, results_on_cpu=True), said + "results are kept in the computer's memory."
    if plan.device != CPU:
        return Limits(cpu=True), said + "the CPU computes instead, which is slower."
    raise ModelError("The computer ran out of memory for this model. Close other programs, or choose a smaller model.")


def tuple_of(three: Iterable[_Thing]) -> tuple[_Thing, _Thing, _Thing]:
    """Return the three things, of (Z, Y, X), as a tuple."""
    z, y, x = three
    return z, y, x


def _piece(size: int, pieces: int, overlap: int, stride: int, least: int) -> int:
    """Return how long each of so many overlapping pieces of an axis is; of several it is a multiple of the stride."""
    if pieces == 1 or size <= least:
        return size
    even = -(-(size + (pieces - 1) * overlap) // pieces)
    return min(size, max(least, -(-even // stride) * stride))


def _halved(size: Size, overlap: Size, voxels: int) -> tuple[Size, Size]:
    """Halve the longest axis until a window has at most so many voxels, or 32 along each axis."""
    window = list(size)
    while prod(window) > voxels and max(window) > _SMALLEST:
        axis = window.index(max(window))
        window[axis] = max(_SMALLEST, window[axis] // 2)
    return tuple_of(window), tuple_of(min(o, n // 2) for o, n in zip(overlap, window, strict=True))
