"""What has to be known of a model before a run is planned: memory for each voxel, stride, half precision."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import prod

import torch

from napari_brainseg.base.errors import ModelError
from napari_brainseg.inference.devices import fast_dtype
from napari_brainseg.inference.memory import peak_bytes, ran_out_of_memory
from napari_brainseg.inference.planning import CPU, Needs, Plan, tuple_of
from napari_brainseg.inference.predictor import Predictor
from napari_brainseg.inference.remembered import recall, remember

# Large enough that the weights do not count, small enough that nobody waits for it.
_PROBE = {2: 128, 3: 32}


def half_for(key: str, device: torch.device) -> tuple[torch.dtype | None, bool]:
    """Return the half precision of a run, None for fp32, and whether it is still to be seen if its labels agree."""
    dtype = None if os.environ.get("BRAINSEG_FP32") else fast_dtype(device)
    agrees = recall(key, "half") if dtype is not None else False
    return (None if agrees is False else dtype), dtype is not None and agrees is None


def needs_of(predictor: Predictor, key: str, device: torch.device, half: torch.dtype | None) -> Needs:
    """Return what the networks need, measured by a small run the first time.

    Args:
        predictor: Of the networks.
        key: Of the models on the device, for what is remembered.
        device: Where they compute.
        half: In which half precision, or None.

    Raises:
        ModelError: A 3-D model names no window.
    """
    records = [member.model.record for member in predictor.members]
    networks = [member.model.network for member in predictor.members]
    nameless = next((r for r in records if r.spatial_dims == 3 and r.window is None), None)
    if nameless is not None:
        raise ModelError(f"The model {nameless.name} is 3-D but names no window. Install it again.")
    fact = "bytes per voxel" + (" in half precision" if half else "")
    known = recall(key, fact)
    if not isinstance(known, (int, float)) or known <= 0:
        known = _measured(predictor, Plan(device, device, 1, half=half))
        remember(key, fact, known)
    windows = [r.window for r in records if r.window is not None]
    return Needs(
        window=tuple_of(max(axis) for axis in zip(*windows, strict=True)) if windows else None,
        bytes_per_voxel=float(known) * predictor.enlarged,
        maps=predictor.maps,
        stride=max(_stride(n) for n in networks),
        # Positions that were learned for one size are stretched for another, which is not as good.
        grows=not any("position" in name for n in networks for name, _ in n.named_parameters()),
    )


def _stride(network: torch.nn.Module) -> int:
    stride = getattr(network, "stride", 1)
    return max(stride) if isinstance(stride, Sequence) else int(stride)


def _measured(predictor: Predictor, plan: Plan) -> float:
    """Return the most bytes for each voxel of the network's input that a run on the middle of the images takes."""
    dims = predictor.members[0].model.record.spatial_dims
    middle: list[slice] = []
    for axis, size in enumerate(predictor.members[0].images.shape[1:]):
        length = 1 if dims == 2 and axis == 0 else min(size, _PROBE[dims])
        middle.append(slice((size - length) // 2, (size - length) // 2 + length))
    place = tuple_of(middle)
    try:
        predictor.move(plan)
        taken = peak_bytes(lambda: predictor.part(place, plan))
    except RuntimeError as error:
        if plan.device == CPU or not ran_out_of_memory(error):
            raise
        taken = 0
    # The tensors are as large on the CPU, which is asked where the device has not even that.
    if not taken:
        return _measured(predictor, Plan(CPU, CPU, 1))
    return float(taken / (predictor.enlarged * prod(s.stop - s.start for s in place)))
