"""Work starts from a labels file, and only the working labels change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_brainseg.plugin.widgets.workbench import Workbench
from napari_brainseg.plugin.widgets.working_labels import StartFrom


@pytest.fixture
def file(opened: Workbench, tmp_path: Path) -> Path:
    """A labels file of the case that somebody else made."""
    case = opened.case
    assert case is not None
    assert case.labels is not None
    assert case.labels.path is not None
    return Path(shutil.copy(case.labels.path, tmp_path / "theirs.nii.gz"))


def test_the_working_labels_begin_with_the_file_and_the_reference_stays(
    opened: Workbench, file: Path, qtbot: Any
) -> None:
    case = opened.case
    opened.segment_control.attach_requested.emit(file)
    qtbot.waitUntil(lambda: opened.bridge.layer is not None, timeout=20_000)

    assert opened.case is case
    assert case is not None
    assert case.labels is not None
    np.testing.assert_array_equal(opened.bridge.labels, case.labels.volume.data)


def test_a_file_that_cannot_be_read_leaves_no_intent_behind(opened: Workbench, tmp_path: Path, qtbot: Any) -> None:
    case = opened.case
    opened.segment_control.start_from(StartFrom("empty"))
    opened.segment_control.attach_requested.emit(tmp_path / "nothing.nii.gz")
    qtbot.waitUntil(lambda: "nothing.nii.gz" in opened.segment_panel.error.text(), timeout=20_000)

    opened.case_control.attach(case.labels.path if case is not None and case.labels is not None else tmp_path)
    qtbot.waitUntil(lambda: opened.case is not case, timeout=20_000)

    assert not np.any(opened.bridge.labels)


def test_a_file_chosen_for_one_case_is_not_put_into_the_next(
    opened: Workbench, file: Path, tmp_path: Path, qtbot: Any
) -> None:
    from case_files import write_case

    other = write_case(tmp_path / "other patient")
    case = opened.case
    assert case is not None
    labels = case.labels
    opened.open_paths([other])
    qtbot.waitUntil(lambda: opened.case is not case, timeout=20_000)
    assert labels is not None
    opened.file_start._on_read(case, file, labels)

    assert opened.bridge.layer is None
