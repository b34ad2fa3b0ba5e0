"""A moment that was written to a file, as a person reads it."""

from __future__ import annotations

from datetime import datetime


def local_time(moment: str) -> str:
    """Return an ISO moment in local time to the minute, `2026-11-21 23:30`; a text of another form as it is."""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return moment
