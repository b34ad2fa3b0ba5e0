"""A window that is killed in the middle of painting, and the next one, which offers what was painted."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from napari_brainseg.plugin.widgets.workbench import Workbench

# A person at work: stroke after stroke with the mouse, now and then an undo. Each state is in the log before the next.
AT_WORK = """
import hashlib, os, sys, time
import numpy as np
import napari
from pathlib import Path
from qtpy.QtCore import QTimer
sys.path.insert(0, sys.argv[3])
from strokes import drag
from napari_brainseg.plugin.widgets.workbench import Workbench

viewer = napari.Viewer(show=False)
workbench = Workbench(viewer)
viewer.window.add_dock_widget(workbench, name="Brain segmentation", area="right")
log = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
rng = np.random.default_rng()


def note(_):
    digest = hashlib.sha256(np.ascontiguousarray(workbench.bridge.labels).tobytes()).hexdigest()
    os.write(log, f"{time.time():.4f} {digest}\\n".encode())


def work():
    bridge = workbench.bridge
    if workbench.case is None:
        return
    if bridge.layer is None:
        workbench.segment_control.start_from(workbench.segment_panel.start_box.itemData(0))
        bridge.edited.connect(note)
        return
    if rng.integers(8) == 0:
        bridge.undo()
        return
    layer = bridge.layer
    layer.mode, layer.brush_size, layer.selected_label = "paint", 3, int(rng.integers(1, 4))
    z, (y, x) = int(rng.integers(layer.data.shape[0])), rng.integers(2, 20, 2)
    viewer.dims.set_current_step(0, z)
    drag(layer, [(z, y, x), (z, y, x + 3), (z, y + 3, x + 3)])


timer = QTimer()
timer.timeout.connect(work)
timer.start(40)
workbench.open_paths([Path(sys.argv[1])])
napari.run(force=True)
"""


@pytest.fixture
def last_seen(case_folder: Path, tmp_path: Path, own_home: Path) -> dict[str, float]:
    """Kill a window four seconds after its first stroke; return how long before that each state was last there."""
    path = tmp_path / "log.txt"
    arguments = [case_folder, path, Path(__file__).parent.parent]
    process = subprocess.Popen([sys.executable, "-c", AT_WORK, *map(str, arguments)])
    deadline = time.monotonic() + 120
    while not path.exists() or not path.stat().st_size:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(4)
    process.kill()
    killed = time.time()
    process.wait()
    states = [line.split() for line in path.read_text().splitlines()]
    ends = [*(float(at) for at, _ in states[1:]), killed]
    return {digest: killed - end for (_, digest), end in zip(states, ends, strict=True)}


def test_after_a_kill_the_next_window_brings_back_what_there_was_at_most_two_seconds_before(
    last_seen: dict[str, float], workbench: Workbench, qtbot: Any
) -> None:
    assert len(last_seen) > 20
    offer = workbench.recovery_offer
    qtbot.waitUntil(lambda: bool(offer.journals), timeout=20_000)
    [journal] = offer.journals

    offer.restore_requested.emit(journal)
    qtbot.waitUntil(lambda: workbench.bridge.layer is not None, timeout=20_000)

    labels = workbench.bridge.labels
    assert labels is not None
    assert last_seen[hashlib.sha256(labels.tobytes()).hexdigest()] < 2
    assert workbench.bridge.dirty
    assert offer.isHidden()
