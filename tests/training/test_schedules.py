"""Optimizers and schedules by name."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.training.schedules import OPTIMIZERS, SCHEDULES, create_optimizer, create_schedule


def rates(name: str, steps: int = 8, epochs: int = 4, optimizer: str = "sgd", **options: object) -> list[float]:
    """Return the rate of every step of a run whose validation score never improves."""
    made = create_optimizer(optimizer, [nn.Parameter(torch.ones(1))], 1.0, 0.0)
    schedule = create_schedule(name, made, steps, epochs, 1.0, **options)
    seen = []
    for step in range(steps):
        seen.append(schedule.rate)
        made.step()
        schedule.after_step()
        if (step + 1) % (steps // epochs) == 0:
            schedule.after_epoch(0.5)
    return seen


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_optimizer_lowers_a_parabola(name: str) -> None:
    weight = nn.Parameter(torch.tensor([3.0]))
    optimizer = create_optimizer(name, [weight], 0.1, 0.01)
    for _ in range(20):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
    assert weight.item() < 3.0


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("name", list(SCHEDULES))
def test_every_schedule_goes_with_every_optimizer(name: str, optimizer: str) -> None:
    seen = rates(name, optimizer=optimizer)
    assert all(math.isfinite(rate) and 0 <= rate <= 1.0 + 1e-9 for rate in seen)


def test_schedules_follow_their_formulas() -> None:
    assert rates("none") == [1.0] * 8
    assert rates("step", step_size=2, gamma=0.1) == pytest.approx([1.0] * 4 + [0.1] * 4)
    assert rates("multistep", milestones=[1, 3], gamma=0.5) == pytest.approx([1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25])
    assert rates("plateau", patience=1, factor=0.1) == pytest.approx([1.0] * 6 + [0.1] * 2)
    assert rates("cosine", least=0.2) == pytest.approx([0.2 + 0.4 * (1 + math.cos(math.pi * i / 8)) for i in range(8)])
    assert rates("cosine", warm_up=0.25)[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert rates("poly", power=2.0) == pytest.approx([(1 - i / 9) ** 2 for i in range(8)])
    assert max(rates("one_cycle", steps=40)) == pytest.approx(1.0, rel=0.01)


def test_momentum_and_nesterov_reach_sgd() -> None:
    optimizer = create_optimizer("sgd", [nn.Parameter(torch.ones(1))], 0.1, 0.0, momentum=0.9, nesterov=True)
    assert (optimizer.defaults["momentum"], optimizer.defaults["nesterov"]) == (0.9, True)


def test_wrong_names_and_options_are_told() -> None:
    weights = [nn.Parameter(torch.ones(1))]
    with pytest.raises(TrainingError, match="Did you mean 'adamw'"):
        create_optimizer("adamww", weights, 0.1, 0.0)
    with pytest.raises(TrainingError, match="does not take these options"):
        create_optimizer("adam", weights, 0.1, 0.0, nesterov=True)
    with pytest.raises(TrainingError, match="Did you mean 'cosine'"):
        create_schedule("cosin", create_optimizer("sgd", weights, 0.1, 0.0), 8, 4, 1.0)
