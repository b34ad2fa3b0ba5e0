"""Optimizers and schedules by name: their first steps and rates by hand, and a stop that changes nothing."""

from __future__ import annotations

import io
import math

import pytest
import torch
from torch import nn

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.training.schedules import OPTIMIZERS, SCHEDULES, Schedule, create_optimizer, create_schedule


class Run:
    """A run of 1 weight whose validation score never improves."""

    def __init__(
        self, name: str, steps: int = 8, epochs: int = 4, optimizer: str = "sgd", rate: float = 1.0, **options: object
    ) -> None:
        self.optimizer = create_optimizer(optimizer, [nn.Parameter(torch.ones(1))], rate, 0.0)
        self.schedule: Schedule = create_schedule(name, self.optimizer, steps, epochs, rate, **options)
        self.per_epoch = steps // epochs

    def rates(self, first: int, last: int) -> list[float]:
        """Make the steps from `first` to before `last`; return the rate of each."""
        seen = []
        for step in range(first, last):
            seen.append(self.schedule.rate)
            self.optimizer.step()
            self.schedule.after_step()
            if (step + 1) % self.per_epoch == 0:
                self.schedule.after_epoch(0.5)
        return seen


def rates(name: str, steps: int = 8, epochs: int = 4, **options: object) -> list[float]:
    return Run(name, steps, epochs, **options).rates(0, steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_optimizer_lowers_a_parabola(name: str) -> None:
    weight = nn.Parameter(torch.tensor([3.0]))
    optimizer = create_optimizer(name, [weight], 0.1, 0.01)
    for _ in range(20):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
    assert weight.item() < 3.0


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        # The gradient is 4, the rate 0.1 and the weight 2; epsilons are next to nothing.
        ("sgd", {}, 2 - 0.1 * 4),
        ("sgd", {"momentum": 0.9, "nesterov": True}, 2 - 0.1 * (4 + 0.9 * 4)),
        ("adam", {}, 2 - 0.1),
        ("adamw", {}, 2 - 0.1),
        ("adamax", {}, 2 - 0.1),
        ("adagrad", {}, 2 - 0.1),
        ("rmsprop", {"alpha": 0.75}, 2 - 0.1 / math.sqrt(0.25)),
        ("adadelta", {"rho": 0.75, "eps": 1e-6}, 2 - 0.1 * 4 * math.sqrt(1e-6 / (0.25 * 16 + 1e-6))),
    ],
)
def test_first_steps_by_hand(name: str, options: dict[str, float], expected: float) -> None:
    weight = nn.Parameter(torch.tensor([2.0]))
    optimizer = create_optimizer(name, [weight], 0.1, 0.0, **options)
    weight.grad = torch.tensor([4.0])
    optimizer.step()
    assert weight.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_weight_decay_reaches_every_optimizer(name: str) -> None:
    weight = nn.Parameter(torch.tensor([2.0]))
    optimizer = create_optimizer(name, [weight], 0.1, 0.5)
    weight.grad = torch.zeros(1)
    optimizer.step()
    assert weight.item() < 2
    if name == "adamw":  # decoupled: by rate times decay
        assert weight.item() == pytest.approx(2 * (1 - 0.1 * 0.5))


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("name", list(SCHEDULES))
def test_every_schedule_goes_with_every_optimizer(name: str, optimizer: str) -> None:
    seen = rates(name, optimizer=optimizer)
    assert all(math.isfinite(rate) and 0 <= rate <= 1.0 + 1e-9 for rate in seen)


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_the_shortest_run_begins_at_a_rate_that_learns(name: str) -> None:
    assert rates(name, 1, 1)[0] >= 0.04  # the one cycle begins at a 25th, and nothing lower


def test_rates_by_epoch_follow_their_formulas() -> None:
    assert rates("none") == [1.0] * 8
    assert rates("step", step_size=2, gamma=0.1) == pytest.approx([1.0] * 4 + [0.1] * 4)
    assert rates("step", 12, 12) == pytest.approx([1.0] * 4 + [0.1] * 4 + [0.01] * 4)
    assert rates("multistep", milestones=[1, 3], gamma=0.5) == pytest.approx([1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25])
    assert rates("multistep") == pytest.approx([1.0] * 4 + [0.1] * 2 + [0.01] * 2)
    assert rates("plateau", patience=1, factor=0.1) == pytest.approx([1.0] * 6 + [0.1] * 2)


def test_a_plateau_ends_where_the_score_rises() -> None:
    run, seen = Run("plateau", patience=1, factor=0.5), []
    for score in (0.1, 0.1, 0.2, 0.2, 0.2, 0.3, 0.3, 0.3):
        seen.append(run.schedule.rate)
        run.schedule.after_epoch(score)
    assert seen == [1.0] * 5 + [0.5] * 3
    assert run.schedule.rate == 0.25


def test_cosine_falls_to_its_least_after_a_linear_rise() -> None:
    assert rates("cosine", least=0.2) == pytest.approx([0.2 + 0.4 * (1 + math.cos(math.pi * i / 8)) for i in range(8)])
    warm = rates("cosine", warm_up=0.25, rate=2.0)
    assert warm == pytest.approx([2 / 3, 4 / 3, *(1 + math.cos(math.pi * i / 6) for i in range(6))])
    run = Run("cosine", least=0.2)
    run.rates(0, 20)  # past the end it stays there
    assert run.schedule.rate == pytest.approx(0.2)


def test_poly_falls_to_nothing() -> None:
    assert rates("poly", power=2.0) == pytest.approx([(1 - i / 8) ** 2 for i in range(8)])
    assert rates("poly", rate=3.0) == pytest.approx([3 * (1 - i / 8) ** 0.9 for i in range(8)])


def test_cyclic_goes_up_and_down_between_its_rates() -> None:
    assert rates("cyclic", base_lr=0.2, step_size_up=2) == pytest.approx([0.2, 0.6, 1.0, 0.6] * 2)
    assert rates("cyclic", 32, 4)[:9] == pytest.approx([0.1 + 0.9 * i / 4 for i in (0, 1, 2, 3, 4, 3, 2, 1, 0)])


def test_one_cycle_rises_from_a_25th_and_ends_at_next_to_nothing() -> None:
    run = Run("one_cycle", 40, 4, pct_start=0.25)
    seen = run.rates(0, 40)
    assert seen[0] == pytest.approx(1 / 25)
    top = 0.25 * 41 - 1  # torch counts from the first step
    expected = [1 + (1 / 25 - 1) * (1 + math.cos(math.pi * i / top)) / 2 for i in range(10)]
    assert seen[:10] == pytest.approx(expected)
    assert run.schedule.rate == pytest.approx(1 / 25 / 1e4)


@pytest.mark.parametrize(
    ("optimizer", "options", "moves"),
    [("sgd", {}, False), ("rmsprop", {}, False), ("sgd", {"momentum": 0.9}, True), ("adam", {}, True)],
)
def test_one_cycle_moves_the_momentum_of_those_that_have_one(
    optimizer: str, options: dict[str, float], moves: bool
) -> None:
    made = create_optimizer(optimizer, [nn.Parameter(torch.ones(1))], 0.1, 0.0, **options)
    before = made.param_groups[0].get("momentum", made.param_groups[0].get("betas"))
    create_schedule("one_cycle", made, 8, 4, 0.1)
    after = made.param_groups[0].get("momentum", made.param_groups[0].get("betas"))
    assert (after != before) == moves


@pytest.mark.parametrize("name", list(SCHEDULES))
@pytest.mark.parametrize("stop", [2, 6])
def test_a_run_that_was_stopped_has_the_rates_of_one_that_was_not(name: str, stop: int) -> None:
    whole = Run(name, 12, 6, "adam")
    expected = whole.rates(0, 12)
    first = Run(name, 12, 6, "adam")
    assert first.rates(0, stop) == expected[:stop]
    kept = io.BytesIO()
    torch.save((first.schedule.scheduler.state_dict(), first.optimizer.state_dict()), kept)
    second = Run(name, 12, 6, "adam")
    kept.seek(0)
    schedule, optimizer = torch.load(kept, weights_only=True)
    second.optimizer.load_state_dict(optimizer)
    second.schedule.scheduler.load_state_dict(schedule)
    assert second.rates(stop, 12) == pytest.approx(expected[stop:])
    assert second.optimizer.param_groups[0]["betas"] == pytest.approx(whole.optimizer.param_groups[0]["betas"])


def test_wrong_names_and_options_of_optimizers_are_told() -> None:
    weights = [nn.Parameter(torch.ones(1))]
    with pytest.raises(TrainingError, match="Did you mean 'adamw'"):
        create_optimizer("adamww", weights, 0.1, 0.0)
    with pytest.raises(TrainingError, match="'adam' has no option 'nesterov'; it takes betas, eps, amsgrad"):
        create_optimizer("adam", weights, 0.1, 0.0, nesterov=True)
    with pytest.raises(TrainingError, match="'sgd' cannot be made with these options: Nesterov momentum requires"):
        create_optimizer("sgd", weights, 0.1, 0.0, nesterov=True)
    with pytest.raises(TrainingError, match="'sgd' cannot be made with these options"):
        create_optimizer("sgd", weights, 0.1, 0.0, momentum="much")


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("cosin", {}, "Did you mean 'cosine'"),
        ("none", {"gamma": 1}, r"'none' has no option 'gamma'; it takes none\."),
        ("step", {"gama": 0.1}, r"'step' has no option 'gama'; it takes step_size, gamma\."),
        ("plateau", {"mode": "min"}, "'plateau' has no option 'mode'"),
        ("plateau", {"factor": 2.0}, "cannot be made with these options: Factor should be < 1"),
        ("cosine", {"warm_up": 2}, "warm_up is 2; it is a share of the run, from 0 to 1"),
        ("cosine", {"least": 0.5}, r"least is 0\.5; it is a rate, from 0 to the highest one \(0\.1\)"),
        ("cosine", {"least": "low"}, "cannot be made with these options"),
        ("poly", {"power": -1}, "power is -1; it must be 0 or more"),
        ("one_cycle", {"pct_start": 3.0}, "cannot be made with these options"),
    ],
)
def test_wrong_names_and_options_of_schedules_are_told(name: str, options: dict[str, object], told: str) -> None:
    optimizer = create_optimizer("sgd", [nn.Parameter(torch.ones(1))], 0.1, 0.0)
    with pytest.raises(TrainingError, match=told):
        create_schedule(name, optimizer, 8, 4, 0.1, **options)
