"""The code stays small: one concept a file, and functions that fit on a screen."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "napari_brainseg").rglob("*.py"))


def test_files_are_small():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: n for path, n in lengths.items() if n > 400} == {}
    assert sorted(lengths.values())[len(lengths) // 2] <= 150


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_fit_on_a_screen(path):
    functions = (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.FunctionDef))
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions if f.end_lineno - f.lineno >= 60}
    assert long == {}


def test_no_file_is_a_drawer_for_odds_and_ends():
    assert not {path.stem for path in FILES} & {"utils", "helpers", "misc", "common"}
