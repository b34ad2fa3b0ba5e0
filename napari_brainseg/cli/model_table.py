"""Two models side by side as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from textwrap import wrap

from napari_brainseg.model_store.comparing import NOTHING, ComparedFact, Comparison

_TITLE, _COLUMN = 28, 36


def print_comparison(comparison: Comparison, *, everything: bool) -> None:
    """Print a comparison.

    Args:
        comparison: What to print.
        everything: Settings that are the same too, and scores of cases that one model alone was scored on.
    """
    _print_row("", comparison.first, comparison.second)
    _print_section("", comparison.facts)
    _print_section("Data and corrections", comparison.data)
    settings = [row for row in comparison.settings if everything or not row.same]
    _print_section("Settings" if everything else "Settings that differ", settings)
    _print_section("Scores", comparison.scores)
    cases = [row for row in comparison.case_scores if everything or row.change is not None]
    _print_section("Scores of single cases", cases)
    left_out = len(comparison.settings) - len(settings) + len(comparison.case_scores) - len(cases)
    print()
    print(comparison.relation)
    for note in comparison.notes:
        print(note)
    if left_out:
        print(f"--all shows {left_out} more rows: settings that are the same, cases that one alone was scored on.")


def _print_section(title: str, rows: Sequence[ComparedFact]) -> None:
    if not rows:
        return
    if title:
        print(f"\n{title}")
    for row in rows:
        change = "" if row.change is None or NOTHING in (row.first, row.second) else f"{row.change:+.3f}"
        _print_row(row.title, row.first, row.second, change)


def _print_row(*cells: str) -> None:
    """Print cells in columns, the long ones over several lines."""
    wrapped: Iterable[list[str]] = (
        wrap(cell, _TITLE - 2 if column == 0 else _COLUMN - 2) or [""] for column, cell in enumerate(cells)
    )
    for title, first, second, *rest in zip_longest(*wrapped, fillvalue=""):
        print(f"  {title:{_TITLE}}{first:{_COLUMN}}{second:{_COLUMN}}{' '.join(rest)}".rstrip())
