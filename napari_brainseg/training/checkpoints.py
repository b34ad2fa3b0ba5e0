"""What changes while a run goes on, kept on disk after each epoch, so that a killed run loses nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.paths import written_aside
from napari_brainseg.training.schedules import Schedule


@dataclass
class RunState:
    """Weights, optimizer, schedule, and how far the run is.

    Chance needs no state: whatever an epoch draws follows from the seed and its number.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    average: AveragedModel | None = None
    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    best_scores: dict[str, Any] = field(default_factory=dict)

    @property
    def judged(self) -> nn.Module:
        """The network whose weights are validated: the average where there is one."""
        return self.average.module if self.average is not None else self.network

    def keep_best(self, score: float, scores: dict[str, Any]) -> None:
        """Keep the judged weights as the best so far."""
        self.best, self.best_epoch, self.best_scores = score, self.epoch, scores
        self.best_weights = {k: v.detach().cpu().clone() for k, v in self.judged.state_dict().items()}

    def save(self, path: Path, fingerprint: str) -> None:
        """Write the checkpoint aside and rename it; raise `OutputError`, the old one kept, when that fails."""
        state = {
            "fingerprint": fingerprint,
            "network": self.network.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.scheduler.state_dict(),
            "epoch": self.epoch,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
            "best_scores": self.best_scores,
        }
        with written_aside(path, overwrite=True) as aside:
            try:
                torch.save(state, aside)
            except RuntimeError as error:  # what torch's writer makes of a full disk
                raise OSError(str(error).splitlines()[0]) from error

    def resume(self, path: Path, fingerprint: str) -> None:
        """Go on from a checkpoint.

        Raises:
            TrainingError: It is damaged, or belongs to other settings.
        """
        try:
            state = torch.load(path, weights_only=True, map_location="cpu")
        except (OSError, RuntimeError, UnpicklingError, EOFError) as error:
            raise TrainingError(f"{path} is damaged. Remove it, or choose another 'out'.") from error
        if state.get("fingerprint") != fingerprint:
            raise TrainingError(f"{path} belongs to other settings. Choose another 'out', or delete that folder.")
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.scheduler.load_state_dict(state["schedule"])
        self.epoch, self.best, self.best_epoch = state["epoch"], state["best"], state["best_epoch"]
        self.best_weights, self.best_scores = state["best_weights"], state["best_scores"]


def moving_average(network: nn.Module, decay: float) -> AveragedModel | None:
    """Return the exponential moving average of a network's weights and buffers, or None for a decay of 0."""
    if not decay:
        return None
    averaging = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
