"""Plans are pure arithmetic: what is free and what a network needs decide how a run is cut."""

from dataclasses import replace
from itertools import pairwise
from math import prod

import pytest
import torch

from napari_brainseg.base.errors import ModelError
from napari_brainseg.inference.planning import CPU, Limits, Needs, Plan, fitted_window, make_plan, smaller
from napari_brainseg.inference.windows import plan_windows

BRAIN = (146, 169, 147)
NEEDS = Needs(window=(96, 96, 96), bytes_per_voxel=280, maps=3, stride=8)
SLICES = Needs(window=None, bytes_per_voxel=160, maps=3)
GB = 10**9
CUDA = torch.device("cuda", 0)


def test_a_brain_that_fits_is_one_window() -> None:
    plan = make_plan(NEEDS, BRAIN, CPU, 16 * GB, Limits(), None)
    assert (plan.window, plan.batch) == (BRAIN, 1)


@pytest.mark.parametrize("free", [1.5 * GB, 1 * GB, 0.6 * GB, 0.45 * GB])
def test_with_less_memory_the_box_is_divided_evenly_and_fits(free: float) -> None:
    plan = make_plan(NEEDS, BRAIN, CPU, int(free), Limits(), None)
    assert plan.window is not None
    assert prod(plan.window) * NEEDS.bytes_per_voxel <= free
    assert all(w >= 96 and (w == n or w % 8 == 0) for w, n in zip(plan.window, BRAIN, strict=True))
    for axis, (window, size) in enumerate(zip(plan.window, BRAIN, strict=True)):
        spans = sorted({(w[axis].start, w[axis].stop) for w in plan_windows(BRAIN, plan.window, plan.overlap)})
        assert (spans[0][0], spans[-1][1]) == (0, size)
        assert all(a[1] - b[0] >= min(48, window) for a, b in pairwise(spans))


def test_where_not_even_a_window_of_the_training_fits_it_is_halved() -> None:
    assert fitted_window(BRAIN, NEEDS, 48**3) == ((48, 48, 48), (24, 24, 24))
    assert fitted_window(BRAIN, NEEDS, 1)[0] == (32, 32, 32)


def test_a_network_that_learned_positions_keeps_the_windows_of_its_training() -> None:
    assert fitted_window(BRAIN, replace(NEEDS, grows=False), 10**9)[0] == (96, 96, 96)


def test_a_case_smaller_than_a_window_is_one_window_of_its_own_size() -> None:
    assert fitted_window((5, 30, 120), NEEDS, 10**9)[0] == (5, 30, 120)


def test_slices_are_batched_as_far_as_memory_goes_and_never_below_one() -> None:
    assert make_plan(SLICES, BRAIN, CPU, 16 * GB, Limits(), None).batch == 8
    assert make_plan(SLICES, BRAIN, CUDA, 16 * GB, Limits(), None).batch == 32
    assert make_plan(SLICES, BRAIN, CPU, int(3.5 * 160 * 169 * 147 / 0.6), Limits(), None).batch == 3
    assert make_plan(SLICES, BRAIN, CPU, 1, Limits(), None).batch == 1


def test_results_stay_on_the_device_where_they_leave_room() -> None:
    assert make_plan(NEEDS, BRAIN, CUDA, 16 * GB, Limits(), None).results == CUDA
    assert make_plan(NEEDS, (1000, 1000, 1000), CUDA, 16 * GB, Limits(), None).results == CPU
    assert make_plan(NEEDS, BRAIN, CUDA, 16 * GB, Limits(results_on_cpu=True), None).results == CPU


def test_the_ladder_goes_down_step_by_step_to_the_cpu_and_ends() -> None:
    limits, freed, said = Limits(), False, []
    while True:
        plan = make_plan(NEEDS, BRAIN, CUDA, 30 * GB, limits, torch.bfloat16)
        if plan.device == plan.results == CPU and plan.window == (32, 32, 32):
            break
        limits, sentence = smaller(plan, limits, freed=freed)
        freed = True
        said.append(sentence)
    with pytest.raises(ModelError, match="The computer ran out of memory"):
        smaller(plan, limits, freed=True)
    order = ["freed what", "windows at once", "windows of", "computer's memory", "the CPU computes"]
    first = [next(i for i, s in enumerate(said) if words in s) for words in order]
    assert first == sorted(first)
    assert said[0] == "cuda:0 ran out of memory: freed what was kept and tried again."
    assert "cuda:0 ran out of memory: 2 instead of 4 windows at once." in said
    assert said[-1].startswith("cpu ran out of memory: windows of 32 × 32 × 32")


def test_the_cpu_does_not_take_over_the_half_precision_of_a_gpu() -> None:
    plan = make_plan(NEEDS, BRAIN, CUDA, 30 * GB, Limits(cpu=True), torch.float16)
    assert (plan.device, plan.results, plan.half) == (CPU, CPU, None)


def test_a_slice_that_does_not_fit_goes_on_to_the_cpu() -> None:
    plan = Plan(CUDA, CUDA, 1)
    limits, said = smaller(plan, Limits(), freed=True)
    assert limits == Limits(results_on_cpu=True)
    assert "computer's memory" in said
    assert smaller(replace(plan, results=CPU), limits, freed=True)[0] == Limits(cpu=True)
