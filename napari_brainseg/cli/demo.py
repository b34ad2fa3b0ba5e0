"""`brainseg demo`: the sample case segmented in the window, or, where there is no display, a picture of it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from napari_brainseg.base.errors import InputError
from napari_brainseg.cli.app import need_napari

SCREEN = "-screen 0 1600x1000x24"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `demo`."""
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="where picture and labels go")
    parser.add_argument(
        "--picture", action="store_true", help="write the picture and end, as is done where there is no display"
    )


def run(arguments: argparse.Namespace) -> int:
    """Segment the sample case and show it, or write a picture of it."""
    need_napari()
    if not has_any_screen():
        return _under_virtual_screen(arguments.out)
    from napari_brainseg.plugin.widgets.window import demonstrate, open_window, run_until_closed, save_demonstration

    viewer, workbench = open_window()
    if not arguments.picture and has_real_screen():
        demonstrate(viewer, workbench)
        run_until_closed()
        return 0
    try:
        demonstrate(viewer, workbench)
        for path in save_demonstration(viewer, workbench, arguments.out):
            print(path)
    finally:
        viewer.close()
    return 0


def has_any_screen() -> bool:
    """Whether a window can be opened at all; on Windows and macOS it always can."""
    return not sys.platform.startswith("linux") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("QT_QPA_PLATFORM")
    )


def has_real_screen() -> bool:
    """Whether somebody can see the window: xvfb-run names its authority file after itself."""
    return has_any_screen() and "xvfb" not in os.environ.get("XAUTHORITY", "")


def _under_virtual_screen(folder: Path) -> int:
    screen = shutil.which("xvfb-run")
    if screen is None:
        raise InputError("There is no display. Install xvfb (apt-get install xvfb) to get a picture of the window.")
    command = [screen, "-a", "-s", SCREEN, sys.executable, "-m", "napari_brainseg", "demo", "--picture"]
    os.execv(screen, [*command, "--out", str(folder)])
