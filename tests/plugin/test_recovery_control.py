"""Unsaved work goes back into the exam that it is of, in the real window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from case_files import write_case
from qtpy.QtWidgets import QLabel, QPushButton

from napari_brainseg.annotation.journal import Journal, journal_folder
from napari_brainseg.plugin.widgets.workbench import Workbench

MakeWindow = Callable[[], Workbench]


@pytest.fixture
def make_window(make_napari_viewer: Callable[..., Any], qtbot: Any) -> Iterator[MakeWindow]:
    """Windows that have looked for unsaved work."""
    made: list[Workbench] = []

    def make() -> Workbench:
        viewer = make_napari_viewer()
        made.append(Workbench(viewer))
        viewer.window.add_dock_widget(made[-1], name="Brain segmentation", area="right")
        qtbot.waitSignal(made[-1].recovery_control.looked, timeout=20_000).wait()
        return made[-1]

    yield make
    for workbench in made:
        workbench.close_down()


@pytest.fixture
def lost(opened: Workbench) -> Any:
    """Labels that a window which is gone left unsaved."""
    _paint(opened)
    labels = np.array(opened.bridge.labels)
    opened.close_down()
    return labels


@pytest.fixture
def next_start(lost: Any, make_window: MakeWindow) -> Workbench:
    """The window of the next start."""
    return make_window()


def _paint(workbench: Workbench) -> None:
    workbench.segment_control.start_from(workbench.segment_panel.start_box.itemData(0))
    layer = workbench.bridge.layer
    assert layer is not None
    layer.paint((1, 10, 10), 1)


def _open(workbench: Workbench, folder: Path, qtbot: Any) -> None:
    workbench.open_paths([folder])
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)


def _restore(workbench: Workbench, qtbot: Any) -> Journal:
    (journal,) = workbench.recovery_offer.journals
    workbench.recovery_offer.restore_requested.emit(journal)
    qtbot.waitUntil(lambda: workbench.bridge.layer is not None, timeout=20_000)
    return journal


def test_labels_go_back_to_their_own_patient_not_to_one_with_the_same_case_id(
    next_start: Workbench, case_folder: Path, lost: Any, tmp_path: Path, qtbot: Any
) -> None:
    _open(next_start, write_case(tmp_path / "other patient"), qtbot)

    _restore(next_start, qtbot)

    assert next_start.case is not None
    assert next_start.case.paths["flair"][0].parent == case_folder
    np.testing.assert_array_equal(next_start.bridge.labels, lost)


def test_the_case_comes_back_with_its_labels(next_start: Workbench, case_folder: Path, lost: Any, qtbot: Any) -> None:
    journal = _restore(next_start, qtbot)

    case = next_start.case
    assert case is not None
    assert case.labels is not None
    assert case.labels.path == next(case_folder.glob("*_seg.nii.gz"))
    assert case.label_paths == (case.labels.path,)
    np.testing.assert_array_equal(next_start.bridge.labels, lost)
    assert f"as of {journal.saved_at:%d %b %H:%M:%S}" in str(next_start.viewer.status)
    next_start.journal.flush()
    assert not journal.path.exists(), "the new window keeps them now"
    assert len(_files(next_start)) == 1


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
    next_start.journal.flush()
    assert len(_files(next_start)) == 2, "each has a journal"


def test_a_reference_that_is_gone_keeps_nobody_from_unsaved_work(
    next_start: Workbench, case_folder: Path, lost: Any, qtbot: Any
) -> None:
    next(case_folder.glob("*_seg.nii.gz")).unlink()

    _restore(next_start, qtbot)

    np.testing.assert_array_equal(next_start.bridge.labels, lost)


def test_what_another_window_works_on_is_not_offered(opened: Workbench, make_window: MakeWindow) -> None:
    _paint(opened)
    opened.journal.flush()
    assert make_window().recovery_offer.journals == ()

    opened.close_down()
    assert len(make_window().recovery_offer.journals) == 1


def test_saved_labels_are_not_offered(opened: Workbench, make_window: MakeWindow) -> None:
    _paint(opened)
    opened.journal.flush()
    assert len(_files(opened)) == 1
    opened.save_button.click()
    opened.journal.flush()
    assert _files(opened) == []
    opened.close_down()
    assert make_window().recovery_offer.isHidden()


def test_a_damaged_file_is_named_beside_the_others_and_goes_when_it_is_discarded(
    lost: Any, make_window: MakeWindow
) -> None:
    journal_folder().mkdir(parents=True)
    bad = journal_folder() / "bad-1.journal"
    bad.write_bytes(b"")

    offer = make_window().recovery_offer

    assert len(offer.journals) == 1
    [sentence] = [label.text() for label in offer.findChildren(QLabel) if str(bad) in label.text()]
    assert "cannot be read" in sentence
    [button] = [b for b in offer.findChildren(QPushButton) if b.text() == "Discard"][1:]
    button.click()
    assert not bad.exists()
    assert len(offer.journals) == 1


def test_another_project_offers_what_it_holds(lost: Any, make_window: MakeWindow, own_home: Path, qtbot: Any) -> None:
    window = make_window()
    assert len(window.recovery_offer.journals) == 1
    with qtbot.waitSignal(window.recovery_control.looked, timeout=20_000):
        window.project_control.open(own_home / "other")
    assert window.recovery_offer.isHidden()
    with qtbot.waitSignal(window.recovery_control.looked, timeout=20_000):
        window.project_control.open(own_home / "project")
    assert len(window.recovery_offer.journals) == 1


def _files(workbench: Workbench) -> list[Path]:
    project = workbench.project_control.project
    assert project is not None
    return sorted(path for folder in project.journal_folders() for path in folder.glob("*.journal"))
