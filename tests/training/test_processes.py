"""Two processes on a CPU (gloo) are one process with the same global batch: the same losses, the same weights."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.sample_files import write_volume_files
from napari_brainseg.model_store.model import load_model
from napari_brainseg.training import loop
from napari_brainseg.training.settings import read_settings
from napari_brainseg.training.splits import Split, write_splits

LONG = "epochs=12"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    ids = []
    for seed in (1, 2, 3):
        case = make_volume_phantom(seed, (10, 32, 32), (13.0, 6.0, 6.0))
        write_volume_files(case, folder / "data" / case.id)
        ids.append(case.id)
    write_splits({"phantoms": Split((ids[0],), tuple(ids[1:]))}, folder / "split.json")
    settings = {
        "name": "tiny",
        "title": "",
        "data": str(folder / "data"),
        "split": str(folder / "split.json"),
        "split_name": "phantoms",
        "out": str(folder / "one"),
        "channels": ["flair", "t1", "t1ce", "t2"],
        "scheme": "brats2017",
        "outputs": ["WT", "TC", "ET"],
        # Group norm, and a loss that is a mean over voxels: nothing looks at the batch as a whole.
        "network": "monai_segresnet",
        "options": {"width": 8, "blocks_down": [1, 1], "blocks_up": [1]},
        "loss": "bce",
        "augmentation": dict.fromkeys(("rotation", "scale", "shift", "flip", "intensity", "noise"), 0),
        "size": [32, 32],
        "epochs": 2,
        "batch": 4,
        "device": "cpu",
        "precision": "32-true",
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder / "run.yaml"


def train(config: Path, name: str, *arguments: str) -> tuple[list[float], str]:
    """Return the losses of a run by the command, and what it printed."""
    out = config.parent / name
    command = [sys.executable, "-m", "napari_brainseg", "train", "--config", str(config), f"out={out}", *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return losses(out), ended.stdout


def train_here(config: Path, name: str, *overrides: str, resume: bool = False) -> tuple[list[float], set[str]]:
    """Return the losses of a run in this process, which has imported everything already, and its messages."""
    settings = read_settings(config, [f"out={config.parent / name}", *overrides])
    messages: set[str] = set()
    run_to_end(loop.train(settings, resume=resume), lambda progress: messages.add(progress.message))
    return losses(settings.out), messages


def losses(out: Path) -> list[float]:
    with (out / "log.csv").open(encoding="utf-8") as log:
        return [float(row["loss"]) for row in csv.DictReader(log)]


@pytest.fixture(scope="module")
def alone(config: Path) -> list[float]:
    """The losses of a run in one process."""
    return train_here(config, "alone")[0]


@pytest.fixture(scope="module")
def whole(config: Path) -> list[float]:
    """The losses of a longer run in one process that nothing interrupted."""
    return train_here(config, "whole", LONG)[0]


def same_models(config: Path, name: str, other_name: str) -> None:
    """Assert that two runs left the same model."""
    models = [load_model(config.parent / folder / "tiny") for folder in (name, other_name)]
    assert (
        models[0].record.scores["validation"]["cases"].keys() == models[1].record.scores["validation"]["cases"].keys()
    )
    for one, other in zip(*(m.network.state_dict().values() for m in models), strict=True):
        torch.testing.assert_close(one, other, atol=2e-3, rtol=1e-2)  # both were rounded to half precision


def test_two_processes_lose_what_one_does(config: Path, alone: list[float]) -> None:
    shared, printed = train(config, "ddp", "--devices", "2", "--strategy", "ddp")
    assert shared == pytest.approx(alone, abs=1e-5)
    assert printed.count("epoch 1 of 2") == 1
    same_models(config, "alone", "ddp")


def kill_after_an_epoch(config: Path, name: str, *arguments: str) -> None:
    """Start a run by the command, and kill it and its children as soon as it has a checkpoint."""
    out = config.parent / name
    command = [sys.executable, "-m", "napari_brainseg", "train", "--config", str(config), f"out={out}", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not (out / "last.pt").exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert running.returncode == -signal.SIGKILL  # else it had ended by itself, and nothing was tried


def test_a_killed_run_goes_on_as_if_it_had_not_been(config: Path, whole: list[float]) -> None:
    kill_after_an_epoch(config, "killed", LONG)
    resumed, messages = train_here(config, "killed", LONG, resume=True)
    assert "epoch 1 of 12" not in messages
    assert "epoch 12 of 12" in messages
    assert resumed == pytest.approx(whole, abs=1e-6)


def test_two_killed_processes_that_share_out_weights_end_as_one_that_was_not(config: Path, whole: list[float]) -> None:
    shared = ("--devices", "2", "--strategy", "fsdp", LONG)
    kill_after_an_epoch(config, "killed-fsdp", *shared)
    resumed, printed = train(config, "killed-fsdp", *shared, "--resume")
    assert "epoch 1 of 12" not in printed
    assert resumed == pytest.approx(whole, abs=1e-5)  # the sums of two processes are rounded otherwise
    same_models(config, "whole", "killed-fsdp")


def test_a_moving_average_and_shared_weights_are_refused_together(config: Path) -> None:
    with pytest.raises(TrainingError, match="average=0"):
        replace(read_settings(config), strategy="fsdp", average=0.9)


def test_a_batch_that_cannot_be_shared_is_refused(config: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be shared by 3 processes"):
        replace(read_settings(config), devices=3)


def test_a_case_that_breaks_in_one_process_ends_both_with_a_sentence(config: Path) -> None:
    out, data = config.parent / "broken", config.parent / "breaking"
    shutil.copytree(config.parent / "data", data)
    arguments = ["--devices", "2", f"out={out}", f"data={data}", "epochs=500", "cache=none"]
    running = subprocess.Popen(
        [sys.executable, "-m", "napari_brainseg", "train", "--config", str(config), *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (out / "last.pt").exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    (data / "Phantom_001" / "Phantom_001_t1.nii.gz").write_bytes(b"nothing")
    _, said = running.communicate(timeout=120)
    assert running.returncode == 2
    assert "Traceback" not in said
    assert "Phantom_001_t1.nii.gz" in said
    assert (out / "last.pt").exists()
