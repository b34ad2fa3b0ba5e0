"""The main job in the real window: open the sample, segment, paint, undo, confirm, fine-tune, export, reopen."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.sample_files import volume_sample
from napari_brainseg.model_store.store import list_models
from napari_brainseg.plugin.layers import Role
from napari_brainseg.plugin.widgets import mouse as mouse_module
from napari_brainseg.plugin.widgets.canvas import canvas_widget, main_window
from napari_brainseg.plugin.widgets.commands import workbench_of
from napari_brainseg.plugin.widgets.workbench import Workbench

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(make_napari_viewer: Any, own_home: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    # The window was activated a moment ago, by the test.
    monkeypatch.setattr(mouse_module, "ACTIVATING_SECONDS", 0.0)
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 950)
    workbench = workbench_of(viewer)
    yield workbench
    workbench.close_down()


def _open(workbench: Workbench, qtbot: Any, folder: Any) -> None:
    workbench.open_paths([folder])
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=60_000)


def _segment(workbench: Workbench, qtbot: Any) -> None:
    workbench.press("Segment")
    qtbot.waitUntil(lambda: not workbench.segment_panel.task.running, timeout=120_000)
    assert workbench.segment_panel.error.text() == ""


def _stroke(canvas: Any) -> None:
    start = QPoint(canvas.width() // 3, canvas.height() // 3)
    QTest.mousePress(canvas, LEFT, pos=start)
    for step in range(1, 6):
        QTest.mouseMove(canvas, start + QPoint(6 * step, 0))
        QTest.qWait(20)
    QTest.mouseRelease(canvas, LEFT, pos=start + QPoint(30, 0))
    QTest.qWait(50)


def _teach(workbench: Workbench, qtbot: Any) -> None:
    panel = workbench.learn_panel
    panel.form.steps.setValue(2)
    panel.row.start_button.click()
    qtbot.waitUntil(lambda: not panel.row.running, timeout=180_000)
    assert panel.error.text() == ""
    panel.box.accept_button.click()
    qtbot.waitUntil(lambda: panel.box.headline.text() == "Accepted", timeout=60_000)
    project = workbench.project_control.project
    assert list_models([project.models])[0].folder.parent == project.models
    assert workbench.segment_panel.model.name == "brats-2"


def test_the_main_job_end_to_end(window: Workbench, qtbot: Any, tmp_path: Any) -> None:
    _open(window, qtbot, volume_sample())
    _segment(window, qtbot)
    layer = window.bridge.layer
    predicted = layer.data.copy()
    truth = window.case.labels.volume.data
    overlap = (
        2 * np.count_nonzero((predicted > 0) & (truth > 0)) / (np.count_nonzero(predicted) + np.count_nonzero(truth))
    )
    assert overlap > 0.7

    canvas = canvas_widget(window.viewer)
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_1)
    assert (str(layer.mode), layer.selected_label) == ("paint", 1)
    _stroke(canvas)
    painted = layer.data.copy()
    assert np.count_nonzero(painted != predicted) > 0
    assert window.bridge.dirty

    window.viewer.layers.selection.active = layer
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    np.testing.assert_array_equal(layer.data, predicted)
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    np.testing.assert_array_equal(layer.data, painted)

    window.press("Confirm")
    assert window.confirmations.is_confirmed()
    assert window.learn_panel.row.start_button.isEnabled()

    _teach(window, qtbot)

    window.export_panel.place.show_folder(tmp_path / "out")
    window.press("Export")
    qtbot.waitUntil(
        lambda: bool(window.export_panel.done.text()) and window.export_panel.labels_button.isEnabled(), timeout=60_000
    )
    files = list((tmp_path / "out").glob("*.nii.gz"))
    written = np.asarray(nib.load(files[0]).dataobj)
    assert np.count_nonzero(written) == np.count_nonzero(painted)

    window.save_button.click()
    _open_again(window, qtbot, files[0], painted)


def _open_again(window: Workbench, qtbot: Any, exported: Any, painted: Any) -> None:
    first = window.case
    window.open_paths([volume_sample()])
    qtbot.waitUntil(lambda: window.case is not first and window.bridge.layer is not None, timeout=60_000)
    np.testing.assert_array_equal(window.bridge.layer.data, painted)
    assert window.layers.ours(Role.WORKING) == [window.bridge.layer]
    qtbot.waitUntil(lambda: len(window.confirmations.slices) == 1, timeout=60_000)
    window.case_control.attach(exported)
    qtbot.waitUntil(lambda: window.case.labels.path == exported, timeout=60_000)
    np.testing.assert_array_equal(window.case.labels.volume.data, painted)


def test_the_screenshot_shows_class_colours_over_anatomy(window: Workbench, qtbot: Any) -> None:
    _open(window, qtbot, volume_sample())
    window.segment_control.start_from(window.segment_panel.start_box.itemData(0))
    for layer in window.layers.ours(Role.REFERENCE):
        layer.visible = False
    window.bridge.layer.opacity = 1.0
    qtbot.wait(300)
    picture = window.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)

    for label_class in BRATS2017.classes:
        wanted = np.array(label_class.colour) * 255
        assert np.count_nonzero(np.abs(picture - wanted).max(axis=-1) < 12) > 50, label_class.name
    grey = (np.ptp(picture, axis=-1) < 8) & (picture.mean(axis=-1) > 60)
    assert np.count_nonzero(grey) > 10_000
    # The patient's left is on the right of the screen, and the sample's tumour is in the left hemisphere.
    yellow = np.abs(picture - np.array(BRATS2017.classes[2].colour) * 255).max(axis=-1) < 12
    assert np.argwhere(yellow)[:, 1].mean() > picture.shape[1] / 2
    assert main_window(window.viewer).isVisible()
