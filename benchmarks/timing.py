"""Times of two ways to do one thing, taken in turn so that both see the same machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Task = Callable[[], object]


def in_turn(ours: Task, theirs: Task, repeats: int = 7) -> tuple[list[float], list[float]]:
    """Return the seconds of each repeat of both tasks, after one unmeasured round that fills the file cache."""
    ours(), theirs()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for task, taken in zip((ours, theirs), seconds, strict=True):
            start = time.perf_counter()
            task()
            taken.append(time.perf_counter() - start)
    return seconds


def compared(what: str, ours: list[float], theirs: list[float], their_name: str) -> str:
    """Return one line: both medians with their ranges, and the ratio."""
    mine, other = statistics.median(ours), statistics.median(theirs)
    return (
        f"{what}: brainseg {mine:.3f} s ({min(ours):.3f}-{max(ours):.3f}), "
        f"{their_name} {other:.3f} s ({min(theirs):.3f}-{max(theirs):.3f}), "
        f"ratio {other / mine:.2f}"
    )
