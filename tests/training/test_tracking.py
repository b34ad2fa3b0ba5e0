"""Every tracker writes what it was told where people look for it."""

from __future__ import annotations

import csv
import errno
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter
from torch import nn

from napari_brainseg.base.errors import OutputError, TrainingError
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.evaluation.pictures import PREDICTION, TRUTH
from napari_brainseg.training.prepared import PreparedCase
from napari_brainseg.training.tracking import (
    create_trackers,
    extras,
    gradient_histograms,
    gradient_norms,
    validation_pictures,
)
from napari_brainseg.training.validation import Validated

PICTURE = np.full((8, 8, 3), 200, np.uint8)


def told(names: tuple[str, ...], out: Path, artifact: Path) -> None:
    """Tell trackers of two epochs."""
    tracker = create_trackers(names, out, "tiny", {"settings": {"seed": 1}})
    tracker.scalars({"loss": 1.5, "dice_WT": 0.25}, 1)
    tracker.scalars({"loss": 1.25, "dice_WT": 0.5}, 2)
    tracker.histograms({"gradient/head": torch.arange(5.0)}, 2)
    tracker.picture("worst", PICTURE, 2)
    tracker.artifact(artifact)
    tracker.close()


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.json").write_text("{}", encoding="utf-8")
    return folder


def test_the_log_has_a_row_an_epoch(tmp_path: Path, artifact: Path) -> None:
    told((), tmp_path, artifact)
    with (tmp_path / "log.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["loss"], row["dice_WT"]) for row in rows] == [("1", "1.5", "0.25"), ("2", "1.25", "0.5")]
    assert (tmp_path / "pictures" / "worst.png").stat().st_size > 50


def test_rows_of_epochs_that_are_repeated_are_replaced(tmp_path: Path, artifact: Path) -> None:
    told((), tmp_path, artifact)
    tracker = create_trackers((), tmp_path, "tiny", {}, resume_step=1)
    tracker.scalars({"loss": 9.0, "new": 1.0}, 2)
    tracker.close()
    with (tmp_path / "log.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["loss"], row["new"]) for row in rows] == [("1", "1.5", ""), ("2", "9", "1")]


def test_tensorboard_has_every_number_picture_and_finite_distribution(tmp_path: Path, artifact: Path) -> None:
    told((), tmp_path, artifact)
    (file,) = (tmp_path / "tensorboard").iterdir()
    written = [event for event in events(file) if event.HasField("summary")]
    values = [(event.step, value) for event in written for value in event.summary.value]
    numbers = [(step, value.tag, value.simple_value) for step, value in values if value.HasField("simple_value")]
    assert numbers == [(1, "loss", 1.5), (1, "dice_WT", 0.25), (2, "loss", 1.25), (2, "dice_WT", 0.5)]
    (histogram,) = (value.histo for _, value in values if value.HasField("histo"))
    assert (histogram.num, histogram.min, histogram.max) == (5, 0, 4)
    assert [(v.image.height, v.image.width) for _, v in values if v.HasField("image")] == [(8, 8)]


def events(file: Path) -> list[Event]:
    """Return the events of a TensorBoard file: each is a length of 8 bytes, a sum of 4, the event, a sum of 4."""
    data, found = file.read_bytes(), []
    while data:
        size = int.from_bytes(data[:8], "little")
        found.append(Event.FromString(data[12 : 12 + size]))
        data = data[16 + size :]
    return found


def test_a_full_disk_is_one_sentence_and_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = create_trackers((), tmp_path, "tiny", {})

    def full(self: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordWriter, "flush", full)
    for _ in range(20):  # more than a queue would hold
        with pytest.raises(OutputError, match=r"tensorboard cannot be written \(No space left on device\)"):
            tracker.scalars({"loss": 1.0}, 1)


def test_a_gradient_that_is_not_finite_is_left_out(tmp_path: Path) -> None:
    tracker = create_trackers((), tmp_path, "tiny", {})
    tracker.histograms({"a": torch.tensor([1.0, torch.nan, torch.inf]), "b": torch.tensor([torch.nan])}, 1)
    tracker.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    assert [value.histo.num for event in events(file) for value in event.summary.value] == [1]


def test_a_damaged_log_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("something else\n1\n")
    with pytest.raises(TrainingError, match=r"log\.csv is damaged"):
        create_trackers((), tmp_path, "tiny", {}, resume_step=1)
    assert (tmp_path / "log.csv").read_text() == "something else\n1\n"


def test_mlflow_keeps_metrics_pictures_and_the_model(
    tmp_path: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    told(("mlflow",), tmp_path, artifact)
    kept = tmp_path / "mlflow"
    losses = next(kept.rglob("metrics/loss")).read_text().split("\n")
    assert [line.split()[1] for line in losses if line] == ["1.5", "1.25"]
    assert json.loads(next(kept.rglob("artifacts/settings.json")).read_text()) == {"settings": {"seed": 1}}
    assert next(kept.rglob("artifacts/pictures/worst-2.png")).stat().st_size > 50
    assert next(kept.rglob("artifacts/model/model.json")).read_text() == "{}"


@pytest.mark.skipif(sys.platform == "win32", reason="wandb's files stay open there")
def test_wandb_keeps_a_run_offline(tmp_path: Path, artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    told(("wandb",), tmp_path, artifact)
    assert next((tmp_path / "wandb").glob("offline-run-*/*.wandb")).stat().st_size > 500


class Failing:
    """A tracker whose server is down, from the beginning or later on."""

    def __init__(self, *facts: object) -> None:
        self.told = 0

    def scalars(self, values: object, step: int) -> None:
        self.told += 1
        raise OSError("the server\nis down")


def test_a_run_goes_on_without_an_extra_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    failing = Failing()
    monkeypatch.setattr(extras, "EXTRAS", {"mlflow": lambda *facts: failing})
    tracker = create_trackers(("mlflow",), tmp_path, "tiny", {})
    with pytest.warns(UserWarning, match=r"mlflow failed \(the server is down\)\. The run goes on without it"):
        tracker.scalars({"loss": 1.0}, 1)
    tracker.scalars({"loss": 0.5}, 2)
    tracker.close()
    assert failing.told == 1
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


def test_an_extra_that_cannot_be_used_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://x")
    with pytest.raises(TrainingError, match=r"mlflow cannot be used \(.*nonsense.*\)\. Check its settings"):
        create_trackers(("mlflow",), tmp_path, "tiny", {})


def test_gradient_norms_add_up() -> None:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    network[0].weight.grad, network[1].weight.grad = torch.tensor([[3.0]]), torch.tensor([[4.0]])
    assert gradient_norms(network) == {"total": 5.0, "0": 3.0, "1": 4.0}
    assert {name: values.tolist() for name, values in gradient_histograms(network).items()} == {
        "gradient/0": [3.0],
        "gradient/1": [4.0],
    }


def test_pictures_show_the_worst_the_worst_with_tumour_and_the_best() -> None:
    truth, found = (np.zeros((4, 12, 12), np.uint8) for _ in range(2))
    found[0, 2:5, 2:5] = 1  # invented: worst
    truth[1, 2:8, 2:8], found[1, 2:5, 2:8] = 1, 1  # half: worst with tumour
    truth[2, 2:8, 2:8], found[2, 2:8, 2:8] = 1, 1  # all: best
    images = np.zeros((1, 4, 12, 12), np.float16)
    validated = Validated(PreparedCase("one", images, truth), found, np.zeros((4, 12, 12), np.float16))
    pictures = validation_pictures([validated], scheme_by_id("lgg"))
    assert list(pictures) == ["worst", "worst-with-tumour", "best"]
    colours = {name: {tuple(pixel) for pixel in p.reshape(-1, 3).tolist()} for name, p in pictures.items()}
    assert TRUTH not in colours["worst"]
    assert PREDICTION in colours["worst"]
    assert {TRUTH, PREDICTION} <= colours["worst-with-tumour"]
    assert TRUTH not in colours["best"]  # the prediction's outline covers it
