import numpy as np
import pytest

from napari_brainseg.annotation.edits import Edit, EditHistory, flat_indices, merge_edits

SHAPE = (3, 4, 5)


def edit(indices, before, after, source="brush"):
    return Edit(np.array(indices, np.uint32), np.array(before, np.uint8), np.array(after, np.uint8), source, SHAPE)


def test_positions_are_those_of_numpy():
    flat = np.arange(60, dtype=np.uint32)
    made = Edit(flat, np.zeros(60, np.uint8), np.ones(60, np.uint8), "brush", SHAPE)
    for axis, expected in enumerate(np.unravel_index(flat, SHAPE)):
        np.testing.assert_array_equal(made.positions(axis), expected)


def test_slices_and_busiest_slice():
    made = edit([3, 21, 22, 23, 59], [0] * 5, [1] * 5)
    assert made.slices == (0, 2)
    assert made.busiest(0) == 1
    assert made.where() == "slices 0 to 2"
    assert edit([21], [0], [1]).where() == "slice 1"


def test_inverse_swaps_before_and_after():
    back = edit([1, 2], [0, 3], [2, 2]).inverted("undo of brush")
    assert back.before.tolist() == [2, 2]
    assert back.after.tolist() == [0, 3]
    assert back.source == "undo of brush"


def test_merge_keeps_first_before_and_last_after():
    merged = merge_edits([edit([1, 2], [0, 0], [1, 1]), edit([2, 7], [1, 3], [2, 2]), edit([2], [2], [3])], "stroke")
    assert merged is not None
    assert merged.indices.tolist() == [1, 2, 7]
    assert merged.before.tolist() == [0, 0, 3]
    assert merged.after.tolist() == [1, 3, 2]
    assert merged.source == "stroke"


def test_merge_of_a_change_and_its_undoing_is_nothing():
    assert merge_edits([edit([4], [0], [2]), edit([4], [2], [0])], "stroke") is None
    assert merge_edits([], "stroke") is None


def test_merge_drops_only_the_voxels_that_came_back():
    merged = merge_edits([edit([4, 5], [0, 0], [2, 2]), edit([4], [2], [0])], "stroke")
    assert merged is not None
    assert merged.indices.tolist() == [5]


@pytest.mark.parametrize(("shape", "kind"), [((3, 4, 5), np.uint32), ((70000, 70000, 1), np.int64)])
def test_indices_take_the_smallest_type_that_holds_them(shape, kind):
    assert flat_indices(np.array([1, 2]), shape).dtype == kind


def test_history_undoes_and_redoes_in_order():
    history = EditHistory()
    history.push(edit([1], [0], [1], "brush"))
    history.push(edit([1], [1], [2], "fill"))
    assert history.next_undo is not None
    assert history.next_undo.source == "fill"
    first = history.undo()
    assert first is not None
    assert (first.before.tolist(), first.after.tolist(), first.source) == ([2], [1], "undo of fill")
    assert history.next_redo is not None
    assert history.next_redo.source == "fill"
    again = history.redo()
    assert again is not None
    assert (again.before.tolist(), again.after.tolist(), again.source) == ([1], [2], "redo of fill")
    assert history.next_redo is None


def test_a_new_step_ends_redo():
    history = EditHistory()
    history.push(edit([1], [0], [1]))
    history.undo()
    history.push(edit([2], [0], [1]))
    assert history.redo() is None


def test_empty_history_undoes_nothing():
    assert EditHistory().undo() is None
    assert EditHistory().redo() is None


def test_history_memory_is_bounded_and_the_last_step_is_kept():
    step = edit(range(50), [0] * 50, [1] * 50)
    history = EditHistory(limit_bytes=3 * step.nbytes)
    for _ in range(10):
        history.push(step)
    assert len(history) == 3
    assert history.nbytes <= 3 * step.nbytes
    tiny = EditHistory(limit_bytes=1)
    tiny.push(step)
    assert len(tiny) == 1


def test_clear_forgets_both_sides():
    history = EditHistory()
    history.push(edit([1], [0], [1]))
    history.undo()
    history.clear()
    assert history.next_undo is None
    assert history.next_redo is None


def test_voxels_that_a_step_leaves_as_they_are_are_dropped_with_steps_that_change_none():
    history = EditHistory()
    for step in (edit([1], [2], [2]), edit([1, 2], [0, 3], [0, 1]), edit([3], [0], [1])):
        history.push(step)
    history.undo()
    history.drop_unchanged()
    assert len(history) == 1
    assert history.next_undo.indices.tolist() == [2]
    assert history.next_redo.indices.tolist() == [3]
