"""Opening, correcting and exporting in the window of a process in which importing torch raises."""

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from case_files import CASE_ID

SCRIPT = """
import sys
from pathlib import Path

for name in ("torch", "monai", "lightning_fabric"):
    sys.modules[name] = None

import napari
from qtpy.QtTest import QTest
from napari_brainseg.plugin.widgets import workbench as module

module.IDLE_MS = 0
viewer = napari.Viewer(show=True)
workbench = module.Workbench(viewer)
viewer.window.add_dock_widget(workbench, name="Brain segmentation", area="right")

def wait(condition):
    for _ in range(600):
        if condition():
            return
        QTest.qWait(50)
    raise SystemExit("waited in vain")

workbench.open_paths([Path(sys.argv[1])])
wait(lambda: workbench.case is not None)
workbench.segment_control.start_from(workbench.segment_panel.start_box.itemData(0))
workbench.bridge.layer.paint((1, 5, 5), 1)
workbench.confirmations.confirm_slice()
workbench.export_panel.place.show_folder(Path(sys.argv[2]))
workbench.press("Export")
wait(lambda: workbench.export_panel.done.text().startswith("Wrote"))
wait(lambda: "Models cannot run here" in workbench.segment_panel.next_step.text())
assert sys.modules["torch"] is None
viewer.close()
print("done")
"""


def test_everything_but_models_works_without_torch(case_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(case_folder), str(tmp_path / "out")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)

    assert ran.stdout.strip().endswith("done"), ran.stderr[-2000:]
    written = np.asarray(nib.load(tmp_path / "out" / f"{CASE_ID}_seg.nii.gz").dataobj)
    assert 1 in written
