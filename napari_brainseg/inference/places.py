"""`Places`: how many cases of a cohort are computed at once, and with how many threads each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from napari_brainseg.base.progress import CancelToken

_POLL = 0.2  # seconds after which a wait looks whether it was cancelled


class Places:
    """Lets so many computations run at once.

    Two cores do less than twice the work of one on one slice, which is too small for them, and wait while a case is
    read and written. So on a CPU two cases are computed at a time, each on half of the cores. A 3-D network fills all
    cores, and its windows the memory: it takes every place.

    Args:
        count: How many there are.
        threads: Threads of a computation that takes one place; None where that is left as it is.
    """

    def __init__(self, count: int, threads: int | None = None) -> None:
        self._free = self._count = count
        self._threads = threads
        self._changed = threading.Condition()

    @classmethod
    @contextmanager
    def on(cls, device: torch.device, cases: int) -> Iterator[Places]:
        """Give the places that are best for so many cases on a device; torch's number of threads comes back after."""
        threads = torch.get_num_threads()
        if device.type != "cpu" or cases < 2 or threads < 2:
            yield cls(1)
            return
        try:
            yield cls(2, threads // 2)
        finally:
            torch.set_num_threads(threads)

    @contextmanager
    def taken(self, every: bool, token: CancelToken) -> Iterator[None]:
        """Wait for a place, or for every one, and hold it; raise `Cancelled` where the token is meanwhile."""
        wanted = self._count if every else 1
        with self._changed:
            while not self._changed.wait_for(lambda: self._free >= wanted, _POLL):
                token.raise_if_cancelled()
            self._free -= wanted
        try:
            if self._threads is not None:
                torch.set_num_threads(wanted * self._threads)  # of this thread
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()
