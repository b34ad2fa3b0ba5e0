"""`JournalWriter`: keeps unsaved steps of the working labels on disk, from a thread of its own."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from napari_brainseg.annotation.edits import Edit
from napari_brainseg.annotation.journal import journal_path
from napari_brainseg.annotation.journal_format import JournalNote, Moment, encode_start, encode_step
from napari_brainseg.base.errors import OutputError
from napari_brainseg.base.paths import written_aside
from napari_brainseg.cases.labels import LabelArray

# A step is on disk at the latest this long after it, and the time that writing takes: well below two seconds.
DELAY_SECONDS = 0.5
# What could not be written is tried again.
RETRY_SECONDS = 10.0
# A journal that has grown to this many times the labels it starts from, and a little, starts again from newer ones.
GROWTH = 4
SPARE_BYTES = 2**18

Places = Callable[[], Iterable[Path]]

_log = logging.getLogger(__name__)


class Locks(Protocol):
    """Keeps other windows from offering the files of this one; called in the writer's thread."""

    def hold(self, path: Path) -> None:
        """A file is about to be this window's."""

    def release(self, path: Path) -> None:
        """A file is gone, or this window will be."""


class _OpenJournal:
    """A journal file that steps are added to."""

    def __init__(self, path: Path, note: JournalNote, labels: LabelArray, moment: Moment) -> None:
        """Begin the file; raise `OutputError` where that fails, with an older file left as it was."""
        start = encode_start(note, labels, moment)
        with written_aside(path, overwrite=True) as aside, aside.open("wb") as file:
            file.write(start)
            file.flush()
            os.fsync(file.fileno())
        try:
            # Unbuffered, so that what failed once is not tried again when the file is closed.
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error.strerror}). Choose another place.") from error
        self.path = path
        self._size, self._limit = len(start), GROWTH * len(start) + SPARE_BYTES

    @property
    def may_grow(self) -> bool:
        """Whether steps should be added, to a file that nobody has taken away."""
        return self._size < self._limit and self.path.exists()

    def add(self, records: bytes) -> None:
        """Add records; raise `OSError` where that fails, after which the file must be begun anew."""
        rest = memoryview(records)
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())
        self._size += len(records)

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:  # as when a network share is gone
            _log.warning("%s could not be closed: %s", self.path, error)


class JournalWriter:
    """Keep a copy of the working labels up to date, and the unsaved steps that led there in a file.

    The methods return at once and are called from one thread; an `Edit` that is given must never change again.

    Args:
        locks: Told of the files.
        told: Called in the writer's thread, with an empty text when all that is unsaved is on disk, or with a sentence
            that says why it is not.
    """

    def __init__(self, locks: Locks, told: Callable[[str], None]) -> None:
        self._locks, self._told = locks, told
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._labels: LabelArray | None = None
        self._moment = Moment(0, time.time())
        self._note: JournalNote | None = None
        self._places: Places = tuple
        self._journal: _OpenJournal | None = None
        self._steps: list[bytes] = []
        self._made: dict[str, set[Path]] = {}  # files of each layer, by its id
        self._replaced: set[Path] = set()
        self._due: float | None = None
        self._over = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def follow(self, labels: LabelArray) -> None:
        """Go on with other labels, uint8 (Z, Y, X), of which this takes a copy; they are saved so far."""
        self._tasks.put(partial(self._follow, np.array(labels, np.uint8, order="C")))

    def add(self, edit: Edit) -> None:
        """Note a whole step of the labels."""
        self._tasks.put(partial(self._add, edit, time.time()))

    def begin(self, note: JournalNote, places: Places, *, at_once: bool) -> None:
        """From now on the labels are unsaved; begin their file.

        Args:
            note: What they are.
            places: Returns the folders to keep the file in, the best first; called in the thread.
            at_once: They differ from what is saved as they are, not only after the next step.
        """
        self._tasks.put(partial(self._begin, note, places, at_once))

    def replaces(self, path: Path) -> None:
        """Delete another file, whose labels are in these now, once these are on disk or saved."""
        self._tasks.put(partial(self._replaced.add, path))

    def saved(self) -> None:
        """Delete the file: the labels are saved."""
        self._tasks.put(self._saved)

    def leave(self) -> None:
        """Let the labels go; what is unsaved stays on disk."""
        self._tasks.put(self._leave)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until what was noted so far is on disk, or was tried; False where that takes longer than `timeout`."""
        if not self._thread.is_alive():
            return False
        done = threading.Event()
        self._tasks.put(self._write)
        self._tasks.put(done.set)
        return done.wait(timeout)

    def close(self, timeout: float = 10.0) -> None:
        """Write what is unsaved, let it go and end the thread."""
        self._tasks.put(self._close)
        self._thread.join(timeout)

    # -- in the thread

    def _run(self) -> None:
        while not self._over:
            try:
                wait = None if self._due is None else max(0.0, self._due - time.monotonic())
                self._tasks.get(timeout=wait)()
            except queue.Empty:
                pass
            # Also while tasks come thick and fast.
            if self._due is not None and time.monotonic() >= self._due:
                self._write()

    def _follow(self, labels: LabelArray) -> None:
        self._labels, self._moment = labels, Moment(0, time.time())

    def _add(self, edit: Edit, at: float) -> None:
        if self._labels is None:
            return
        self._labels.reshape(-1)[edit.indices] = edit.after
        self._moment = Moment(self._moment.number + 1, at)
        if self._note is not None:
            if self._journal is not None:
                self._steps.append(encode_step(edit, self._moment))
            self._due_soon()

    def _begin(self, note: JournalNote, places: Places, at_once: bool) -> None:
        self._close_file()
        self._note, self._places = note, places
        if at_once:
            self._due_soon()

    def _saved(self) -> None:
        self._close_file()
        if self._note is not None:
            self._delete({*self._made.pop(self._note.layer_id, ()), *self._replaced})
            self._told("")
        self._forget()

    def _leave(self) -> None:
        if self._due is not None:
            self._write()
        self._close_file()
        self._forget()
        self._labels = None

    def _forget(self) -> None:
        self._replaced.clear()
        self._note, self._due = None, None
        self._places = tuple  # what finds them may hold a whole case

    def _close(self) -> None:
        self._leave()
        for path in set().union(*self._made.values()):
            self._locks.release(path)
        self._over = True

    def _due_soon(self) -> None:
        # Not put off by each step: the first unwritten one counts.
        if self._due is None:
            self._due = time.monotonic() + DELAY_SECONDS

    def _write(self) -> None:
        if self._due is None or self._note is None or self._labels is None:
            self._due = None
            return
        try:
            if not self._added():
                self._begin_file(self._note, self._labels)
        except OutputError as error:
            self._due = time.monotonic() + RETRY_SECONDS
            self._told(str(error))
            return
        self._due, replaced, self._replaced = None, self._replaced, set()
        self._delete(replaced)
        self._told("")

    def _added(self) -> bool:
        """Add the new steps to the file, and return whether they are in it."""
        if self._journal is None or not self._journal.may_grow:
            return False
        try:
            self._journal.add(b"".join(self._steps))
        except OSError as error:
            # Half a step may be in the file now. One that is begun anew, perhaps elsewhere, holds all of them.
            _log.warning("%s can no longer be written: %s", self._journal.path, error)
            return False
        self._steps.clear()
        return True

    def _begin_file(self, note: JournalNote, labels: LabelArray) -> None:
        """Begin a file in the best place that can be written; raise `OutputError` where none can."""
        problem = OutputError("There is no place to keep it.")
        self._close_file()
        for folder in self._places():
            path = journal_path(folder, note)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self._locks.hold(path)
                self._journal = _OpenJournal(path, note, labels, self._moment)
            except OSError as error:
                problem = OutputError(f"{folder} cannot be written ({error.strerror}). Choose another place.")
            except OutputError as error:
                problem = error
            else:
                made = self._made.setdefault(note.layer_id, set())
                self._delete(made - {path})
                made.add(path)
                return
        raise problem

    def _close_file(self) -> None:
        self._steps.clear()
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _delete(self, paths: Iterable[Path]) -> None:
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                _log.warning("%s could not be deleted: %s", path, error)
            self._locks.release(path)
