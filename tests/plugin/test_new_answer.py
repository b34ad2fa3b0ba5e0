"""A new model's answer beside the working labels of the real window: what differs, what is protected, taking it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from case_files import CASE_SHAPE, TUMOUR_SLICE, write_case

from napari_brainseg.cases.labels import BRATS2017, BRATS2024, LGG
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.plugin.layers import ERASED_COLOUR, Role
from napari_brainseg.plugin.widgets.new_answer import NewAnswer
from napari_brainseg.plugin.widgets.segment_control import go_to_slice

ERASED = len(BRATS2017.classes) + 1


@pytest.fixture
def work(opened: Any) -> Any:
    """A case whose labels a model gave: a block of oedema in slices 2 to 7; and another model's answer, moved by 4."""
    answer = NewAnswer(opened.viewer, opened.layers, opened.working, opened.confirmations, opened.bridge)
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    old, new = np.zeros(CASE_SHAPE, np.uint8), np.zeros(CASE_SHAPE, np.uint8)
    old[2:8, 10:20, 10:20] = 2
    new[2:8, 10:20, 14:24] = 2
    new[5, 12:14, 16:18] = 3
    opened.bridge.apply(old, "model run old 1")
    opened.confirmations.set_prediction(old, BRATS2017, "old 1")
    said: list[str] = []
    answer.said.connect(said.append)
    result = Segmentation.for_case(opened.case, new, BRATS2017, model="lgg-2 1")
    yield SimpleNamespace(bench=opened, bridge=opened.bridge, answer=answer, old=old, new=new, result=result, said=said)
    answer.close()


def offer(work: Any) -> NewAnswer:
    work.answer.offer(work.result, "lgg·2")
    return work.answer


def brush(work: Any, *, z: int, value: int = 1) -> np.ndarray[Any, Any]:
    """Paint a row of three voxels by hand, of which the new answer says something else; return where."""
    labels = np.array(work.bridge.labels)
    where = np.zeros(CASE_SHAPE, bool)
    where[z, 10, 10:13] = True
    labels[where] = value
    work.bridge.apply(labels, "brush")
    return where


def settle(qtbot: Any, answer: NewAnswer, voxels: int) -> None:
    qtbot.waitUntil(lambda: answer.voxels == voxels, timeout=10_000)


def test_what_would_change_is_counted_and_shown_in_the_new_colours(work: Any) -> None:
    answer = offer(work)
    active = work.bench.viewer.layers.selection.active

    answer.show_difference(True)

    assert answer.voxels == np.count_nonzero(work.old != work.new)
    layer = answer.layer
    assert layer.name == "would change"
    assert not layer.editable
    assert work.bench.viewer.layers[-1] is layer
    assert work.bench.viewer.layers.selection.active is active
    expected = np.where(work.old != work.new, np.where(work.new == 0, ERASED, work.new), 0)
    np.testing.assert_array_equal(layer.data, expected)
    colours = layer.colormap.color_dict
    np.testing.assert_allclose(colours[ERASED], ERASED_COLOUR)
    np.testing.assert_allclose(colours[2][:3], BRATS2017.class_of(2).colour)
    go_to_slice(work.bench.viewer, work.bench.case, 5)
    hover = layer.get_status((5, 12, 16))["value"]
    assert hover == "3; class: becomes enhancing tumour, on disk 4"


def test_the_colour_blind_set_counts_for_the_difference_too(work: Any) -> None:
    answer = offer(work)
    answer.show_difference(True)

    work.bench.display.set_colour_blind(True)

    np.testing.assert_allclose(answer.layer.colormap.color_dict[2][:3], BRATS2017.class_of(2).safe_colour, atol=1e-6)
    np.testing.assert_allclose(answer.layer.colormap.color_dict[ERASED], ERASED_COLOUR)


def test_hiding_it_or_removing_the_layer_by_hand_is_noticed(work: Any) -> None:
    answer = offer(work)
    answer.show_difference(True)
    answer.show_difference(False)
    assert work.bench.layers.ours(Role.DIFFERENCE) == []

    answer.show_difference(True)
    work.bench.viewer.layers.remove(answer.layer)

    assert answer.layer is None
    assert answer.offered


def test_all_is_taken_as_one_step_that_undo_takes_back(work: Any, qtbot: Any) -> None:
    answer = offer(work)
    answer.show_difference(True)
    steps = len(work.bridge.history)

    assert answer.take_all() == np.count_nonzero(work.old != work.new)

    np.testing.assert_array_equal(work.bridge.labels, work.new)
    assert len(work.bridge.history) == steps + 1
    assert work.bridge.history.next_undo.source == "model run lgg·2"
    assert answer.voxels == 0
    assert not answer.layer.data.any()
    assert work.bench.confirmations.correction().model == "lgg-2 1"

    work.bridge.undo()

    np.testing.assert_array_equal(work.bridge.labels, work.old)
    assert work.bench.confirmations.correction().model == "old 1"
    settle(qtbot, answer, np.count_nonzero(work.old != work.new))
    assert answer.layer.data.any()


def test_confirmed_slices_and_what_a_person_changed_stay(work: Any, qtbot: Any) -> None:
    go_to_slice(work.bench.viewer, work.bench.case, 3)
    assert work.bench.confirmations.confirm_slice()
    mine = brush(work, z=5)
    before = work.bridge.labels.copy()
    protected = mine.copy()
    protected[3] = True
    answer = offer(work)
    assert answer.voxels == np.count_nonzero((before != work.new) & ~protected)

    answer.take_all()

    np.testing.assert_array_equal(work.bridge.labels[protected], before[protected])
    np.testing.assert_array_equal(work.bridge.labels[~protected], work.new[~protected])
    np.testing.assert_array_equal(work.bench.confirmations.protected_mask(), protected)


def test_what_a_person_changes_after_it_was_offered_is_protected_too(work: Any, qtbot: Any) -> None:
    answer = offer(work)
    before = answer.voxels
    mine = brush(work, z=5)
    settle(qtbot, answer, before - np.count_nonzero(mine))

    answer.take_all()

    assert (work.bridge.labels[mine] == 1).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_chosen_slices_are_taken_in_any_plane(work: Any, qtbot: Any, axis: int) -> None:
    answer = offer(work)
    first, last = (3, 4) if axis == 0 else (12, 15)
    inside = np.zeros(CASE_SHAPE, bool)
    inside[tuple(slice(first, last + 1) if a == axis else slice(None) for a in range(3))] = True

    answer.take_slices(axis, last, first)

    np.testing.assert_array_equal(work.bridge.labels, np.where(inside, work.new, work.old))
    assert answer.voxels == np.count_nonzero((work.old != work.new) & ~inside)
    # What the new model gave is no change by a person, so that the next one may say otherwise.
    assert not work.bench.confirmations.protected_mask().any()
    work.bridge.undo()
    np.testing.assert_array_equal(work.bridge.labels, work.old)
    assert not work.bench.confirmations.protected_mask().any()


def test_a_locked_class_stays_and_is_offered_once_it_is_unlocked(work: Any, qtbot: Any) -> None:
    work.bridge.set_locked([3])
    answer = offer(work)
    answer.take_all()
    assert not (work.bridge.labels == 3).any()
    assert answer.voxels == 0

    work.bridge.set_locked([])
    answer.refresh()

    assert answer.voxels == np.count_nonzero(work.new == 3)
    answer.take_all()
    np.testing.assert_array_equal(work.bridge.labels, work.new)


def test_taking_what_is_there_already_makes_no_step(work: Any) -> None:
    answer = offer(work)
    steps = len(work.bridge.history)

    assert answer.take_slices(0, 0, 0) == 0

    assert len(work.bridge.history) == steps
    assert work.said == ["Nothing to take: 1 slice has the answer of lgg·2 wherever nothing is protected."]
    answer.take_all()
    answer.take_slices(0, 0, 2)
    assert work.said[-1] == "Nothing to take: 3 slices have the answer of lgg·2 wherever nothing is protected."


def test_nothing_is_taken_while_a_model_fills_the_labels_in(work: Any) -> None:
    answer = offer(work)
    work.bridge.begin_run()

    assert answer.take_all() == 0

    assert work.said == ["A model is filling in the labels. Take the new answer once it is done."]
    work.bridge.take_back_run("model run x")


def test_an_answer_in_another_scheme_is_taken_by_what_its_classes_mean(work: Any) -> None:
    values = np.zeros(CASE_SHAPE, np.uint8)
    values[TUMOUR_SLICE, 5:8, 5:8] = 2
    work.result = Segmentation.for_case(work.bench.case, values, BRATS2024, model="x 1")

    offer(work).take_slices(0, TUMOUR_SLICE, TUMOUR_SLICE)

    np.testing.assert_array_equal(work.bridge.labels[TUMOUR_SLICE], values[TUMOUR_SLICE])


@pytest.mark.parametrize(
    ("scheme", "value", "name"), [(BRATS2024, 4, "resection cavity"), (LGG, 1, "FLAIR abnormality")]
)
def test_a_class_that_the_labels_cannot_hold_is_named(work: Any, scheme: Any, value: int, name: str) -> None:
    values = np.zeros(CASE_SHAPE, np.uint8)
    values[0, 0, 0] = value
    work.result = Segmentation.for_case(work.bench.case, values, scheme, model="x 1")

    answer = offer(work)

    assert answer.voxels is None
    assert name in answer.problem
    assert answer.take_all() == 0


def test_other_working_labels_are_compared_anew(work: Any, qtbot: Any) -> None:
    answer = offer(work)
    answer.show_difference(True)
    empty = work.bench.segment_panel.start_box.findText("empty labels")
    work.bench.segment_panel.result_box.setCurrentIndex(1)

    work.bench.segment_control.start_from(work.bench.segment_panel.start_box.itemData(empty))

    settle(qtbot, answer, np.count_nonzero(work.new))
    assert np.count_nonzero(answer.layer.data) == answer.voxels


def test_a_copy_of_the_difference_is_nothing_to_work_on(work: Any) -> None:
    answer = offer(work)
    answer.show_difference(True)
    viewer = work.bench.viewer
    viewer.layers.selection.active = answer.layer
    options = work.bench.working.options()

    data, attributes, kind = answer.layer.as_layer_data_tuple()
    viewer.add_labels(data, **{**attributes, "name": "copy"})

    assert kind == "labels"
    assert [words for words, _ in work.bench.working.options()] == [words for words, _ in options]


def test_another_case_has_neither_layer_nor_offer(work: Any, qtbot: Any, tmp_path: Any) -> None:
    answer = offer(work)
    answer.show_difference(True)
    first = work.bench.case
    work.bench.open_paths([write_case(tmp_path / "other", "Brats18_Other_1_1")])
    qtbot.waitUntil(lambda: work.bench.case is not first, timeout=20_000)

    assert answer.layer is None
    answer.forget()
    assert not answer.offered
