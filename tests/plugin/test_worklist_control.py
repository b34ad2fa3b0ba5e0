"""The worklist in the real window: places, confirmed slices, keys, and the way from case to case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from case_files import TUMOUR_SLICE, write_case
from qtpy.QtGui import QKeySequence
from qtpy.QtTest import QTest

from napari_brainseg.annotation.case_worklist import rank_cases
from napari_brainseg.plugin.widgets.canvas import canvas_widget, main_window
from napari_brainseg.plugin.widgets.commands import workbench_of
from napari_brainseg.plugin.widgets.workbench import Workbench


@pytest.fixture
def window(make_napari_viewer: Any, own_home: Any) -> Any:
    viewer = make_napari_viewer(show=True)
    workbench = workbench_of(viewer)
    window = main_window(viewer)
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    yield workbench
    workbench.close_down()


@pytest.fixture
def folder(tmp_path: Any) -> Any:
    for number in (1, 2, 3):
        write_case(tmp_path / "data", f"Brats18_{number}_1")
    return tmp_path / "data"


@pytest.fixture
def opened(window: Workbench, folder: Any, qtbot: Any) -> Workbench:
    window.open_paths([folder])
    qtbot.waitUntil(lambda: window.case is not None and len(window.worklist.cases.lines) == 3, timeout=20_000)
    return window


@pytest.fixture
def working(opened: Workbench, qtbot: Any) -> Workbench:
    """The first case, with a tumour that is missing on one of its slices."""
    _start(opened)
    labels = np.zeros_like(opened.bridge.labels)
    labels[1:9, 10:22, 12:24] = 2
    labels[TUMOUR_SLICE] = 0
    opened.bridge.apply(labels, "brush")
    qtbot.waitUntil(lambda: _first(opened) == TUMOUR_SLICE, timeout=10_000)
    return opened


def _start(workbench: Workbench) -> None:
    workbench.segment_control.start_from(workbench.segment_panel.start_box.itemData(0))


def _first(workbench: Workbench) -> int | None:
    places = workbench.worklist.places.places
    return places[0].index if places else None


def _shown(workbench: Workbench) -> int:
    return int(workbench.viewer.dims.current_step[0])


def _press(workbench: Workbench, key: str) -> None:
    combination = QKeySequence(key)[0]
    QTest.keyClick(canvas_widget(workbench.viewer), combination.key(), combination.keyboardModifiers())


def test_n_shows_the_planted_slice_and_k_takes_it_off_the_list(working: Workbench, qtbot: Any) -> None:
    working.viewer.dims.set_current_step(0, 0)

    _press(working, "N")
    assert _shown(working) == TUMOUR_SLICE
    assert working.worklist_panel.reason.text().startswith(f"Slice {TUMOUR_SLICE}: no ")

    _press(working, "K")
    assert _first(working) != TUMOUR_SLICE
    assert working.folds["Worklist"].summary.full_text == "1 of 3 corrected"
    assert working.worklist.cases.lines[0].state == "1 confirmed"
    _press(working, "N")
    second = _shown(working)
    assert second != TUMOUR_SLICE
    _press(working, "N")
    assert _shown(working) != second
    _press(working, "Shift+N")
    assert _shown(working) == second


def test_page_down_and_up_open_the_cases_and_keep_what_was_done(working: Workbench, qtbot: Any) -> None:
    _press(working, "N")
    _press(working, "K")
    dirty = np.array(working.bridge.labels)

    _press(working, "PgDown")
    qtbot.waitUntil(lambda: working.case.id == "Brats18_2_1", timeout=20_000)
    assert [line.state for line in working.worklist.cases.lines] == ["1 confirmed", "labelled", "labelled"]
    assert working.worklist.places.places == []
    assert working.worklist.cases.here == 1

    _press(working, "PgUp")
    qtbot.waitUntil(lambda: working.case.id == "Brats18_1_1" and working.bridge.layer is not None, timeout=20_000)
    np.testing.assert_array_equal(working.bridge.labels, dirty)
    _press(working, "PgUp")
    qtbot.wait(100)
    assert working.case.id == "Brats18_1_1"
    assert working.viewer.status == "There is no further case in the list."


def test_two_steps_at_once_go_two_cases_on(opened: Workbench, qtbot: Any) -> None:
    _press(opened, "PgDown")
    _press(opened, "PgDown")

    qtbot.waitUntil(lambda: opened.case.id == "Brats18_3_1", timeout=20_000)


def test_the_project_keeps_what_was_seen_and_lists_it_at_the_next_start(working: Workbench, qtbot: Any) -> None:
    project = working.project_control.project

    def noted() -> bool:
        return any(line.outlook is not None for line in rank_cases(project))

    qtbot.waitUntil(noted, timeout=10_000)
    seen = working.worklist.cases.lines[0].outlook
    assert rank_cases(project)[0].outlook.is_like(seen)
    assert seen.expected_error > 0.1
    assert [line.rank for line in working.worklist.cases.lines] == [1, 2, 3]


def test_a_case_of_the_project_that_is_in_no_open_folder_is_opened_from_the_list(
    window: Workbench, folder: Any, qtbot: Any
) -> None:
    window.open_paths([folder / "Brats18_2_1"])
    qtbot.waitUntil(lambda: window.case is not None, timeout=20_000)
    _start(window)
    qtbot.waitUntil(lambda: bool(rank_cases(window.project_control.project)), timeout=10_000)
    window.close_down()

    again = Workbench(window.viewer)
    try:
        qtbot.waitUntil(lambda: len(again.worklist.cases.lines) == 1, timeout=10_000)
        again.open_paths([folder / "Brats18_3_1"])
        qtbot.waitUntil(lambda: len(again.worklist.cases.lines) == 2, timeout=20_000)
        qtbot.waitUntil(lambda: again.case is not None and again.case.id == "Brats18_3_1", timeout=20_000)
        place = [line.id for line in again.worklist.cases.lines].index("Brats18_2_1")

        again.worklist_panel.case_chosen.emit(place)

        qtbot.waitUntil(lambda: again.case.id == "Brats18_2_1", timeout=20_000)
        assert again.worklist.cases.here == place
        assert len(again.worklist.cases.lines) == 2
    finally:
        again.close_down()


def test_a_run_is_asked_for_its_uncertainty_and_shows_no_map_unasked(
    opened: Workbench, tiny_model: str, qtbot: Any
) -> None:
    opened.segment_control.refresh_models(tiny_model)
    opened.press("Segment")
    qtbot.waitUntil(lambda: not opened.segment_panel.task.running, timeout=60_000)
    assert opened.segment_panel.error.text() == ""
    qtbot.waitUntil(lambda: _first(opened) is not None, timeout=10_000)

    # A model that was never trained is unsure everywhere, which outweighs what its labels look like.
    assert opened.worklist.places.places[0].reason.startswith("unsure")
    assert not [layer for layer in opened.viewer.layers if layer.name == "uncertainty"]
    assert opened.worklist.cases.lines[0].outlook.expected_error is not None


def test_the_head_brings_the_cases_into_the_order_of_their_ranks(opened: Workbench, qtbot: Any) -> None:
    _press(opened, "PgDown")
    qtbot.waitUntil(lambda: opened.case.id == "Brats18_2_1", timeout=20_000)
    _start(opened)
    qtbot.waitUntil(lambda: opened.worklist.cases.lines[1].rank == 1, timeout=10_000)
    assert [line.rank for line in opened.worklist.cases.lines] == [2, 1, 3]

    opened.worklist_panel.sort_requested.emit()

    assert [line.id for line in opened.worklist.cases.lines] == ["Brats18_2_1", "Brats18_1_1", "Brats18_3_1"]
    assert opened.worklist.cases.here == 0
