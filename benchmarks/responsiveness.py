"""Whether the window stays usable: gaps between ticks of its event loop while a model segments and while it is taught.

A real window with an LGG patient and the shipped model: Segment, confirm ten slices, Fine-tune. A timer ticks every 5
ms; a gap is the time between two ticks. A screen is needed (`make bench` brings a virtual one).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.cold_start import a_case

ROOT = Path(__file__).parents[1]
_TICK_MS = 5
SLICES = 10


def _child(path: Path) -> None:
    """Segment and teach in a real window; print the gaps of both in seconds."""
    from qtpy.QtCore import QEventLoop, QTimer

    from napari_brainseg.plugin.widgets.window import open_window

    _, workbench = open_window([path])
    loop, gaps, last = QEventLoop(), list[float](), [time.perf_counter()]
    until: list[Callable[[], bool]] = [lambda: True]

    def tick() -> None:
        now = time.perf_counter()
        gaps.append(now - last[0])
        last[0] = now
        if until[0]():
            loop.quit()

    def wait(condition: Callable[[], bool]) -> list[float]:
        until[0] = condition
        gaps.clear()
        last[0] = time.perf_counter()
        loop.exec()
        return list(gaps)

    timer = QTimer()
    timer.timeout.connect(tick)
    timer.start(_TICK_MS)
    wait(lambda: workbench.case is not None)
    settled = time.perf_counter() + 8  # torch loads when the window has been idle for a moment
    wait(lambda: time.perf_counter() > settled)
    workbench.press("Segment")
    wait(lambda: not workbench.segment_panel.task.running)  # the model is loaded
    workbench.press("Segment")
    segmenting = wait(lambda: not workbench.segment_panel.task.running)
    labels = workbench.bridge.labels
    middle = int(np.argmax((labels > 0).sum(axis=(1, 2))))
    first = max(0, min(middle - SLICES // 2, len(labels) - SLICES))
    workbench.confirmations.confirm_range(first, first + SLICES - 1)
    button = workbench.learn_panel.row.start_button
    wait(button.isEnabled)
    button.click()
    teaching = wait(lambda: not workbench.learn_panel.row.running)
    print(json.dumps({"segmenting": segmenting, "teaching": teaching}), flush=True)
    os._exit(0)  # nothing is to be saved or asked


def run() -> None:
    """Print the 99th percentile and the longest gap while segmenting and while teaching."""
    with tempfile.TemporaryDirectory() as name:
        home = dict.fromkeys(("BRAINSEG_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), name)
        path = a_case("kaggle_3m", Path(name))
        command = [sys.executable, "-m", "benchmarks.responsiveness", str(path)]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **home}, capture_output=True, text=True, timeout=600
        )
        if done.returncode or not done.stdout.strip():
            raise RuntimeError(f"the window ended early: {done.stderr[-2000:]}")
        for what, gaps in json.loads(done.stdout.splitlines()[-1]).items():
            print(
                f"{what}, {path.name}: {sum(gaps):.1f} s, gaps between ticks: 99th percentile "
                f"{1000 * np.percentile(gaps, 99):.0f} ms, longest {1000 * max(gaps):.0f} ms",
                flush=True,
            )


if __name__ == "__main__":
    _child(Path(sys.argv[1]))
