"""Long work as generators: what they yield, how they are stopped and how they are run to their end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from napari_brainseg.base.errors import Cancelled

Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far a long task is: `done` of `total` steps, and what it is doing, in words."""

    done: int
    total: int
    message: str = ""

    @property
    def fraction(self) -> float:
        """Return the share done, 0 to 1; 0 where the total is not known."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


class CancelToken:
    """A flag that one thread sets and a long task, with its hooks, reads.

    Args:
        parent: Of a part of a larger task: where that is cancelled, so is this, but not the other way round.
    """

    def __init__(self, parent: CancelToken | None = None) -> None:
        self._event, self._parent = threading.Event(), parent

    def cancel(self) -> None:
        """Ask the task to stop; harmless when repeated."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked the task to stop."""
        return self._event.is_set() or (self._parent is not None and self._parent.cancelled)

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` once the flag is set."""
        if self.cancelled:
            raise Cancelled


def run_to_end(task: Generator[Any, None, Result], on_progress: Callable[[Any], None] | None = None) -> Result:
    """Run a long task to its end and return its result.

    Args:
        task: A generator that yields `Progress` (or another report) and returns its result.
        on_progress: Called with each report.
    """
    while True:
        try:
            report = next(task)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        if on_progress is not None:
            on_progress(report)
