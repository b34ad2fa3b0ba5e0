"""A lock beside a journal, by which another window knows that the work in it is being done just now."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QLockFile


def lock_of(path: Path) -> QLockFile:
    """Return the lock of a journal, not yet taken; one that a crashed program left counts for nothing."""
    lock = QLockFile(str(path.with_name(f"{path.name}.lock")))
    lock.setStaleLockTime(0)  # it does not grow old while its program runs
    return lock


def in_use(path: Path) -> bool:
    """Return whether a window that is open still, in this program or another one, holds the file's lock."""
    lock = lock_of(path)
    if lock.tryLock(0):
        lock.unlock()
        return False
    return lock.error() == QLockFile.LockError.LockFailedError


class JournalLocks:
    """The locks of one window's journals, for its `JournalWriter`."""

    def __init__(self) -> None:
        self._held: dict[Path, QLockFile] = {}

    def hold(self, path: Path) -> None:
        """Take the lock of a journal, so that no other window offers what is in it; harmless when repeated."""
        if path not in self._held:
            lock = lock_of(path)
            lock.tryLock(0)
            self._held[path] = lock

    def release(self, path: Path) -> None:
        """Let a journal go; harmless when it is not held."""
        lock = self._held.pop(path, None)
        if lock is not None:
            lock.unlock()
