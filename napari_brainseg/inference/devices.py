"""Which device computes, and in which precision it is fast."""

from __future__ import annotations

import os
import platform
from contextlib import AbstractContextManager, nullcontext

import torch

from napari_brainseg.base.errors import InputError


def available_devices() -> list[tuple[str, str]]:
    """Return (id, words) of every device here, `auto` first with what it means."""
    devices = [(f"cuda:{i}", torch.cuda.get_device_name(i)) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append(("mps", "Apple GPU"))
    cores = torch.get_num_threads()
    devices.append(("cpu", f"CPU, {cores} core{'s' if cores != 1 else ''}"))
    return [("auto", f"auto: {devices[0][1]}"), *devices]


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device for a name; `auto` is the first GPU, else the CPU.

    Raises:
        InputError: The machine has no such device.
    """
    if name == "auto":
        name = available_devices()[1][0]
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"There is no device {name!r}. Choose auto, cpu, cuda or mps.") from error
    present = {
        "cpu": True,
        "cuda": (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present.get(device.type, False):
        here = ", ".join(id for id, _ in available_devices())
        raise InputError(f"This machine has no device {name!r}. It has: {here}.")
    return device


def fast_dtype(device: torch.device) -> torch.dtype | None:
    """Return the half precision that the device computes in hardware, or None where fp32 is the fast choice."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    # A CPU without bf16 instructions emulates them and is slower than in fp32, so it is asked, never assumed.
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return None


def autocast_for(device: torch.device) -> AbstractContextManager[None]:
    """Return the autocast context that is fast on the device; a null context where that is fp32."""
    return autocast_in(device, None if os.environ.get("BRAINSEG_FP32") else fast_dtype(device))


def autocast_in(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[None]:
    """Return the autocast context of a half precision; a null context for None, fp32."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)


def name_of(device: torch.device) -> str:
    """Return which hardware a device is, for what is remembered of it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} {platform.node()} {device.type}"
