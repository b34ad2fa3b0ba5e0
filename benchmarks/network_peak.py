"""At what share of the machine's matrix peak each shipped network runs, and what binds it.

The peak is the best of five products of 2,048 x 2,048 matrices by torch in the precision that the network runs in. The
work of a network is counted by `torch.utils.flop_counter` (products and convolutions; a multiplication and an addition
are two). Beside it stands the share of the time that each kind of operation takes, and what a plain copy moves a
second: what is no product and no convolution is bound by that.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from napari_brainseg.base.allocation import reusing_memory
from napari_brainseg.base.paths import shipped_models
from napari_brainseg.inference.devices import autocast_for, fast_dtype
from napari_brainseg.model_store.model import Model, load_model
from napari_brainseg.model_store.store import list_models

_ARITHMETIC = ("conv", "linear", "addmm", "mm", "bmm", "matmul", "attention")
_SIZES = {"kaggle": (8, 256, 256), "brats": (8, 176, 144)}  # slices at once: a Kaggle tif, and a brain's box
_KINDS = {
    "convolution and linear": _ARITHMETIC,
    "normalisation": ("norm",),
    "resampling": ("upsample", "interpolate", "pool"),
    "activation": ("relu", "gelu", "sigmoid", "prelu"),
}


def best_of(task: Callable[[], object], repeats: int = 7) -> float:
    """Return the seconds of the quickest of some runs, after two that do not count."""
    seconds = []
    for number in range(repeats + 2):
        start = time.perf_counter()
        task()
        if number >= 2:
            seconds.append(time.perf_counter() - start)
    return min(seconds)


def matrix_peak(dtype: torch.dtype, size: int = 2048) -> float:
    """Return products of matrices in FLOP/s."""
    first, second = (torch.randn(size, size).to(dtype) for _ in range(2))
    return 2 * size**3 / best_of(lambda: first @ second)


def copy_rate(megabytes: int = 256) -> float:
    """Return the bytes a second that a copy of tensors larger than the cache reads and writes."""
    source = torch.zeros(megabytes * 2**18)
    target = torch.empty_like(source)
    return 2 * source.nbytes / best_of(lambda: target.copy_(source))


def _images(model: Model) -> torch.Tensor:
    record = model.record
    channels = len(record.channels) * (1 + 2 * record.preprocessing.neighbours)
    if record.spatial_dims == 3:
        return torch.randn(1, channels, 128, 160, 128).to(memory_format=torch.channels_last_3d)
    batch, height, width = _SIZES["brats" if "t1ce" in record.channels else "kaggle"]
    return torch.randn(batch, channels, height, width).to(memory_format=torch.channels_last)


def _by_kind(task: Callable[[], object]) -> dict[str, float]:
    """Return the share of the CPU's time that each kind of operation takes."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        task()
    shares: dict[str, float] = defaultdict(float)
    for event in seen.key_averages():
        name = event.key.removeprefix("aten::")
        kind = next((k for k, words in _KINDS.items() if any(w in name for w in words)), "copies and the rest")
        shares[kind] += event.self_cpu_time_total
    total = sum(shares.values())
    return {kind: value / total for kind, value in sorted(shares.items(), key=lambda pair: -pair[1])}


@torch.inference_mode()
def _measure(model: Model, peak: float) -> None:
    images = _images(model)
    network = model.network.to(memory_format=torch.channels_last if images.ndim == 4 else torch.channels_last_3d)

    def forward() -> object:
        with autocast_for(torch.device("cpu")):
            return network(images)

    with FlopCounterMode(display=False) as counted:
        forward()
    with reusing_memory():
        seconds = best_of(forward)
        shares = _by_kind(forward)
    work = counted.get_total_flops()
    told = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in shares.items())
    print(
        f"{model.record.name}: {work / len(images) / 1e9:.2f} GFLOP an image of {tuple(images.shape[1:])}, "
        f"{1000 * seconds / len(images):.2f} ms, {work / seconds / 1e9:.0f} GFLOP/s, "
        f"{100 * work / seconds / peak:.0f} % of the peak; time: {told}",
        flush=True,
    )


def run() -> None:
    """Print the machine's peaks and a line for each network."""
    half = fast_dtype(torch.device("cpu"))
    peaks = {dtype: matrix_peak(dtype) for dtype in (torch.float32, half) if dtype is not None}
    for dtype, peak in peaks.items():
        print(f"matrix peak, {dtype}: {peak / 1e9:.0f} GFLOP/s")
    print(f"copy: {copy_rate() / 1e9:.1f} GB/s read and written")
    models = [
        load_model(record) for record in list_models() if record.folder and record.folder.parent == shipped_models()
    ]
    other = os.environ.get("BRAINSEG_SEGRESNET")
    for model in [*models, *([load_model(other)] if other else [])]:
        _measure(model, peaks[half or torch.float32])
