"""`WorkTime`: how long a person has really worked, from the moments at which something was done."""

from __future__ import annotations

# A person who does nothing for longer than this is not at work.
LONGEST_PAUSE = 30.0


class WorkTime:
    """Seconds between one action and the next, unless the pause was longer than `LONGEST_PAUSE`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._last: float | None = None

    def act(self, now: float) -> None:
        """Note that something was done at `now`, in seconds of a clock that never goes back."""
        if self._last is not None and now - self._last <= LONGEST_PAUSE:
            self.seconds += now - self._last
        self._last = now
