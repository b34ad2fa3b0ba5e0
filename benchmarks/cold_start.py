"""From nothing to labels: a new process, the window, a case, one click, each step timed.

Every round is a process of its own that opens the real window with a case, waits until that is shown, presses Segment
at once and closes. A screen is needed (`make bench` brings a virtual one). The case is one of BRAINSEG_DATA, else a
phantom. Files are in the system's cache after the first round, which does not count.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
ROUNDS = 4
_QUICK_MS = 2


def _child(path: Path) -> None:
    """Open, click, wait for the labels, and print the seconds at which each step was reached."""
    reached = {"python runs": time.time()}
    import napari
    from qtpy.QtCore import QTimer

    reached["napari is imported"] = time.time()
    from napari_brainseg.plugin.widgets.window import open_window

    viewer, workbench = open_window([path])
    reached["window is shown"] = time.time()

    def look() -> None:
        task, layer = workbench.segment_panel.task, workbench.bridge.layer
        if "case is shown" not in reached:
            if workbench.case is not None:
                reached["case is shown"] = time.time()
                workbench.press("Segment")
                reached["click"] = time.time()
            return
        if "first labels" not in reached and layer is not None and layer.data.any():
            reached["first labels"] = time.time()
        if not task.running:
            timer.stop()
            reached["all labels"] = time.time()
            start = psutil.Process().create_time()
            error = workbench.segment_panel.error.text()
            told = {"error": error, "reached": {name: at - start for name, at in reached.items()}}
            print(json.dumps(told), flush=True)
            os._exit(0)  # nothing is to be saved or asked

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(_QUICK_MS)
    napari.run()
    del viewer


def a_case(kind: str, folder: Path) -> Path:
    """Return the folder of a case of BRAINSEG_DATA, else of a phantom that is written into `folder`."""
    from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
    from napari_brainseg.cases.reading import find_cases
    from napari_brainseg.cases.sample_files import write_slice_files, write_volume_files

    data = os.environ.get("BRAINSEG_DATA")
    if data:
        return next(files.folder for files in find_cases(Path(data) / kind) if files.folder is not None)
    if kind == "kaggle_3m":
        write_slice_files(make_lgg_phantom(1, 24), folder / kind)
    else:
        write_volume_files(make_volume_phantom(1, (155, 240, 240), (1.0, 1.0, 1.0)), folder / kind)
    return folder / kind


def run() -> None:
    """Print the median second at which each step is reached, counted from the start of the process."""
    with tempfile.TemporaryDirectory() as name:
        home = dict.fromkeys(("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), name)
        for kind in ("BraTS18", "kaggle_3m"):
            path = a_case(kind, Path(name))
            command = [sys.executable, "-m", "benchmarks.cold_start", str(path)]
            rounds = []
            for _ in range(ROUNDS):
                done = subprocess.run(
                    command, cwd=ROOT, env={**os.environ, **home}, capture_output=True, text=True, timeout=300
                )
                if done.returncode or not done.stdout.strip():
                    raise RuntimeError(f"the window ended early: {done.stderr[-2000:]}")
                told = json.loads(done.stdout.splitlines()[-1])
                if told["error"]:
                    raise RuntimeError(told["error"])
                rounds.append(told["reached"])
            counted = rounds[1:]
            at = {step: statistics.median(one[step] for one in counted) for step in counted[0]}
            print(f"cold start with {path.name}: " + ", ".join(f"{step} {second:.2f} s" for step, second in at.items()))
            first, whole = at["first labels"] - at["click"], at["all labels"] - at["click"]
            print(f"  from the click: first labels {first:.2f} s, all {whole:.2f} s", flush=True)


if __name__ == "__main__":
    _child(Path(sys.argv[1]))
