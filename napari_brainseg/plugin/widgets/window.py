"""A napari window with the workbench docked, and the demonstration that runs in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import napari
from napari.viewer import Viewer
from qtpy.QtCore import QEventLoop, QTimer

from napari_brainseg.base.errors import BrainsegError, ModelError, OutputError
from napari_brainseg.base.paths import written_aside
from napari_brainseg.cases.reading import OpenOptions
from napari_brainseg.cases.sample_files import volume_sample
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.writing import write_outputs
from napari_brainseg.plugin.widgets.canvas import main_window
from napari_brainseg.plugin.widgets.commands import workbench_of
from napari_brainseg.plugin.widgets.workbench import Workbench

SIZE = (1400, 950)
# A cold torch on a slow machine takes a while; a demonstration that hangs for ever would be worse.
PATIENCE = 300.0


def open_window(paths: Sequence[Path] = (), options: OpenOptions | None = None) -> tuple[Viewer, Workbench]:
    """Open a napari window with the workbench docked, and in it the cases of `paths`."""
    viewer = Viewer(title="Brain segmentation")
    viewer.window.resize(*SIZE)
    workbench = workbench_of(viewer)
    if paths:
        workbench.open_paths(list(paths), options)
    return viewer, workbench


def run_until_closed() -> None:
    """Give the window to the person until it is closed."""
    napari.run()


def demonstrate(viewer: Viewer, workbench: Workbench) -> None:
    """Open the sample volume, segment it with the model made for it and show the largest slice of the result.

    Raises:
        BrainsegError: The sample, the model or the run failed; the sentence is the panel's.
    """
    workbench.patterns_row.hide()
    workbench.open_paths([volume_sample()])
    _wait(lambda: workbench.case is not None or bool(workbench.case_panel.error.text()))
    _refuse(workbench.case_panel.error.text())
    panel = workbench.segment_panel
    if panel.model is None:
        raise ModelError(panel.next_step.text())
    workbench.press("Segment")
    _wait(lambda: not panel.task.running)
    _refuse(panel.error.text())


def save_demonstration(viewer: Viewer, workbench: Workbench, folder: Path) -> tuple[Path, ...]:
    """Write the picture of the whole window and the exported labels into `folder`, and return their paths."""
    case, labels, scheme = workbench.case, workbench.bridge.labels, workbench.bridge.scheme
    if case is None or labels is None or scheme is None:
        raise ModelError("The demonstration has no result to save.")
    picture = folder / "window.png"
    _settle()
    with written_aside(picture, overwrite=True) as aside:
        if not main_window(viewer).grab().save(str(aside)):
            raise OutputError(f"{picture} could not be written. Choose another folder.")
    result = Segmentation.for_case(case, labels, scheme)
    return (picture, *write_outputs(result, folder, overwrite=True))


def _refuse(sentence: str) -> None:
    if sentence:
        raise BrainsegError(sentence)


def _settle() -> None:
    """Let everything that waits be drawn."""
    end = time.monotonic() + 1.0
    _wait(lambda: time.monotonic() > end)


def _wait(condition: Callable[[], bool]) -> None:
    """Run the window until `condition` holds; raise `BrainsegError` when it never does."""
    end = time.monotonic() + PATIENCE
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() or time.monotonic() > end else None)
    timer.start(50)
    loop.exec()
    timer.stop()
    if not condition():
        raise BrainsegError(f"Nothing happened for {PATIENCE:.0f} s. Close other programs and try again.")
