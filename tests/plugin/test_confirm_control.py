"""The menu in the real window, from what is seen to what lies in the project."""

import numpy as np
import pytest
from case_files import CASE_SHAPE

from napari_brainseg.annotation.project import Project
from napari_brainseg.plugin.widgets.confirm_row import Several
from napari_brainseg.plugin.widgets.segment_control import go_to_slice


@pytest.fixture
def window(opened):
    """The workbench with labels to work on, slice 4 shown."""
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    go_to_slice(opened.viewer, opened.case, 4)
    return opened


def look_at(window, qtbot, *slices):
    for z in slices:
        go_to_slice(window.viewer, window.case, z)
        qtbot.waitUntil(lambda z=z: z in window.confirmations.seen.along(0), timeout=5000)


def choose(window, what):
    window.correct_panel.confirm_row.menu_actions[what].trigger()


def confirmed(window):
    return sorted(window.confirmations.confirmed_along(0))


def test_all_seen_and_left_unchanged(window, qtbot):
    row = window.correct_panel.confirm_row
    look_at(window, qtbot, 2, 3, 5)
    layer = window.bridge.layer
    layer.paint((3, 10, 10), 1)
    seen = window.confirmations.seen.along(0)
    assert row.menu_actions[Several.SEEN].text() == f"All seen and left unchanged ({len(seen) - 1} slices)"
    assert window.strip.state.seen == seen

    choose(window, Several.SEEN)

    assert confirmed(window) == sorted(seen - {3})
    assert not row.menu_actions[Several.SEEN].isEnabled()
    window.bridge.undo()
    assert window.confirmations.changed_along(0) == frozenset()
    choose(window, Several.SEEN)
    assert confirmed(window) == sorted(seen)


def test_a_new_answer_has_not_been_seen(window, qtbot):
    look_at(window, qtbot, 2)
    go_to_slice(window.viewer, window.case, 6)
    window.confirmations.set_prediction(np.zeros(CASE_SHAPE, np.uint8), window.bridge.scheme, "m 1")
    assert window.confirmations.seen.along(0) == frozenset()


def test_a_range_and_back(window, qtbot):
    row = window.correct_panel.confirm_row
    row.range_action.trigger()
    row.last.setValue(7)
    row.range_button.click()
    assert confirmed(window) == [4, 5, 6, 7]
    assert window.viewer.status.startswith("Axial slices 4 to 7 confirmed: 4 of ")

    row.first.setValue(6)
    row.range_back_button.click()
    assert confirmed(window) == [4, 5]
    choose(window, Several.LAST_BACK)
    assert confirmed(window) == []


def test_the_whole_case_and_back_reach_the_project(window, qtbot):
    choose(window, Several.CASE)
    assert window.confirmations.mask.all()
    window.learn_controller.flush()
    project = Project.open(window.project_control.project.folder)
    correction = project.correction(window.case)
    assert correction.confirmed.all()
    np.testing.assert_array_equal(correction.labels, window.bridge.layer.data)

    choose(window, Several.ALL_BACK)
    window.learn_controller.flush()
    assert project.confirmed().slices == 0
    assert not window.correct_panel.confirm_row.menu_actions[Several.ALL_BACK].isEnabled()


def test_time_and_strokes_reach_the_project_and_are_counted_on(window, qtbot):
    moments = iter(np.arange(0.0, 1000.0, 2.0))
    window.confirmations.clock = lambda: next(moments)
    window.confirmations.begin(window.case, window.case.scheme)
    layer = window.bridge.layer
    layer.paint((4, 10, 10), 1)
    layer.paint((4, 20, 20), 1)
    window.bridge.undo()
    window.confirmations.confirm_slice()
    window.learn_controller.flush()

    project = window.project_control.project
    first = project.correction(window.case)
    assert first.strokes == 2
    assert first.seconds == pytest.approx(6.0)

    window.confirmations.begin(window.case, window.case.scheme)
    window.confirmations.restore(first)
    layer.paint((4, 20, 20), 2)
    window.confirmations.confirm_slice()
    window.learn_controller.flush()
    second = project.correction(window.case)
    assert (second.strokes, second.seconds) == (3, pytest.approx(8.0))


def test_labels_that_fill_in_are_confirmed_one_slice_at_a_time(window):
    window.bridge.begin_run()
    choose(window, Several.CASE)
    assert confirmed(window) == []
    assert "A model is filling in the labels" in window.viewer.status
    assert window.confirmations.confirm_slice()
