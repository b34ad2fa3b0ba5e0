"""Run a model on a case: `segment` is the one entrance."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_brainseg.base.errors import InputError, ModelError
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.inference.decoding import probability_names, to_labels, to_probabilities
from napari_brainseg.inference.devices import autocast_for, resolve_device
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.inference.windows import Window, blend_weights, plan_windows
from napari_brainseg.model_store.model import Model, load_model
from napari_brainseg.model_store.preprocessing import prepare, stacked
from napari_brainseg.model_store.store import ModelRecord, default_model_for, list_models

_SLICES_PER_BATCH = 8

Run = Generator[Progress, None, Segmentation]


@dataclass(frozen=True, eq=False)
class _Job:
    """One run: the model on its device and the prepared images (C, z, y, x) of the box."""

    model: Model
    network: nn.Module
    device: torch.device
    images: np.ndarray[Any, np.dtype[np.float32]]
    token: CancelToken


def segment(
    case: Case,
    model: Model | ModelRecord | str | Path | None = None,
    settings: SegmentSettings | None = None,
    token: CancelToken | None = None,
) -> Run:
    """Segment a case; a generator that yields `Progress` and returns the `Segmentation`.

    Args:
        case: The case; channels of the model that it lacks are given as zeros.
        model: A model, its record, name or folder; by default the one made for such cases.
        settings: Device, slices and whether to keep the probabilities.
        token: Cancelling it stops the computation at the network's next layer.

    Raises:
        InputError: The case has none of the model's channels, or there is no such device.
        ModelError: There is no such model, or its computation failed.
        Cancelled: The token was cancelled.
    """
    settings, token = settings or SegmentSettings(), token or CancelToken()
    start = time.perf_counter()
    yield Progress(0, 0, "loading the model")
    loaded = model if isinstance(model, Model) else load_model(_chosen(case, model))
    device = resolve_device(settings.device)
    record = loaded.record
    read = time.perf_counter()
    yield Progress(0, 0, "preparing the images")
    token.raise_if_cancelled()
    images, box = prepare(case, record.channels, record.preprocessing)
    prepared = time.perf_counter()
    job = _Job(loaded, loaded.network.to(device), device, images, token)
    wanted = _wanted(box[0], settings.slices, case.geometry.shape[0])
    labels, probabilities = yield from (_slices(job, wanted) if record.spatial_dims == 2 else _windows(job, wanted))
    inferred = time.perf_counter()
    whole = np.zeros(case.geometry.shape, np.uint8)
    whole[box] = labels
    maps = None
    if settings.probabilities:
        maps = np.zeros((len(probabilities), *case.geometry.shape), np.float16)
        maps[(slice(None), *box)] = probabilities
    return Segmentation.for_case(
        case,
        whole,
        record.scheme,
        probabilities=maps,
        probability_names=probability_names(record.outputs) if settings.probabilities else (),
        model=f"{record.name} {record.version}",
        seconds={"model": read - start, "prepare": prepared - read, "network": inferred - prepared},
    )


def _chosen(case: Case, model: ModelRecord | str | Path | None) -> ModelRecord | str | Path:
    if model is not None:
        return model
    record = default_model_for(case, list_models())
    if record is None:
        raise ModelError(f"No model takes the channels of {case.id} ({', '.join(case.expected)}). Choose a model.")
    return record


def _wanted(box: slice, slices: tuple[int, int] | None, depth: int) -> range:
    """Return the slices to predict, counted within the box."""
    first, last = slices or (0, depth)
    if not 0 <= first < last <= depth:
        raise InputError(f"Slices {first} to {last - 1} are not within the case, which has 0 to {depth - 1}.")
    return range(max(first, box.start) - box.start, max(0, min(last, box.stop) - box.start))


def _slices(job: _Job, wanted: range) -> Generator[Progress, None, tuple[Any, Any]]:
    """Run a 2-D network over slices; return labels (z, y, x) and probabilities (R, z, y, x) of the box."""
    record, shape = job.model.record, job.images.shape[1:]
    labels = np.zeros(shape, np.uint8)
    probabilities = np.zeros((len(probability_names(record.outputs)), *shape), np.float16)
    # A slice of nothing holds no tumour: the network is not asked.
    seen = [z for z in wanted if job.images[:, z].any()]
    for start in range(0, len(seen), _SLICES_PER_BATCH):
        yield Progress(start, len(seen), f"slices {start} of {len(seen)}")
        chosen = seen[start : start + _SLICES_PER_BATCH]
        maps = _predict(job, torch.from_numpy(stacked(job.images, chosen, record.preprocessing.neighbours)))
        labels[chosen] = to_labels(maps, record.outputs, record.scheme).cpu().numpy()
        probabilities[:, chosen] = maps.half().cpu().numpy().swapaxes(0, 1)
    yield Progress(len(seen), len(seen), f"slices {len(seen)} of {len(seen)}")
    return labels, probabilities


def _windows(job: _Job, wanted: range) -> Generator[Progress, None, tuple[Any, Any]]:
    """Run a 3-D network over overlapping windows, blended; only windows that meet the wanted slices are computed."""
    record, shape = job.model.record, job.images.shape[1:]
    if record.window is None:
        raise ModelError(f"The model {record.name} is 3-D but names no window. Install it again.")
    total = torch.zeros((len(probability_names(record.outputs)), *shape))
    weight = torch.zeros(shape)
    windows = [w for w in plan_windows(shape, record.window) if w[0].start < wanted.stop and w[0].stop > wanted.start]
    for done, window in enumerate(windows):
        yield Progress(done, len(windows), f"windows {done} of {len(windows)}")
        maps = _predict(job, torch.from_numpy(_content(job, window, record.window))[None]).cpu()[0]
        extent = tuple(slice(0, s.stop - s.start) for s in window)
        blend = blend_weights(record.window)[extent]
        total[(slice(None), *window)] += maps[(slice(None), *extent)] * blend
        weight[window] += blend
    yield Progress(len(windows), len(windows), f"windows {len(windows)} of {len(windows)}")
    probabilities = total / weight.clamp(min=1e-6)
    labels = np.zeros(shape, np.uint8)
    inside = slice(wanted.start, wanted.stop)
    labels[inside] = to_labels(probabilities[None], record.outputs, record.scheme)[0].numpy()[inside]
    return labels, probabilities.numpy()


def _content(job: _Job, window: Window, size: tuple[int, int, int]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the images of a window, zero-padded where the case is smaller than the window."""
    content = job.images[(slice(None), *window)]
    missing = [(0, target - have) for target, have in zip(size, content.shape[1:], strict=True)]
    return np.pad(content, [(0, 0), *missing]) if any(after for _, after in missing) else content.copy()


def _predict(job: _Job, images: Tensor) -> Tensor:
    """Return probabilities (N, R, *spatial), fp32 on the device, for images (N, C, *spatial) on the CPU."""
    # inference_mode must not be held across a yield: it would leak to the caller.
    with torch.inference_mode(), autocast_for(job.device), _stopping(job):
        if images.ndim == 4:
            images = images.to(job.device, memory_format=torch.channels_last)
        return to_probabilities(job.network(images.to(job.device)), job.model.record.outputs)


@contextmanager
def _stopping(job: _Job) -> Generator[None, None, None]:
    """Stop at the next layer when the run is cancelled; turn torch's errors into ours."""

    # A cancelled run may still be at its last layer when the next one starts on the same warm network.
    mine = get_ident()

    def check(*_: object) -> None:
        if get_ident() == mine:
            job.token.raise_if_cancelled()

    hooks = [m.register_forward_pre_hook(check) for m in job.network.modules() if not list(m.children())]
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelError(f"{job.device} has too little memory for this model. Choose the CPU as device.") from error
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"The model {job.model.record.name} failed: {first}. Choose another model.") from error
    finally:
        for hook in hooks:
            hook.remove()
