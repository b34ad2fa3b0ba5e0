"""Unsaved work goes back into the exam that it is of, in the real window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case_files import write_case

from napari_brainseg.annotation.recovery import Recovery
from napari_brainseg.plugin.widgets.workbench import Workbench


@pytest.fixture
def lost(opened: Workbench) -> Any:
    """Labels that a window which is gone left unsaved."""
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    layer = opened.bridge.layer
    assert layer is not None
    layer.paint((1, 10, 10), 1)
    labels = np.array(opened.bridge.labels)
    opened.recovery.write_now()
    opened.close_down()
    return labels


@pytest.fixture
def next_start(lost: Any, make_napari_viewer: Callable[..., Any]) -> Iterator[Workbench]:
    """The window of the next start."""
    viewer = make_napari_viewer()
    workbench = Workbench(viewer)
    viewer.window.add_dock_widget(workbench, name="Brain segmentation", area="right")
    yield workbench
    workbench.close_down()


def _open(workbench: Workbench, folder: Path, qtbot: Any) -> None:
    workbench.open_paths([folder])
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)


def _restore(workbench: Workbench, qtbot: Any) -> Recovery:
    (recovery,) = workbench.recovery_offer.recoveries
    workbench.recovery_offer.restore_requested.emit(recovery)
    qtbot.waitUntil(lambda: workbench.bridge.layer is not None, timeout=20_000)
    return recovery


def test_labels_go_back_to_their_own_patient_not_to_one_with_the_same_case_id(
    next_start: Workbench, case_folder: Path, lost: Any, tmp_path: Path, qtbot: Any
) -> None:
    _open(next_start, write_case(tmp_path / "other patient"), qtbot)

    _restore(next_start, qtbot)

    assert next_start.case is not None
    assert next_start.case.paths["flair"][0].parent == case_folder
    np.testing.assert_array_equal(next_start.bridge.labels, lost)


def test_the_case_comes_back_with_its_labels(next_start: Workbench, case_folder: Path, lost: Any, qtbot: Any) -> None:
    _restore(next_start, qtbot)

    case = next_start.case
    assert case is not None
    assert case.labels is not None
    assert case.labels.path == next(case_folder.glob("*_seg.nii.gz"))
    assert case.label_paths == (case.labels.path,)
    np.testing.assert_array_equal(next_start.bridge.labels, lost)


def test_restored_work_does_not_replace_unsaved_work(
    next_start: Workbench, case_folder: Path, lost: Any, qtbot: Any
) -> None:
    _open(next_start, case_folder, qtbot)
    next_start.segment_control.start_from(next_start.segment_panel.start_box.itemData(0))
    mine = next_start.bridge.layer
    mine.paint((2, 12, 12), 3)
    painted = np.array(next_start.bridge.labels)

    _restore(next_start, qtbot)

    assert next_start.bridge.layer is not mine
    np.testing.assert_array_equal(next_start.bridge.labels, lost)
    np.testing.assert_array_equal(mine.data, painted)


def test_a_reference_that_is_gone_keeps_nobody_from_unsaved_work(
    next_start: Workbench, case_folder: Path, lost: Any, qtbot: Any
) -> None:
    next(case_folder.glob("*_seg.nii.gz")).unlink()

    _restore(next_start, qtbot)

    np.testing.assert_array_equal(next_start.bridge.labels, lost)


def test_what_another_window_works_on_is_not_offered(
    opened: Workbench, make_napari_viewer: Callable[..., Any], qtbot: Any
) -> None:
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    layer = opened.bridge.layer
    assert layer is not None
    layer.paint((1, 10, 10), 1)
    with qtbot.waitSignal(opened.recovery.written):
        opened.recovery.write()

    second = Workbench(make_napari_viewer())
    assert second.recovery_offer.recoveries == ()
    second.close_down()

    opened.close_down()
    third = Workbench(make_napari_viewer())
    assert len(third.recovery_offer.recoveries) == 1
    third.close_down()
