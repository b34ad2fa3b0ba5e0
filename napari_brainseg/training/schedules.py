"""Optimizers and learning-rate schedules by name; torch's own, but for the warm-up and the polynomial's end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from napari_brainseg.base.errors import TrainingError

OPTIMIZERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adagrad": torch.optim.Adagrad,
    "adamax": torch.optim.Adamax,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
    "adadelta": torch.optim.Adadelta,
}


def create_optimizer(
    name: str, weights: Iterable[nn.Parameter], rate: float, weight_decay: float, **options: Any
) -> torch.optim.Optimizer:
    """Build an optimizer; `options` are torch's, such as `momentum` and `nesterov` of `sgd`.

    Raises:
        TrainingError: There is no such optimizer, or it does not take these options.
    """
    factory = _known(OPTIMIZERS, name, "optimizer")
    try:
        optimizer: torch.optim.Optimizer = factory(weights, lr=rate, weight_decay=weight_decay, **options)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"The optimizer {name!r} does not take these options: {error}.") from error
    return optimizer


@dataclass(frozen=True, eq=False)
class Schedule:
    """A schedule and when it moves on: after every step, or after every epoch (`plateau` with that epoch's score)."""

    scheduler: lr_scheduler.LRScheduler
    each_step: bool

    def after_step(self) -> None:
        """Tell that the optimizer made a step."""
        if self.each_step:
            self.scheduler.step()

    def after_epoch(self, score: float) -> None:
        """Tell that an epoch ended with this validation score (higher is better)."""
        if isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(score)
        elif not self.each_step:
            self.scheduler.step()

    @property
    def rate(self) -> float:
        """The learning rate now."""
        return float(self.scheduler.optimizer.param_groups[0]["lr"])


def _constant(optimizer: torch.optim.Optimizer, steps: int, epochs: int, rate: float) -> lr_scheduler.LRScheduler:
    return lr_scheduler.ConstantLR(optimizer, factor=1.0)


def _step(optimizer: torch.optim.Optimizer, steps: int, epochs: int, rate: float, **options: Any) -> Any:
    return lr_scheduler.StepLR(optimizer, **{"step_size": max(1, epochs // 3), **options})


def _multistep(optimizer: torch.optim.Optimizer, steps: int, epochs: int, rate: float, **options: Any) -> Any:
    return lr_scheduler.MultiStepLR(optimizer, **{"milestones": [epochs // 2, epochs * 3 // 4], **options})


def _plateau(optimizer: torch.optim.Optimizer, steps: int, epochs: int, rate: float, **options: Any) -> Any:
    return lr_scheduler.ReduceLROnPlateau(optimizer, **{"mode": "max", **options})


def _cosine(
    optimizer: torch.optim.Optimizer, steps: int, epochs: int, rate: float, *, least: float = 0.0, warm_up: float = 0.0
) -> lr_scheduler.LRScheduler:
    """Fall from `rate` to `least` along half a cosine (Loshchilov 2017), after a linear rise."""
    rise = round(warm_up * steps)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        done = min(1.0, (step - rise) / max(1, steps - rise))
        return least / rate + (1 - least / rate) * 0.5 * (1 + math.cos(math.pi * done))

    return lr_scheduler.LambdaLR(optimizer, factor)


def _poly(
    optimizer: torch.optim.Optimizer, steps: int, epochs: int, rate: float, *, power: float = 0.9
) -> lr_scheduler.LRScheduler:
    return lr_scheduler.LambdaLR(optimizer, lambda step: (1 - min(step, steps) / (steps + 1)) ** power)


def _cyclic(optimizer: torch.optim.Optimizer, steps: int, epochs: int, rate: float, **options: Any) -> Any:
    half = max(1, steps // 8)
    # torch would move the momentum too, which not every optimizer has.
    given = {"base_lr": rate / 10, "max_lr": rate, "step_size_up": half, "cycle_momentum": False, **options}
    return lr_scheduler.CyclicLR(optimizer, **given)


def _one_cycle(optimizer: torch.optim.Optimizer, steps: int, epochs: int, rate: float, **options: Any) -> Any:
    momentum = {"momentum", "betas"} & set(optimizer.defaults)
    given = {"total_steps": steps + 1, "cycle_momentum": bool(momentum), **options}
    return lr_scheduler.OneCycleLR(optimizer, max_lr=rate, **given)


# name -> (factory, whether it moves on after every step)
SCHEDULES: Mapping[str, tuple[Callable[..., Any], bool]] = {
    "none": (_constant, False),
    "step": (_step, False),
    "multistep": (_multistep, False),
    "plateau": (_plateau, False),
    "cosine": (_cosine, True),
    "cyclic": (_cyclic, True),
    "one_cycle": (_one_cycle, True),
    "poly": (_poly, True),
}


def create_schedule(
    name: str, optimizer: torch.optim.Optimizer, steps: int, epochs: int, rate: float, **options: Any
) -> Schedule:
    """Build a schedule for a run of `steps` optimizer steps in `epochs` epochs whose highest rate is `rate`.

    Options: `step` step_size (epochs, a third of the run), gamma; `multistep` milestones (epochs), gamma; `plateau`
    patience (epochs), factor; `cosine` least (rate), warm_up (share of the run); `poly` power; `cyclic` and `one_cycle`
    torch's own.

    Raises:
        TrainingError: There is no such schedule, or it does not take these options.
    """
    factory, each_step = _known(SCHEDULES, name, "schedule")
    try:
        return Schedule(factory(optimizer, steps, epochs, rate, **options), each_step)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"The schedule {name!r} does not take these options: {error}.") from error


def _known(registry: Mapping[str, Any], name: str, kind: str) -> Any:
    if name not in registry:
        near = get_close_matches(name, registry, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise TrainingError(f"There is no {kind} {name!r}.{hint} There are {', '.join(registry)}.")
    return registry[name]
