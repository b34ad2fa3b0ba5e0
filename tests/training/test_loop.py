"""A run on phantoms written as files: it learns, goes on after a stop as if nothing had been, and leaks nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_brainseg.base.errors import Cancelled, TrainingError
from napari_brainseg.base.progress import CancelToken, Progress, run_to_end
from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.sample_files import write_volume_files
from napari_brainseg.training import loop
from napari_brainseg.training.loop import EpochReport, train
from napari_brainseg.training.settings import TrainingSettings
from napari_brainseg.training.splits import Split, write_splits


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    ids = []
    for seed in (1, 2):
        case = make_volume_phantom(seed, (12, 48, 48), (11.0, 4.0, 4.0))
        write_volume_files(case, folder / case.id)
        ids.append(case.id)
    write_splits({"phantoms": Split((ids[0],), (ids[1],))}, folder / "split.json")
    return folder


@pytest.fixture
def settings(cases: Path, tmp_path: Path) -> TrainingSettings:
    return TrainingSettings(
        name="tiny",
        title="",
        data=cases,
        split=cases / "split.json",
        split_name="phantoms",
        out=tmp_path / "run",
        channels=("flair", "t1", "t1ce", "t2"),
        scheme="brats2017",
        outputs=("WT", "TC", "ET"),
        options={"widths": (4, 8, 10, 15, 20)},
        preprocessing={"crop": True, "zero_background": True},
        size=(48, 48),
        epochs=3,
        batch=4,
        device="cpu",
    )


@pytest.fixture(autouse=True)
def fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "fast_dtype", lambda device: None)


def losses_of(settings: TrainingSettings) -> list[float]:
    reports: list[Progress] = []
    run_to_end(train(settings), reports.append)
    return [r.loss for r in reports if isinstance(r, EpochReport)]


def test_the_loss_falls_and_every_epoch_is_logged(settings: TrainingSettings) -> None:
    losses = losses_of(replace(settings, epochs=8, rate=1e-2))
    assert losses[-1] < 0.85 * losses[0]
    lines = (settings.out / "log.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,WT,TC,ET,seconds"
    assert [float(line.split(",")[1]) for line in lines[1:]] == pytest.approx(losses, abs=1e-5)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(settings: TrainingSettings) -> None:
    whole = losses_of(settings)
    stopped = replace(settings, out=settings.out.with_name("stopped"))
    token, first = CancelToken(), []

    def stop_after_the_first(report: Progress) -> None:
        if isinstance(report, EpochReport):
            first.append(report.loss)
            token.cancel()

    with pytest.raises(Cancelled):
        run_to_end(train(stopped, token), stop_after_the_first)
    torch.manual_seed(99)
    assert [*first, *losses_of(stopped)] == pytest.approx(whole, abs=1e-6)


def test_the_model_records_its_scores_split_and_settings(settings: TrainingSettings) -> None:
    model, scores = run_to_end(train(replace(settings, epochs=1)))
    assert list(scores) == ["Phantom_002"]
    assert model.record.scores["validation"]["cases"] == scores
    assert model.record.training["settings"]["seed"] == 1
    assert "data" not in model.record.training["settings"]


def test_a_folder_of_another_run_is_refused(settings: TrainingSettings) -> None:
    run_to_end(train(replace(settings, epochs=1)))
    with pytest.raises(TrainingError, match="other settings"):
        run_to_end(train(replace(settings, epochs=1, rate=1.0)))


def test_cases_of_the_split_that_are_not_there_are_named(settings: TrainingSettings, tmp_path: Path) -> None:
    write_splits({"phantoms": Split(("Gone_1",), ("Gone_2",))}, tmp_path / "split.json")
    with pytest.raises(TrainingError, match="Gone_1"):
        run_to_end(train(replace(settings, split=tmp_path / "split.json")))


def test_a_loss_that_is_not_finite_stops_with_the_case_named(
    settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "bce_dice", lambda logits, targets: logits.sum() * float("nan"))
    with pytest.raises(TrainingError, match="Phantom_001"):
        run_to_end(train(settings))
