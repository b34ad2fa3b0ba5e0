"""Gradients of a network and use of the machine, as numbers by name."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress

import psutil
import torch
from torch import Tensor, nn


def _gradients(network: nn.Module) -> dict[str, list[Tensor]]:
    """Return the gradients of each block of the network by its name; with `fsdp` this process's part of them."""
    blocks: dict[str, list[Tensor]] = defaultdict(list)
    for name, weight in network.named_parameters():
        if weight.grad is not None:
            gradient = getattr(weight.grad, "to_local", lambda grad=weight.grad: grad)()
            blocks[name.partition(".")[0]].append(gradient.detach().float().flatten())
    return blocks


def gradient_norms(network: nn.Module) -> dict[str, float]:
    """Return the Euclidean norm of the last gradient: `total`, and of each block."""
    norms = {name: float(torch.cat(parts).norm()) for name, parts in _gradients(network).items()}
    return {"total": sum(n * n for n in norms.values()) ** 0.5, **norms}


def gradient_histograms(network: nn.Module) -> dict[str, Tensor]:
    """Return the last gradient of each block as one flat tensor on the CPU, to be drawn as a histogram."""
    return {f"gradient/{name}": torch.cat(parts).cpu() for name, parts in _gradients(network).items()}


def system_usage() -> dict[str, float]:
    """Return CPU use in percent, this process's memory in GB and, with CUDA, the GPU's memory and use."""
    usage = {"cpu_percent": psutil.cpu_percent(), "memory_gb": psutil.Process().memory_info().rss / 1e9}
    if torch.cuda.is_available():
        usage["gpu_memory_gb"] = torch.cuda.max_memory_allocated() / 1e9
        with suppress(ModuleNotFoundError, RuntimeError):  # without NVIDIA's library of measurements
            usage["gpu_percent"] = float(torch.cuda.utilization())
    return usage
