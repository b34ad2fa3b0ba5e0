"""Optimizers and learning-rate schedules by name; torch's own, but for the warm-up and the polynomial's end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import signature
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
    _check_options(list(signature(factory).parameters)[2:], options, f"The optimizer {name!r}", "weight_decay")
    try:
        optimizer: torch.optim.Optimizer = factory(weights, lr=rate, weight_decay=weight_decay, **options)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"The optimizer {name!r} cannot be made with these options: {error}.") from error
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


@dataclass(frozen=True)
class _Run:
    """Optimizer steps and epochs of a run, 1 or more, and its highest rate."""

    steps: int
    epochs: int
    rate: float


def _constant(optimizer: torch.optim.Optimizer, run: _Run) -> lr_scheduler.LRScheduler:
    return lr_scheduler.ConstantLR(optimizer, factor=1.0)


def _step(optimizer: torch.optim.Optimizer, run: _Run, **options: Any) -> lr_scheduler.LRScheduler:
    return lr_scheduler.StepLR(optimizer, **{"step_size": max(1, run.epochs // 3), **options})


def _multistep(optimizer: torch.optim.Optimizer, run: _Run, **options: Any) -> lr_scheduler.LRScheduler:
    # torch would lower the rate before the first epoch for a milestone of 0, and twice for one that comes twice.
    milestones = sorted({max(1, run.epochs // 2), max(1, run.epochs * 3 // 4)})
    return lr_scheduler.MultiStepLR(optimizer, **{"milestones": milestones, **options})


def _plateau(optimizer: torch.optim.Optimizer, run: _Run, **options: Any) -> lr_scheduler.LRScheduler:
    return lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", **options)


def _cosine(
    optimizer: torch.optim.Optimizer, run: _Run, *, least: float = 0.0, warm_up: float = 0.0
) -> lr_scheduler.LRScheduler:
    """Fall from the highest rate to `least` along half a cosine (Loshchilov 2017), after a linear rise."""
    if not 0 <= warm_up <= 1:
        raise ValueError(f"warm_up is {warm_up}; it is a share of the run, from 0 to 1")
    if not 0 <= least <= run.rate:
        raise ValueError(f"least is {least}; it is a rate, from 0 to the highest one ({run.rate:g})")
    rise = round(warm_up * run.steps)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        done = min(1.0, (step - rise) / max(1, run.steps - rise))
        return least / run.rate + (1 - least / run.rate) * 0.5 * (1 + math.cos(math.pi * done))

    return lr_scheduler.LambdaLR(optimizer, factor)


def _poly(optimizer: torch.optim.Optimizer, run: _Run, *, power: float = 0.9) -> lr_scheduler.LRScheduler:
    """Fall to 0 as (1 - step / steps)^power (Chen 2017, arXiv:1606.00915)."""
    if power < 0:
        raise ValueError(f"power is {power}; it must be 0 or more")
    return lr_scheduler.LambdaLR(optimizer, lambda step: (1 - min(step, run.steps) / run.steps) ** power)


def _cyclic(optimizer: torch.optim.Optimizer, run: _Run, **options: Any) -> lr_scheduler.LRScheduler:
    # torch would move the momentum too, which not every optimizer has.
    given = {"base_lr": run.rate / 10, "step_size_up": max(1, run.steps // 8), "cycle_momentum": False}
    return lr_scheduler.CyclicLR(optimizer, max_lr=run.rate, **{**given, **options})


def _one_cycle(optimizer: torch.optim.Optimizer, run: _Run, **options: Any) -> lr_scheduler.LRScheduler:
    # torch would give momentum to an optimizer that was asked to have none.
    moves = "betas" in optimizer.defaults or optimizer.defaults.get("momentum", 0) > 0
    given = {"total_steps": run.steps + 1, "cycle_momentum": moves}
    return lr_scheduler.OneCycleLR(optimizer, max_lr=run.rate, **{**given, **options})


_MOMENTA = ("cycle_momentum", "base_momentum", "max_momentum")

# name -> (factory, whether it moves on after every step, its options)
SCHEDULES: Mapping[str, tuple[Callable[..., lr_scheduler.LRScheduler], bool, tuple[str, ...]]] = {
    "none": (_constant, False, ()),
    "step": (_step, False, ("step_size", "gamma")),
    "multistep": (_multistep, False, ("milestones", "gamma")),
    "plateau": (_plateau, False, ("factor", "patience", "threshold", "threshold_mode", "cooldown", "min_lr")),
    "cosine": (_cosine, True, ("least", "warm_up")),
    "cyclic": (_cyclic, True, ("base_lr", "step_size_up", "step_size_down", "mode", "gamma", *_MOMENTA)),
    "one_cycle": (
        _one_cycle,
        True,
        ("pct_start", "anneal_strategy", "div_factor", "final_div_factor", "three_phase", *_MOMENTA),
    ),
    "poly": (_poly, True, ("power",)),
}


def create_schedule(
    name: str, optimizer: torch.optim.Optimizer, steps: int, epochs: int, rate: float, **options: Any
) -> Schedule:
    """Build a schedule for a run of `steps` optimizer steps in `epochs` epochs whose highest rate is `rate`.

    Options: `step` step_size (epochs, a third of the run), gamma; `multistep` milestones (epochs, a half and three
    quarters of the run), gamma; `plateau` patience (epochs), factor; `cosine` least (rate), warm_up (share of the run);
    `poly` power; `cyclic` and `one_cycle` torch's own, four cycles and one by default.

    Raises:
        TrainingError: There is no such schedule, or it does not take these options.
    """
    factory, each_step, known = _known(SCHEDULES, name, "schedule")
    _check_options(known, options, f"The schedule {name!r}")
    try:
        return Schedule(factory(optimizer, _Run(max(1, steps), max(1, epochs), rate), **options), each_step)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"The schedule {name!r} cannot be made with these options: {error}.") from error


def _check_options(known: Sequence[str], options: Mapping[str, Any], owner: str, *own: str) -> None:
    """Raise `TrainingError` for an option that is not known, or that is a setting of its `own`."""
    for option in options:
        if option in own or option not in known:
            takes = ", ".join(k for k in known if k not in own) or "none"
            raise TrainingError(f"{owner} has no option {option!r}; it takes {takes}.")


def _known(registry: Mapping[str, Any], name: str, kind: str) -> Any:
    if name not in registry:
        near = get_close_matches(name, registry, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise TrainingError(f"There is no {kind} {name!r}.{hint} There are {', '.join(registry)}.")
    return registry[name]
