"""Long work in a thread: a generator driven beside the window, which hears of every ending and can cancel at once."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from qtpy.QtCore import QObject
from superqt.utils import WorkerBase, create_worker

from napari_brainseg.base.errors import BrainsegError, Cancelled
from napari_brainseg.base.progress import CancelToken

_log = logging.getLogger(__name__)
# A thread that is still inside torch when the interpreter goes away brings the process down.
atexit.register(WorkerBase.await_workers, 30_000)


class WorkError(BrainsegError):
    """An error from inside a computation that no file of ours foresaw."""


class BackgroundTask(QObject):
    """One generator running in a thread; its callbacks are called in the window's thread.

    Exactly one of `returned`, `errored` or neither (cancelled) is called, then always `finished`, once.
    """

    def __init__(
        self,
        token: CancelToken,
        progressed: Callable[[Any], None] | None,
        returned: Callable[[Any], None] | None,
        errored: Callable[[str], None],
        finished: Callable[[], None] | None,
    ) -> None:
        super().__init__()
        self._token = token
        self._progressed, self._returned, self._errored, self._finished = progressed, returned, errored, finished
        self._over = False

    @property
    def over(self) -> bool:
        """Whether the task has ended for the window; its thread may still be on its last step."""
        return self._over

    def cancel(self) -> None:
        """Free the form now; the thread stops at its next step, and whatever it still gives is dropped."""
        self._token.cancel()
        self._end()

    def _on_yielded(self, report: Any) -> None:
        if not self._over and self._progressed is not None:
            self._progressed(report)

    def _on_returned(self, result: Any) -> None:
        if self._over:
            return
        try:
            if self._returned is not None:
                self._returned(result)
        except BrainsegError as error:  # what the window makes of the result can fail too
            self._errored(str(error))
        finally:
            self._end()

    def _on_errored(self, error: Exception) -> None:
        if self._over:
            return
        try:
            if not isinstance(error, Cancelled):
                self._errored(sentence(error))
        finally:
            self._end()

    def _on_finished(self, *_: Any) -> None:
        self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            if self._finished is not None:
                self._finished()


def run_in_background(
    generator: Generator[Any, None, Any],
    *,
    errored: Callable[[str], None],
    token: CancelToken | None = None,
    progressed: Callable[[Any], None] | None = None,
    returned: Callable[[Any], None] | None = None,
    finished: Callable[[], None] | None = None,
) -> BackgroundTask:
    """Drive `generator` in a thread and return the task, whose `cancel` frees the window at once.

    Args:
        generator: Yields reports, returns the result.
        errored: Called with one sentence when the work fails; required, because a missing one would hide failures.
        token: The flag that the generator and its hooks read; set by `cancel`.
        progressed: Called with each report.
        returned: Called with the result, unless cancelled.
        finished: Called last, in every ending: the place where buttons come back.
    """
    token = token or CancelToken()
    task = BackgroundTask(token, progressed, returned, errored, finished)
    worker = create_worker(_driven, generator, token, _start_thread=False, _ignore_errors=True)
    worker.yielded.connect(task._on_yielded)
    worker.returned.connect(task._on_returned)
    worker.errored.connect(task._on_errored)
    # Covers a worker that napari stops on closing, and keeps the task alive as long as superqt keeps the worker.
    worker.finished.connect(partial(BackgroundTask._on_finished, task))
    worker.start()
    return task


def _driven(generator: Generator[Any, None, Any], token: CancelToken) -> Generator[Any, None, Any]:
    """Yield what `generator` yields until it ends or the token is set."""
    try:
        while True:
            token.raise_if_cancelled()
            try:
                report = next(generator)
            except StopIteration as stop:
                token.raise_if_cancelled()
                return stop.value
            yield report
    except RuntimeError as error:
        if token.cancelled:
            raise Cancelled from error
        # superqt takes a RuntimeError for a deleted worker and emits neither errored nor finished; torch raises one for
        # wrong shapes and for a full memory.
        raise WorkError(sentence(error)) from error
    finally:
        generator.close()


def sentence(error: Exception) -> str:
    """Return what a person should read about an error: our own text, or one sentence around a foreign one."""
    if isinstance(error, BrainsegError):
        return str(error)
    _log.error("A background task failed", exc_info=error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "The memory is full. Close other programs or choose another device, then try again."
    text = str(error).strip().split("\n")[0].rstrip(".")
    return (
        f"The computation failed inside: {text or type(error).__name__} ({type(error).__name__}). Nothing was changed."
    )
