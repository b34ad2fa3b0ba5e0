"""`Segmenting`: one run of a model beside the window. torch is imported in the thread, never in the window's."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background


class Segmenting(QObject):
    """Runs one model at a time; its result is handed on, never shown, from here.

    Signals:
        progressed(object): `Progress`.
        segmented(object): The `Segmentation`.
        failed(str): One sentence.
        finished(): In every ending.
        unavailable(str): Why no model can run here at all.
        devices_known(object): (id, words) of every device, once torch could be asked.
    """

    progressed = Signal(object)
    segmented = Signal(object)
    failed = Signal(str)
    finished = Signal()
    devices_known = Signal(object)
    unavailable = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._task: BackgroundTask | None = None
        self._asking: BackgroundTask | None = None

    @property
    def running(self) -> bool:
        """Whether a run is under way for the window."""
        return self._task is not None and not self._task.over

    def start(self, case: Case, model: ModelRecord, settings: SegmentSettings) -> None:
        """Start a run; the signals tell how it goes."""
        token = CancelToken()
        self._task = run_in_background(
            _segmented(case, model, settings, token),
            token=token,
            progressed=self.progressed.emit,
            returned=self.segmented.emit,
            errored=self.failed.emit,
            finished=self.finished.emit,
        )

    def cancel(self) -> None:
        """Give the form back at once and drop the run's result."""
        if self._task is not None:
            self._task.cancel()

    def ask_for_devices(self) -> None:
        """Load torch in a thread, while the window is idle, and tell which devices there are."""
        if self._asking is None:
            self._asking = run_in_background(
                _devices(), returned=self.devices_known.emit, errored=self.unavailable.emit
            )

    def close(self) -> None:
        """Stop whatever runs."""
        for task in (self._task, self._asking):
            if task is not None:
                task.cancel()


def _segmented(
    case: Case, model: ModelRecord, settings: SegmentSettings, token: CancelToken
) -> Generator[Progress, None, Segmentation]:
    yield Progress(0, 0, "loading the model")
    try:
        from napari_brainseg.inference.engine import segment
    except ImportError as error:
        raise _no_torch(error) from error
    return (yield from segment(case, model, settings, token))


def _devices() -> Generator[Any, None, list[tuple[str, str]]]:
    yield Progress(0, 0, "asking for devices")
    try:
        import napari_brainseg.inference.engine  # noqa: F401  so that the first run does not wait for it
        from napari_brainseg.inference.devices import available_devices
    except ImportError as error:
        raise _no_torch(error) from error
    return available_devices()


def _no_torch(error: ImportError) -> ModelError:
    return ModelError(f"Models cannot run here: {error}. Opening, correcting and exporting work without.")
