"""`CorrectionSaver`: what is confirmed goes to the project at once, in a thread, the newest state winning."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.project import Project
from napari_brainseg.cases.case import Case
from napari_brainseg.plugin.widgets.background import sentence


class CorrectionSaver(QObject):
    """Saves corrections one after another without holding up the window.

    Signals:
        saved(str): A correction is in the project; its file.
        failed(str): It could not be saved; one sentence. It stays in memory, so the next try can go elsewhere.
    """

    saved = Signal(str)
    failed = Signal(str)
    _ended = Signal(object)

    def __init__(self, project: Callable[[], Project | None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._project = project
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="brainseg-corrections")
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Project, Case, Correction]] = {}
        # The thread's end is told in the window's thread, whoever listens.
        self._ended.connect(self._on_ended)

    def submit(self, case: Case, correction: Correction) -> None:
        """Save a correction soon, replacing a state of the case that still waits; nothing happens without a project."""
        project = self._project()
        if project is None:
            return
        with self._lock:
            queued = case.id in self._waiting
            self._waiting[case.id] = (project, case, correction)
        if not queued:
            self._pool.submit(self._save, case.id).add_done_callback(self._ended.emit)

    def flush(self) -> None:
        """Wait until everything submitted is saved or has failed."""
        self._pool.submit(lambda: None).result()

    def close(self) -> None:
        """Save what waits and end the thread."""
        self._pool.shutdown(wait=True)

    def _save(self, case_id: str) -> Path:
        with self._lock:
            project, case, correction = self._waiting.pop(case_id)
        return project.save_correction(case, correction)

    def _on_ended(self, future: Future[Path]) -> None:
        error = future.exception()
        if error is None:
            self.saved.emit(str(future.result()))
        elif isinstance(error, Exception):
            self.failed.emit(sentence(error))
