"""`CorrectionSaver`: what is confirmed goes to the project at once, in a thread, the newest state winning."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.project import Project
from napari_brainseg.cases.case import Case
from napari_brainseg.plugin.widgets.background import sentence

# Two patients may have one case id, but not one file.
_Key = tuple[object, ...]


@dataclass(frozen=True, eq=False)
class _Job:
    project: Project | None
    case: Case
    correction: Correction

    @property
    def key(self) -> _Key:
        return (self.case.id, *(path for group in self.case.paths.values() for path in group))

    @property
    def place(self) -> _Key:
        return (None if self.project is None else self.project.folder, *self.key)


class CorrectionSaver(QObject):
    """Saves corrections one after another without holding up the window.

    Signals:
        saved(str): A correction is in the project; its file.
        failed(str): It could not be saved; one sentence. It stays in memory, and `save_again` tries once more.
        said(str): It was saved over what somebody else had confirmed in the same slices; one sentence.
    """

    saved = Signal(str)
    failed = Signal(str)
    said = Signal(str)
    _ended = Signal(object)

    def __init__(self, project: Callable[[], Project | None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="brainseg-corrections")
        self._lock = threading.Lock()
        self._waiting: dict[_Key, _Job] = {}
        self._unsaved: dict[_Key, _Job] = {}
        # The thread's end is told in the window's thread, whoever listens.
        self._ended.connect(self._on_ended)

    @property
    def unsaved(self) -> tuple[str, ...]:
        """The ids of the cases whose newest correction is not in a project, be it on its way or refused."""
        with self._lock:
            return tuple(job.case.id for job in self._unsaved.values())

    def submit(self, case: Case, correction: Correction) -> None:
        """Save a correction soon, in the place of a state of the case that still waits."""
        job = _Job(self._project(), case, correction)
        if job.project is None:
            self._keep(job)
            return
        with self._lock:
            queued = job.place in self._waiting
            self._waiting[job.place] = self._unsaved[job.key] = job
        if not queued:
            self._pool.submit(self._save, job.project, job.place).add_done_callback(self._ended.emit)

    def save_again(self) -> None:
        """Try once more to save what could not be saved, in the project that is open now."""
        project = self._project()
        with self._lock:
            jobs = list(self._unsaved.values())
        for job in jobs:
            # What was taken back was taken back in another project.
            same = job.project is not None and project is not None and job.project.folder == project.folder
            self.submit(job.case, job.correction if same else replace(job.correction, taken_back=()))

    def flush(self) -> None:
        """Wait until everything submitted is saved or has failed."""
        self._pool.submit(lambda: None).result()

    def close(self) -> None:
        """Save what waits and end the thread."""
        self._pool.shutdown(wait=True)

    def _keep(self, job: _Job) -> None:
        """Remember what cannot go anywhere yet."""
        with self._lock:
            if job.correction.is_empty:
                self._unsaved.pop(job.key, None)
                return
            self._unsaved[job.key] = job
        self.failed.emit(
            f"What is confirmed of {job.case.id} is not saved: there is no project. Choose a place for it under Case."
        )

    def _save(self, project: Project, place: _Key) -> tuple[Path, list[str]]:
        with self._lock:
            job = self._waiting.pop(place)
        told: list[str] = []
        path = project.save_correction(job.case, job.correction, told=told)
        with self._lock:
            if self._unsaved.get(job.key) is job:
                del self._unsaved[job.key]
        return path, told

    def _on_ended(self, future: Future[tuple[Path, list[str]]]) -> None:
        error = future.exception()
        if error is None:
            path, told = future.result()
            self.saved.emit(str(path))
            for words in told:
                self.said.emit(words)
        elif isinstance(error, Exception):
            self.failed.emit(sentence(error))
