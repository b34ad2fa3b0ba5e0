"""What changes while a run goes on, kept on disk after each epoch, so that a killed run loses nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from shutil import disk_usage, rmtree
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.paths import written_aside
from napari_brainseg.training.schedules import Schedule

_KEPT = {
    *("fingerprint", "network", "average", "optimizer", "schedule"),
    *("epoch", "best", "best_epoch", "best_weights", "best_scores"),
}
_LITTLE = 2**20  # bytes
_WHOLE = StateDictOptions(full_state_dict=True)


@dataclass
class RunState:
    """Weights, optimizer, schedule, and how far the run is.

    Chance needs no state: whatever an epoch draws follows from the seed and its number. Weights that several processes
    share out between them are put together whenever they are asked for, which all processes must do together.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    average: AveragedModel | None = None
    epoch: int = 0
    best: float = -math.inf
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    best_scores: dict[str, Any] = field(default_factory=dict)

    def judged_weights(self) -> dict[str, Tensor]:
        """Return the weights that are validated, whole: those of the average where there is one."""
        return weights_of(self.average.module if self.average is not None else self.network)

    def keep_best(self, score: float, scores: dict[str, Any]) -> None:
        """Keep the judged weights as the best so far."""
        self.best, self.best_epoch, self.best_scores = score, self.epoch, scores
        self.best_weights = {k: v.detach().cpu().clone() for k, v in self.judged_weights().items()}

    def snapshot(self, fingerprint: str) -> dict[str, Any]:
        """Return all of the state, as `write` keeps it."""
        return {
            "fingerprint": fingerprint,
            "network": weights_of(self.network),
            "average": self.average.state_dict() if self.average is not None else None,
            "optimizer": get_optimizer_state_dict(self.network, self.optimizer, options=_WHOLE),
            "schedule": self.schedule.scheduler.state_dict(),
            "epoch": self.epoch,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
            "best_scores": self.best_scores,
        }

    def resume(self, kept: Mapping[str, Any]) -> None:
        """Go on from what `read_checkpoint` returned."""
        set_model_state_dict(self.network, kept["network"], options=_WHOLE)
        if self.average is not None:
            self.average.load_state_dict(kept["average"])
        set_optimizer_state_dict(self.network, self.optimizer, kept["optimizer"], options=_WHOLE)
        self.schedule.scheduler.load_state_dict(kept["schedule"])
        self.epoch, self.best, self.best_epoch = kept["epoch"], kept["best"], kept["best_epoch"]
        self.best_weights, self.best_scores = kept["best_weights"], kept["best_scores"]


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Return all weights and buffers of a network, whole also where processes share them out."""
    return get_model_state_dict(network, options=_WHOLE)  # type: ignore[return-value]


def write_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write a snapshot aside and rename it; raise `OutputError`, the old one kept, when that fails."""
    with written_aside(path, overwrite=True) as aside:
        try:
            torch.save(state, aside)
        except RuntimeError as error:  # what torch's writer makes of a full disk
            full = disk_usage(path.parent).free < _LITTLE
            raise OSError("the disk is full" if full else str(error).splitlines()[0]) from error


def remove_leftovers(out: Path) -> None:
    """Remove what a killed run was just writing aside: else every kill would leave a checkpoint's worth of disk."""
    for path in [*out.glob(".writing-*"), *(out / "pictures").glob(".writing-*")]:
        if path.is_dir():
            rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def read_checkpoint(path: Path, fingerprint: str, changes: str = "") -> dict[str, Any]:
    """Return what `write_checkpoint` wrote.

    Args:
        path: The file.
        fingerprint: That of this run.
        changes: What is known to be other in this run, for the error.

    Raises:
        TrainingError: It is damaged, or belongs to other settings.
    """
    try:
        with ZipFile(path) as file:
            damaged = file.testzip() is not None  # torch does not look at the checksums
        state = None if damaged else torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, BadZipFile, RuntimeError, UnpicklingError, EOFError, LookupError, ValueError) as error:
        raise TrainingError(f"{path} is damaged. Remove it, or choose another 'out'.") from error
    if not isinstance(state, dict) or not state.keys() >= _KEPT:
        raise TrainingError(f"{path} is damaged. Remove it, or choose another 'out'.")
    if state["fingerprint"] != fingerprint:
        what = f" ({changes})" if changes else ""
        raise TrainingError(f"{path} belongs to other settings{what}. Choose another 'out', or delete that folder.")
    return state


def moving_average(network: nn.Module, decay: float) -> AveragedModel | None:
    """Return the exponential moving average of a network's weights and buffers, or None for a decay of 0."""
    if not decay:
        return None
    averaging = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
