"""`RecoveryKeeper`: writes unsaved labels to a recovery file beside the window, and brings them back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from qtpy.QtCore import QLockFile, QObject, QTimer, Signal

from napari_brainseg.annotation.recovery import Recovery, RecoveryNote, recovery_path, write_recovery
from napari_brainseg.annotation.recovery import recovery_folder as user_folder
from napari_brainseg.annotation.reopening import options_of
from napari_brainseg.base.errors import BrainsegError, LabelError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, scheme_by_id
from napari_brainseg.plugin.layers import LayerIdentity, Role, identity_of
from napari_brainseg.plugin.widgets.case_layers import channel_files
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.recovery_lock import lock_of

# A change is on disk at the latest this long after it, and the time that writing takes: less than five seconds.
DELAY_MS = 3000
# What could not be written is tried again.
RETRY_MS = 30_000

_log = logging.getLogger(__name__)


class RecoveryKeeper(QObject):
    """Keep the unsaved work of an `EditingBridge` on disk.

    Attributes:
        written: A recovery file is complete (`Recovery`).
        open_case: Returns the open case, or None; set it, so that the case can be opened again.
        problem_changed: Why the work is in memory alone, in a sentence; empty once it could be written again.
    """

    written = Signal(object)
    problem_changed = Signal(str)
    _failed = Signal(str)

    def __init__(self, bridge: EditingBridge, folder: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._folder = bridge, folder
        self.open_case: Callable[[], Case | None] = _no_case
        self._mine: Path | None = None
        self._lock: QLockFile | None = None
        self._restored: Recovery | None = None
        self._closed = False
        self.problem = ""
        # One thread, so that writing and deleting happen in the order in which they were asked for.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recovery")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.write)
        self.written.connect(self._on_written)
        self._failed.connect(self._on_failed)
        bridge.changed.connect(self._on_changed)
        bridge.leaving.connect(self._on_leaving)
        bridge.dirty_changed.connect(self._on_dirty_changed)

    @property
    def folder(self) -> Path:
        """Where recovery files go."""
        return self._folder or user_folder()

    def set_folder(self, folder: Path | None) -> None:
        """Write from now on in `folder`, or in the user's own where None; what is unsaved is written there at once."""
        self._folder = folder
        if self._bridge.dirty:
            self.write()

    def write(self) -> Future[None] | None:
        """Write the working labels in the background now, if they are unsaved."""
        self._timer.stop()
        snapshot = self._snapshot()
        if snapshot is None or not self._bridge.dirty or self._closed:
            return None
        labels, note = snapshot
        self._mine = recovery_path(self.folder, note)
        return self._thread.submit(self._write, labels, note, self.folder)

    def write_now(self) -> None:
        """Write the working labels, if they are unsaved, and wait until they are on disk."""
        future = self.write()
        if future is not None:
            future.result()

    def discard(self) -> None:
        """Delete the recovery file of the working labels, and write none until they change again."""
        self._timer.stop()
        path, self._mine = self._mine, None
        self._hold(None)
        if path is not None:
            self._thread.submit(self._delete, path)

    def restore(self, recovery: Recovery) -> bool:
        """Put recovered labels into the working layer as one step that can be undone; False when they are the same.

        The file that they came from is deleted once the working layer has one of its own.

        Raises:
            BrainsegError: The file is damaged, or the labels do not fit the working layer.
        """
        scheme = self._bridge.scheme
        if scheme is None:
            raise LabelError("There is no working layer to restore into. Open the case first.")
        labels = scheme_by_id(recovery.note.scheme_id).convert(recovery.load(), scheme)
        # Locks keep a brush away from a class; lost work comes back whole.
        locked = self._bridge.locked
        self._bridge.set_locked(())
        try:
            changed = self._bridge.apply(labels, "recovered work") is not None
        finally:
            self._bridge.set_locked(locked)
        self._restored = recovery
        self._bridge.mark_unsaved()
        self.write()
        return changed

    def close(self) -> None:
        """Write what is unsaved, wait for it and disconnect; harmless when repeated."""
        if self._closed:
            return
        self.write()
        self._closed, self.open_case = True, _no_case
        self._bridge.changed.disconnect(self._on_changed)
        self._bridge.leaving.disconnect(self._on_leaving)
        self._bridge.dirty_changed.disconnect(self._on_dirty_changed)
        self._thread.shutdown(wait=True)
        self._hold(None)

    def _snapshot(self) -> tuple[LabelArray, RecoveryNote] | None:
        layer, labels, scheme = self._bridge.layer, self._bridge.settled, self._bridge.scheme
        if layer is None or labels is None or scheme is None:
            return None
        identity = identity_of(layer) or LayerIdentity(layer.name, Role.LABELS, layer.name, layer_id=f"{id(layer):x}")
        note = RecoveryNote(
            identity.case_id,
            identity.layer_id,
            layer.name,
            scheme.id,
            (labels.shape[0], labels.shape[1], labels.shape[2]),
            self._bridge.spacing,
        )
        case = self.open_case()
        if case is not None and case.id == identity.case_id:
            note = replace(note, case_files=channel_files(case), options=options_of(case))
        return labels.copy(), note

    # in the thread: no Qt but the emitting of signals

    def _write(self, labels: LabelArray, note: RecoveryNote, folder: Path) -> None:
        try:
            self.written.emit(write_recovery(labels, note, folder))
        except BrainsegError as error:
            self._failed.emit(str(error))

    def _delete(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s could not be deleted: %s", path, error)

    # in the window's thread

    def _on_changed(self) -> None:
        # Not started anew by each change: the first unwritten one counts.
        if not self._timer.isActive():
            self._timer.start(DELAY_MS)

    def _on_leaving(self) -> None:
        self.write_now()
        self._timer.stop()
        # The file stays for the next start, or for whoever deleted the layer by mistake.
        self._mine = None
        self._hold(None)

    def _on_dirty_changed(self, dirty: bool) -> None:
        if dirty:
            self._on_changed()
        else:
            self.discard()

    def _hold(self, path: Path | None) -> None:
        """Lock this file and no other, so that no other window offers what is in it."""
        lock = None if path is None else lock_of(path)
        if self._lock is not None and lock is not None and self._lock.fileName() == lock.fileName():
            return
        if self._lock is not None:
            self._lock.unlock()
        if lock is not None:
            lock.tryLock(0)
        self._lock = lock

    def _on_written(self, recovery: Recovery) -> None:
        self._set_problem("")
        if recovery.path == self._mine and not self._closed:
            self._hold(recovery.path)
        old = self._restored
        if old is not None and old.path != recovery.path and not self._closed:
            self._restored = None
            self._thread.submit(self._delete, old.path)

    def _on_failed(self, sentence: str) -> None:
        self._set_problem(f"Unsaved work is in memory only: {sentence}")
        self._timer.start(RETRY_MS)

    def _set_problem(self, sentence: str) -> None:
        if sentence != self.problem:
            self.problem = sentence
            self.problem_changed.emit(sentence)


def _no_case() -> None:
    return None
