"""Where a run is written down: a CSV file and TensorBoard always, Weights & Biases and MLflow where they are named."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from napari_brainseg.base.errors import MissingExtraError, TrainingError
from napari_brainseg.base.paths import write_text, written_aside
from napari_brainseg.evaluation.pictures import Picture
from napari_brainseg.training.tracking.extras import EXTRAS, Extra
from napari_brainseg.training.tracking.tensorboard import TensorBoard
from napari_brainseg.training.tracking.tracker import Tracker


class _Files:
    """`log.csv`, one row an epoch, and `pictures/`; columns may come later, rows of repeated epochs are replaced."""

    def __init__(self, out: Path, resume_step: int) -> None:
        self._log, self._pictures = out / "log.csv", out / "pictures"
        self._rows: list[dict[str, str]] = []
        if resume_step and self._log.exists():
            try:
                with self._log.open(encoding="utf-8", newline="") as file:
                    self._rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= resume_step]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise TrainingError(f"{self._log} is damaged. Restore it, or move it away to go on.") from error

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._rows.append({"epoch": str(step), **{name: f"{value:.8g}" for name, value in values.items()}})
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        lines = [columns, *([row.get(name, "") for name in columns] for row in self._rows)]
        write_text(self._log, "".join(",".join(line) + "\n" for line in lines))

    def histograms(self, values: Mapping[str, Tensor], step: int) -> None:
        """Keep none: there is no good place for them in a CSV file."""

    def picture(self, name: str, pixels: Picture, step: int) -> None:
        with written_aside(self._pictures / f"{name}.png", overwrite=True) as aside:
            imsave(aside, pixels, format="png")

    def artifact(self, path: Path) -> None:
        """Do nothing: it lies here already."""

    def close(self) -> None:
        """Do nothing: every row is on disk."""


class _Several:
    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = trackers

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for tracker in self._trackers:
            tracker.scalars(values, step)

    def histograms(self, values: Mapping[str, Tensor], step: int) -> None:
        for tracker in self._trackers:
            tracker.histograms(values, step)

    def picture(self, name: str, pixels: Picture, step: int) -> None:
        for tracker in self._trackers:
            tracker.picture(name, pixels, step)

    def artifact(self, path: Path) -> None:
        for tracker in self._trackers:
            tracker.artifact(path)

    def close(self) -> None:
        with ExitStack() as ending:  # so that one that fails keeps none of the others open
            for tracker in self._trackers:
                ending.callback(tracker.close)


def check_trackers(names: Sequence[str]) -> None:
    """Raise `TrainingError` for a tracker that is unknown, `MissingExtraError` for one that is not installed."""
    for name in names:
        if name not in EXTRAS:
            choices = " or ".join(EXTRAS)
            raise TrainingError(f"There is no tracker {name!r}. CSV and TensorBoard are always on; add {choices}.")
        if find_spec(name) is None:
            raise MissingExtraError(name, name)


def create_trackers(
    names: Sequence[str], out: Path, run_name: str, facts: Mapping[str, Any], *, resume_step: int = 0
) -> Tracker:
    """Return one tracker that tells them all: CSV with pictures, TensorBoard, and the named extras that are known.

    Args:
        names: `wandb`, `mlflow`.
        out: Folder of the run.
        run_name: Shown by the trackers.
        facts: Settings and versions.
        resume_step: Epochs that were finished before.

    Raises:
        MissingExtraError: The package of an extra is not installed.
        TrainingError: An extra cannot be used, or the log of a run that goes on is damaged.
    """
    extras = [Extra(name, out, run_name, facts, resume_step) for name in names]
    return _Several([_Files(out, resume_step), TensorBoard(out, resume_step), *extras])


def learning_curves(log: Path, picture: Path) -> None:
    """Draw the loss and the scores of a `log.csv` against the epoch."""
    with log.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = [int(row["epoch"]) for row in rows]
    figure = Figure(figsize=(9, 3.5))
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [float(row["loss"]) for row in rows])
    left.set(xlabel="epoch", ylabel="training loss")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for name in (n for n in rows[-1] if n.startswith("dice")):
        right.plot(epochs, [float(row[name] or "nan") for row in rows], label=name)
    right.set(xlabel="epoch", ylabel="validation Dice", ylim=(0, 1))
    right.legend()
    with written_aside(picture, overwrite=True) as aside:
        figure.savefig(aside, format="png", dpi=90, bbox_inches="tight")
