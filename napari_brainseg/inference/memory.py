"""Memory: what is free, what a network takes, and giving it back."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from napari_brainseg.base.errors import InputError

_CGROUPS = Path("/sys/fs/cgroup")
# Limit, use, facts and the fact that is the file cache, of version 2 and of version 1.
_CGROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)


def free_memory(device: torch.device) -> int:
    """Return how many bytes a run can take on the device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    free = int(psutil.virtual_memory().available)
    left = left_to_container(_CGROUPS)
    return free if left is None else min(free, left)


def left_to_container(cgroups: Path) -> int | None:
    """Return how many bytes a container (Docker, Slurm) leaves to its processes; None where it sets no limit.

    The system counts the memory of the whole machine, and what goes beyond the container's share is killed.

    Args:
        cgroups: Where the system shows the container's own control group: `/sys/fs/cgroup`.
    """
    for limit, used, facts, cache in _CGROUP_FILES:
        try:
            most = int((cgroups / limit).read_text())
            taken = int((cgroups / used).read_text())
            lines = (cgroups / facts).read_text().splitlines()
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
        # Files that were read are held in the same count, and given up when memory is asked for.
        given_up = sum(int(line.split()[1]) for line in lines if line.startswith(f"{cache} "))
        return max(0, most - taken + given_up)
    return None


def return_memory(device: torch.device) -> None:
    """Give what the device's allocator keeps back to the system; the models stay."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on whatever device."""
    # The CPU's allocator and the libraries under CUDA have no error class of their own for it.
    words = ("DefaultCPUAllocator", "not enough memory", "_ALLOC_FAILED", "out of memory")
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(w in str(error) for w in words)
    )


def require_memory(needed: float, what: str) -> None:
    """Raise `InputError` with numbers where less than `needed` bytes of the computer's memory are free."""
    free = free_memory(torch.device("cpu"))
    if needed > free:
        raise InputError(
            f"{what} needs {in_words(needed)} of memory and {in_words(free)} are free. Close other programs, or choose "
            "a range of slices."
        )


def in_words(count: float) -> str:
    """Return a number of bytes for a person: `3.1 GB`, `120 MB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"


def peak_bytes(compute: Callable[[], object]) -> int:
    """Return the most bytes that the tensors made by `compute` take at one time, on any device."""
    counting = _LiveTensors()
    with counting:
        compute()
    return counting.peak


class _LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the storages that operations make, until they vanish."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = self._now = 0
        self._alive: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {id(t.untyped_storage()) for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage(), given)
        return result

    def _count(self, storage: Any, given: set[int]) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._alive or key in given:
            return

        def vanished(_: object) -> None:
            self._now -= size
            del self._alive[key]

        self._alive[key] = weakref.ref(storage, vanished)
        self._now += size
        self.peak = max(self.peak, self._now)
