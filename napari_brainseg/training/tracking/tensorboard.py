"""TensorBoard's event files, each event written at once.

tensorboardX's own SummaryWriter leaves the writing to a thread: where the disk is full the thread dies with a stack
trace, and the run waits for ever as soon as its queue is full.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from torch import Tensor

from napari_brainseg.base.errors import OutputError
from napari_brainseg.evaluation.pictures import Picture

_BINS = 64


class TensorBoard:
    """A tracker that writes `tensorboard/events…`; epochs after `resume_step` of older files there are hidden.

    Every method raises `OutputError` where the file cannot be written.
    """

    def __init__(self, out: Path, resume_step: int) -> None:
        self._folder = out / "tensorboard"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(self._folder / "events"))
        except OSError as error:
            raise self._refusal(error) from error
        if resume_step:
            self._write(Event(step=resume_step + 1, session_log=SessionLog(status=SessionLog.START)))

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Write numbers by name."""
        self._summarise([summary.scalar(name, value) for name, value in values.items()], step)

    def histograms(self, values: Mapping[str, Tensor], step: int) -> None:
        """Write the distributions of flat tensors, as far as they are finite."""
        finite = {name: array[np.isfinite(array)] for name, array in ((n, v.numpy()) for n, v in values.items())}
        self._summarise([summary.histogram(name, array, _BINS) for name, array in finite.items() if len(array)], step)

    def picture(self, name: str, pixels: Picture, step: int) -> None:
        """Write a picture (H, W, 3)."""
        self._summarise([summary.image(name, pixels, dataformats="HWC")], step)

    def artifact(self, path: Path) -> None:
        """Do nothing: TensorBoard keeps no files."""

    def close(self) -> None:
        """Close the file."""
        try:
            self._writer.close()
        except OSError as error:
            raise self._refusal(error) from error

    def _summarise(self, summaries: list[Any], step: int) -> None:
        for each in summaries:
            self._write(Event(step=step, summary=each))

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        try:
            self._writer.write_event(event)
            self._writer.flush()
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self._folder} cannot be written ({error.strerror or error}). Make room, or choose another."
        )
