"""Weights & Biases and MLflow, where their packages are installed. A run goes on without one that fails."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from napari_brainseg.base.errors import MissingExtraError, TrainingError
from napari_brainseg.evaluation.pictures import Picture
from napari_brainseg.training.tracking.tracker import Tracker


class _WandB:
    """Weights & Biases; offline where no key is set up, to be sent later with `wandb sync`."""

    def __init__(self, out: Path, name: str, facts: Mapping[str, Any], resume_step: int) -> None:
        try:
            import wandb
        except ImportError as error:
            raise MissingExtraError("wandb", "wandb") from error
        self._wandb = wandb
        mode: Any = os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_API_KEY") else "offline")
        out.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(project="napari-brainseg", name=name, dir=str(out), config=dict(facts), mode=mode)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def histograms(self, values: Mapping[str, Tensor], step: int) -> None:
        self._run.log({name: self._wandb.Histogram(value.tolist()) for name, value in values.items()}, step=step)

    def picture(self, name: str, pixels: Picture, step: int) -> None:
        self._run.log({name: self._wandb.Image(pixels)}, step=step)

    def artifact(self, path: Path) -> None:
        artifact = self._wandb.Artifact(path.name, type="model")
        artifact.add_dir(str(path)) if path.is_dir() else artifact.add_file(str(path))
        self._run.log_artifact(artifact)

    def close(self) -> None:
        self._run.finish()


class _MLflow:
    """MLflow; in the folder of the run where no tracking server is set up. A resumed run is a new one there."""

    def __init__(self, out: Path, name: str, facts: Mapping[str, Any], resume_step: int) -> None:
        try:
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise MissingExtraError("mlflow", "mlflow") from error
        server = os.environ.get("MLFLOW_TRACKING_URI")
        if not server:  # MLflow would rather have a database, which takes a larger package
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        self._client = MlflowClient(tracking_uri=server or (out / "mlflow").resolve().as_uri())
        experiment = self._client.get_experiment_by_name("napari-brainseg")
        number = experiment.experiment_id if experiment else self._client.create_experiment("napari-brainseg")
        self._run = self._client.create_run(number, run_name=name).info.run_id
        self._client.log_dict(self._run, dict(facts), "settings.json")

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=step)

    def histograms(self, values: Mapping[str, Tensor], step: int) -> None:
        """Keep none: MLflow has no histograms."""

    def picture(self, name: str, pixels: Picture, step: int) -> None:
        self._client.log_image(self._run, pixels, artifact_file=f"pictures/{name}-{step}.png")

    def artifact(self, path: Path) -> None:
        self._client.log_artifacts(self._run, str(path), path.name)

    def close(self) -> None:
        self._client.set_terminated(self._run)


EXTRAS: Mapping[str, Callable[..., Tracker]] = {"wandb": _WandB, "mlflow": _MLflow}


class Extra:
    """An extra tracker by name; it is left out, with a warning, from the first time on that it fails.

    The network may be down for an hour: a run is worth more than what a server knows of it.

    Raises:
        MissingExtraError: Its package is not installed.
        TrainingError: It cannot be used from the beginning.
    """

    def __init__(self, name: str, out: Path, run_name: str, facts: Mapping[str, Any], resume_step: int) -> None:
        self._name, self._failures = name, _failures(name)
        try:
            self._tracker: Tracker | None = EXTRAS[name](out, run_name, facts, resume_step)
        except self._failures as error:
            raise TrainingError(
                f"{name} cannot be used ({_in_one_line(error)}). Check its settings, or leave it out of trackers."
            ) from error

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Take numbers by name."""
        self._tell(lambda tracker: tracker.scalars(values, step))

    def histograms(self, values: Mapping[str, Tensor], step: int) -> None:
        """Take flat tensors whose distribution is of interest."""
        self._tell(lambda tracker: tracker.histograms(values, step))

    def picture(self, name: str, pixels: Picture, step: int) -> None:
        """Take a picture (H, W, 3)."""
        self._tell(lambda tracker: tracker.picture(name, pixels, step))

    def artifact(self, path: Path) -> None:
        """Take a file or folder, such as the model."""
        self._tell(lambda tracker: tracker.artifact(path))

    def close(self) -> None:
        """Write what is left."""
        self._tell(lambda tracker: tracker.close())

    def _tell(self, act: Callable[[Tracker], None]) -> None:
        if self._tracker is None:
            return
        try:
            act(self._tracker)
        except self._failures as error:
            self._tracker = None
            warnings.warn(
                f"{self._name} failed ({_in_one_line(error)}). The run goes on without it; log.csv has its numbers.",
                stacklevel=3,
            )


def _failures(name: str) -> tuple[type[Exception], ...]:
    """Return what an extra may raise; its settings are checked by pydantic, whose errors are `ValueError`s."""
    try:
        if name == "wandb":
            from wandb.errors import Error

            return (Error, OSError, ValueError)
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise MissingExtraError(name, name) from error
    return (MlflowException, OSError, ValueError)


def _in_one_line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200].rstrip(".")
