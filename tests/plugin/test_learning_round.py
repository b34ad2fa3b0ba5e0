"""The whole round in the real window: segment, correct three slices, confirm, fine-tune, accept, segment, export."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tifffile

from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.sample_files import lgg_sample
from napari_brainseg.inference.engine import segment
from napari_brainseg.plugin.widgets.commands import workbench_of
from napari_brainseg.plugin.widgets.segment_control import go_to_slice
from napari_brainseg.plugin.widgets.workbench import Workbench


@pytest.fixture
def window(make_napari_viewer: Any, own_home: Any) -> Any:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 950)
    workbench = workbench_of(viewer)
    yield workbench
    workbench.close_down()


def _segment(workbench: Workbench, qtbot: Any) -> None:
    workbench.press("Segment")
    qtbot.waitUntil(lambda: not workbench.segment_panel.task.running, timeout=120_000)
    assert workbench.segment_panel.error.text() == ""


def _correct(workbench: Workbench, places: list[int]) -> np.ndarray:
    """Put the shifted reference into slices, as a brush would, and confirm each."""
    truth = np.asarray(workbench.case.labels.volume.data, np.uint8)
    for place in places:
        go_to_slice(workbench.viewer, workbench.case, place)
        labels = np.array(workbench.bridge.labels)
        labels[place] = np.roll(truth[place], 4, axis=1)
        workbench.bridge.apply(labels, "brush")
        workbench.press("Confirm")
    return np.array(workbench.bridge.labels)


def test_the_round_of_learning(window: Workbench, qtbot: Any, tmp_path: Any) -> None:
    window.open_paths([lgg_sample()])
    qtbot.waitUntil(lambda: window.case is not None, timeout=60_000)
    _segment(window, qtbot)
    areas = (np.asarray(window.case.labels.volume.data) > 0).sum(axis=(1, 2))
    places = sorted(np.argsort(-areas)[:3].tolist())
    corrected = _correct(window, places)
    assert [one.index for one in window.confirmations.slices] == places
    assert window.confirmations.protected_mask()[places].all()

    panel = window.learn_panel
    panel.form.steps.setValue(15)
    panel.row.start_button.click()
    qtbot.waitUntil(lambda: not panel.row.running, timeout=180_000)
    assert panel.error.text() == ""
    assert window.learn_controller.candidates.waiting
    assert panel.box.accept_button.isVisible()
    np.testing.assert_array_equal(window.bridge.labels, corrected)  # nothing changes before it is accepted

    panel.box.accept_button.click()
    qtbot.waitUntil(lambda: not window.learn_controller.candidates.waiting, timeout=60_000)
    assert window.segment_panel.model.display_name == "lgg·2"
    panel.box.take.all_button.click()
    taken = np.array(window.bridge.labels)
    scores = window.segment_panel.model.scores
    assert scores["held_out_words"].startswith("1 of 3 slices: ")
    assert {"held_out", "learnt", "phantom"} <= set(scores)
    wanted = run_to_end(segment(window.case, window.segment_panel.model)).labels.copy()
    wanted[places] = corrected[places]
    np.testing.assert_array_equal(taken, wanted)
    assert window.bridge.history.next_undo.source == "model run lgg·2"
    window.bridge.undo()
    np.testing.assert_array_equal(window.bridge.labels, corrected)
    window.bridge.redo()

    _segment(window, qtbot)
    np.testing.assert_array_equal(window.bridge.labels[places], corrected[places])
    again = np.array(window.bridge.labels)
    np.testing.assert_array_equal(again, wanted)

    window.export_panel.place.show_folder(tmp_path / "out")
    window.press("Export")
    qtbot.waitUntil(
        lambda: bool(window.export_panel.done.text()) and window.export_panel.labels_button.isEnabled(), timeout=60_000
    )
    masks = {int(path.stem.split("_")[-2]): tifffile.imread(path) for path in (tmp_path / "out").rglob("*_mask.tif")}
    np.testing.assert_array_equal(np.stack([masks[number] for number in sorted(masks)]) > 0, again > 0)
