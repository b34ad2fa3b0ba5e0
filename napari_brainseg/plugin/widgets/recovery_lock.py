"""A lock beside a recovery file, by which another window knows that the work in it is being done just now."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QLockFile


def lock_of(path: Path) -> QLockFile:
    """Return the lock of a recovery file, not yet taken; one that a crashed program left counts for nothing."""
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
