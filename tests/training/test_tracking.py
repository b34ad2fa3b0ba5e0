"""Every tracker writes what it was told where people look for it."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.evaluation.pictures import PREDICTION, TRUTH
from napari_brainseg.training.prepared import PreparedCase
from napari_brainseg.training.tracking import create_trackers, gradient_histograms, gradient_norms, validation_pictures
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
