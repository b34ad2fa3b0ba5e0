"""`brainseg app [PATH…]`: the window with the workbench."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from napari_brainseg.base.errors import InputError, MissingExtraError
from napari_brainseg.cli.opening import add_opening_arguments, opening_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `app`."""
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="case folders or files to open")
    add_opening_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Open the window and return when it is closed."""
    for path in arguments.paths:
        if not path.exists():
            raise InputError(f"{path} does not exist. Give a case folder or its files.")
    need_napari()
    # The only way from the shell into the window; everything of Qt waits until here.
    from napari_brainseg.plugin.widgets.window import open_window, run_until_closed

    open_window(arguments.paths, opening_options(arguments))
    run_until_closed()
    return 0


def need_napari() -> None:
    """Raise `MissingExtraError` where napari or a Qt binding is not installed."""
    if find_spec("napari") is None:
        raise MissingExtraError("napari", "all")
    if not any(find_spec(name) for name in ("PyQt6", "PySide6", "PyQt5", "PySide2")):
        raise MissingExtraError("A Qt binding", "all")
