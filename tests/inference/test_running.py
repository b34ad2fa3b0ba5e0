"""Order, deliveries, memory that runs out and cancelling, on networks whose answer is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from known_models import SHAPE, Thresholds, make_case, make_model
from torch import Tensor

from napari_brainseg.base.errors import Cancelled, InputError
from napari_brainseg.base.progress import CancelToken, Progress, run_to_end
from napari_brainseg.cases.case import Case
from napari_brainseg.inference import engine, memory, running
from napari_brainseg.inference.delivery import Delivery
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.planning import Limits
from napari_brainseg.inference.settings import SegmentSettings

SMALL_WINDOWS = Limits(voxels=9 * 16 * 16)  # of the box of 9 x 29 x 28: several overlapping ones


@pytest.fixture(autouse=True)
def fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINSEG_FP32", "1")


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, Limits]:
    """Give each test its own memory of what ran out."""
    known: dict[str, Limits] = {}
    monkeypatch.setattr(running, "_LIMITS", known)
    return known


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make windows small, as with little memory."""
    make_plan = running.make_plan
    monkeypatch.setattr(running, "make_plan", lambda n, s, d, f, _, h: make_plan(n, s, d, f, SMALL_WINDOWS, h))


class Smooth(Thresholds):
    """Looks at its neighbours too, so that windows differ at their borders."""

    def forward(self, images: Tensor) -> Tensor:
        pool = torch.nn.functional.avg_pool3d if images.ndim == 5 else torch.nn.functional.avg_pool2d
        return super().forward(pool(images, 3, 1, 1)) / 100


def _ran(case: Case, model: Any, **choices: Any) -> tuple[Any, list[Progress]]:
    reports: list[Progress] = []
    return run_to_end(segment(case, model, SegmentSettings(**choices)), reports.append), reports


@pytest.mark.parametrize("start", [0, 4, 8, 100])
def test_the_order_of_slices_changes_no_label(start: int) -> None:
    case = make_case(image=np.random.default_rng(2).gamma(4.0, 20.0, (30, 20, 20)).astype(np.float32))
    plain, _ = _ran(case, make_model(network=Smooth()), probabilities=True)
    other, _ = _ran(case, make_model(network=Smooth()), probabilities=True, start=start)
    np.testing.assert_array_equal(plain.labels, other.labels)
    np.testing.assert_array_equal(plain.probabilities, other.probabilities)


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("start", [0, 20, 39])
def test_the_order_of_windows_changes_hardly_a_label(start: int) -> None:
    case = make_case(image=np.random.default_rng(2).gamma(4.0, 20.0, (40, 30, 30)).astype(np.float32))
    plain, _ = _ran(case, make_model(3, Smooth()))
    other, reports = _ran(case, make_model(3, Smooth()), start=start)
    assert np.mean(plain.labels == other.labels) >= 0.9999
    assert sum(isinstance(r, Delivery) for r in reports) > 3


def test_the_shown_slice_is_delivered_alone_and_first() -> None:
    case = make_case(image=np.random.default_rng(2).gamma(4.0, 20.0, (30, 20, 20)).astype(np.float32))
    result, reports = _ran(case, make_model(), start=17)
    delivered = [r for r in reports if isinstance(r, Delivery)]
    assert delivered[0].window == (slice(17, 18), slice(0, 20), slice(0, 20))
    assert delivered[0].done == 0
    assert delivered[1].window[0] == slice(16, 24)
    np.testing.assert_array_equal(delivered[0].labels, result.labels[17:18])


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("start", [None, 3])
def test_deliveries_make_up_the_result(spatial_dims: int, start: int | None) -> None:
    result, reports = _ran(make_case(), make_model(spatial_dims), start=start)
    shown = np.zeros(SHAPE, np.uint8)
    for report in reports:
        if isinstance(report, Delivery):
            shown[report.window] = report.labels
    np.testing.assert_array_equal(shown, result.labels)


@pytest.mark.usefixtures("cut")
def test_windows_show_something_at_the_start_and_all_in_the_end() -> None:
    image = np.random.default_rng(2).gamma(4.0, 20.0, (40, 30, 30)).astype(np.float32)
    result, reports = _ran(make_case(image=image), make_model(3), start=30)
    shown = np.zeros(image.shape, np.uint8)
    delivered = [r for r in reports if isinstance(r, Delivery)]
    assert delivered[0].window[0].start <= 30 < delivered[0].window[0].stop
    assert delivered[0].fraction < 0.2
    for report in delivered:
        shown[report.window] = report.labels
    np.testing.assert_array_equal(shown, result.labels)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_an_empty_brain_asks_the_network_nothing_but_its_needs(spatial_dims: int) -> None:
    result, _ = _ran(
        make_case(image=np.zeros((6, 20, 20), np.float32)), make_model(spatial_dims), uncertainty="entropy"
    )
    assert not result.labels.any()
    assert not result.uncertainty.any()


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("shape", [(1, 1, 1), (6, 20, 20), (1, 40, 3)])
def test_a_brain_of_one_voxel_is_a_case_too(spatial_dims: int, shape: tuple[int, int, int]) -> None:
    image = np.zeros(shape, np.float32)
    image[0, 0, 0] = 100
    result, _ = _ran(make_case(image=image), make_model(spatial_dims))
    assert result.labels.shape == shape


def _failing(model: Any, monkeypatch: pytest.MonkeyPatch, fails: Callable[[Tensor], bool]) -> list[tuple[int, ...]]:
    """Let the network run out of memory where `fails` says so of its input; return the shapes that it was given."""
    seen: list[tuple[int, ...]] = []
    forward = model.network.forward

    def run_out(images: Tensor) -> Tensor:
        seen.append(tuple(images.shape))
        if fails(images):
            raise torch.OutOfMemoryError("injected")
        return forward(images)  # type: ignore[no-any-return]

    monkeypatch.setattr(model.network, "forward", run_out)
    return seen


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """Give the run a CPU that passes for another device: it has steps of the ladder before the CPU."""
    stand_in = torch.device("cpu", 0)
    monkeypatch.setattr(engine, "resolve_device", lambda name: stand_in)
    return stand_in


def test_slices_that_do_not_fit_come_in_halves_and_it_is_remembered(
    monkeypatch: pytest.MonkeyPatch, limits: dict[str, Limits]
) -> None:
    model = make_model()
    plain, _ = _ran(make_case(), make_model())
    seen = _failing(model, monkeypatch, lambda images: images.shape[0] > 2)
    result, reports = _ran(make_case(), model)
    np.testing.assert_array_equal(result.labels, plain.labels)
    assert result.notes == (
        "cpu ran out of memory: 4 instead of 8 slices at once.",
        "cpu ran out of memory: 2 instead of 4 slices at once.",
    )
    assert set(result.notes) <= {r.message for r in reports}
    seen.clear()
    again, _ = _ran(make_case(), model)
    assert again.notes == ()
    assert {s[0] for s in seen} <= {1, 2}


def test_windows_that_do_not_fit_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(2).gamma(4.0, 20.0, (40, 70, 30)).astype(np.float32)
    plain, _ = _ran(make_case(image=image), make_model(3))
    model = make_model(3)
    _failing(model, monkeypatch, lambda images: images[0, 0].numel() > 40 * 40 * 30)
    result, _ = _ran(make_case(image=image), model)
    np.testing.assert_array_equal(result.labels, plain.labels)
    assert result.notes == ("cpu ran out of memory: windows of 40 × 35 × 30 instead of 40 × 70 × 30 voxels.",)


def test_the_last_step_is_the_cpu_and_it_is_told_the_next_time(
    monkeypatch: pytest.MonkeyPatch, device: torch.device
) -> None:
    plain, _ = _ran(make_case(), make_model())
    model = make_model()
    move = running.Predictor.move

    def run_out(self: Any, plan: Any) -> None:
        if plan.device == device:
            raise torch.OutOfMemoryError("injected")
        move(self, plan)

    monkeypatch.setattr(running.Predictor, "move", run_out)
    result, _ = _ran(make_case(), model)
    np.testing.assert_array_equal(result.labels, plain.labels)
    assert result.notes[-1] == "cpu:0 ran out of memory: the CPU computes instead, which is slower."
    assert any("results are kept" in note for note in result.notes)
    again, _ = _ran(make_case(), model)
    assert again.notes == ("cpu:0 ran out of memory before, so the CPU computed.",)


@pytest.mark.parametrize("stage", ["predict", "blend", "buffers", "labels"])
@pytest.mark.usefixtures("cut")
def test_memory_may_run_out_at_any_stage(monkeypatch: pytest.MonkeyPatch, stage: str, device: torch.device) -> None:
    image = np.random.default_rng(2).gamma(4.0, 20.0, (40, 30, 30)).astype(np.float32)
    plain, _ = _ran(make_case(image=image), make_model(3))
    owner, name = {
        "predict": (running.Predictor, "windows"),
        "blend": (running.Blended, "add"),
        "buffers": (running.Blended, "__init__"),
        "labels": (running.Results, "take"),
    }[stage]
    whole, calls = getattr(owner, name), []

    def once(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == (1 if stage == "buffers" else 2):
            raise torch.OutOfMemoryError("injected")
        return whole(*args, **kwargs)

    monkeypatch.setattr(owner, name, once)
    model = make_model(3)
    result, _ = _ran(make_case(image=image), model)
    np.testing.assert_array_equal(result.labels, plain.labels)
    assert result.notes == (f"{device} ran out of memory: freed what was kept and tried again.",)


def test_a_volume_that_cannot_fit_says_so_before_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda device: 100_000)
    with pytest.raises(InputError, match=r"case, 9 × 40 × 36 voxels, needs .* of memory and .* free"):
        _ran(make_case(), make_model())


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_run_can_be_cancelled_at_every_report(spatial_dims: int) -> None:
    case, model = make_case(), make_model(spatial_dims)
    total = len(_ran(case, model, start=4)[1])
    for stop in range(total):
        token = CancelToken()
        task = segment(case, model, SegmentSettings(start=4), token)
        for _ in range(stop + 1):
            next(task)
        token.cancel()
        with pytest.raises(Cancelled):
            next(task)


def test_a_run_cancelled_while_its_model_loads_stops_before_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_brainseg.inference import members

    token, model = CancelToken(), make_model()

    def loads(which: object) -> object:
        token.cancel()
        return model

    monkeypatch.setattr(members, "load_model", loads)
    task = segment(make_case(), "brats", token=token)
    assert next(task).message == "loading the model"
    with pytest.raises(Cancelled):
        next(task)
