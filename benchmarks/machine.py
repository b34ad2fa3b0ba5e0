"""What a measurement ran on: without it a time says nothing."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

PACKAGES = ("napari-brainseg", "numpy", "nibabel", "tifffile", "torch", "napari")


def describe_machine() -> str:
    """Return processor, cores, memory, system, versions and the measured float32 matrix peak, one line each."""
    lines = [
        f"processor  {_processor()}, {os.cpu_count()} cores, {matrix_peak():.0f} GFLOP/s in float32 matrix products",
        f"memory     {_memory()}",
        f"system     {platform.platform()}, Python {platform.python_version()}",
        "packages   " + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    ]
    return "\n".join(lines)


def matrix_peak(size: int = 1536) -> float:
    """Return the best of five float32 matrix products of numpy, in GFLOP/s."""
    matrix = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - start)
    return float(2 * size**3 / min(times) / 1e9)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (AttributeError, ValueError, OSError):
        return "unknown"
