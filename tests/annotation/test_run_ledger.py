import numpy as np
import pytest

from napari_brainseg.annotation.editing import LabelEditor
from napari_brainseg.annotation.edits import EditHistory
from napari_brainseg.annotation.run_ledger import RunLedger
from napari_brainseg.cases.labels import BRATS2017

SHAPE = (3, 4, 5)
WHOLE = (slice(None), slice(None), slice(None))


class Session:
    """Labels, their history and a run, joined as the window joins them."""

    def __init__(self, labels=None):
        self.data = np.zeros(SHAPE, np.uint8) if labels is None else labels.copy()
        self.editor = LabelEditor(self.data, BRATS2017)
        self.history = EditHistory()
        self.ledger = RunLedger(self.editor)

    def paint(self, voxel, value):
        index = np.array([np.ravel_multi_index(voxel, SHAPE)])
        edit = self.editor.change_at(index, np.array([value], np.uint8), "brush").edit
        self.editor.write(self.data, edit)
        self.ledger.touch(edit)
        self.history.push(self.ledger.keep(edit, edit.source))

    def paint_over(self, *voxels):
        """Paint voxels with the value that they have."""
        self.ledger.hold(np.array([np.ravel_multi_index(voxel, SHAPE) for voxel in voxels]))
        assert self.ledger.holding
        self.history.push(self.ledger.keep(None, "brush"))
        assert not self.ledger.holding

    def answer(self, window, value):
        labels = np.full(self.data[window].shape, value, np.uint8)
        answer = self.ledger.answer(window, labels, "model run")
        if answer.edit is not None:
            self.editor.write(self.data, answer.edit)
        return answer

    def step(self, what):
        step = self.history.next_undo if what == "undo" else self.history.next_redo
        change = self.history.undo() if what == "undo" else self.history.redo()
        edit = self.ledger.step(step, change, what)
        if edit is not None:
            self.editor.write(self.data, edit)


@pytest.fixture
def session():
    return Session()


def test_answers_fill_windows_and_nothing_else(session):
    session.answer((slice(1, 2), slice(0, 4), slice(2, 5)), 2)
    expected = np.zeros(SHAPE, np.uint8)
    expected[1, :, 2:] = 2
    np.testing.assert_array_equal(session.data, expected)
    assert not session.ledger.without.any()


def test_a_later_answer_replaces_an_earlier_one(session):
    session.answer(WHOLE, 2)
    session.answer((slice(0, 1), slice(None), slice(None)), 0)
    assert not session.data[0].any()
    assert (session.data[1:] == 2).all()


def test_what_a_person_changes_keeps_its_value(session):
    session.paint((1, 1, 1), 3)
    session.answer(WHOLE, 2)
    session.paint((2, 2, 2), 0)
    session.answer(WHOLE, 1)
    assert session.data[1, 1, 1] == 3
    assert session.data[2, 2, 2] == 0
    assert np.count_nonzero(session.data == 1) == session.data.size - 2


def test_locked_classes_are_neither_given_nor_taken():
    labels = np.zeros(SHAPE, np.uint8)
    labels[0] = 2
    session = Session(labels)
    session.editor.locked = {2}
    answer = session.answer(WHOLE, 1)
    np.testing.assert_array_equal(session.data == 2, labels == 2)
    assert answer.refused == labels[0].size
    assert session.answer(WHOLE, 2).refused == labels[1:].size


def test_the_difference_is_the_run_alone(session):
    session.paint((1, 1, 1), 3)
    session.answer(WHOLE, 2)
    step = session.ledger.difference("model run")
    assert step.voxels == session.data.size - 1
    assert (step.before == 0).all()
    assert (step.after == 2).all()


def test_the_way_back_leaves_what_the_person_did_whatever_is_locked(session):
    session.answer(WHOLE, 2)
    session.paint((1, 1, 1), 3)
    session.paint((0, 0, 0), 0)
    session.editor.locked = {2}
    session.editor.write(session.data, session.ledger.way_back(session.ledger.without))
    expected = np.zeros(SHAPE, np.uint8)
    expected[1, 1, 1] = 3
    np.testing.assert_array_equal(session.data, expected)
    assert session.ledger.difference("") is None


def test_undoing_a_stroke_shows_what_the_model_says_there(session):
    session.paint((1, 1, 1), 3)
    session.answer(WHOLE, 2)
    session.step("undo")
    assert (session.data == 2).all()
    session.answer(WHOLE, 1)
    assert (session.data == 1).all()
    session.step("redo")
    session.answer(WHOLE, 2)
    assert session.data[1, 1, 1] == 3


def test_what_is_painted_over_with_its_own_value_keeps_it(session):
    session.paint_over((1, 1, 1), (1, 1, 2))
    session.answer(WHOLE, 2)
    assert not session.data[1, 1, 1:3].any()
    assert np.count_nonzero(session.data == 2) == session.data.size - 2

    session.paint_over((0, 0, 0))
    session.answer(WHOLE, 1)
    assert session.data[0, 0, 0] == 2
    assert session.ledger.without[0, 0, 0] == 2, "the person said so, whatever becomes of the run"


def test_undoing_it_gives_the_voxels_back_to_the_model(session):
    session.answer(WHOLE, 2)
    session.paint_over((0, 0, 0))
    session.answer(WHOLE, 1)

    session.step("undo")
    assert session.data[0, 0, 0] == 1
    assert not session.ledger.without.any()

    session.step("redo")
    session.answer(WHOLE, 3)
    assert session.data[0, 0, 0] == 2


def test_a_stroke_over_both_kinds_of_voxels_is_one_step(session):
    session.answer(WHOLE, 2)
    edit = session.editor.change_at(np.array([0, 1]), np.array([2, 3], np.uint8), "brush").edit
    session.ledger.hold(np.array([0]))
    session.editor.write(session.data, edit)
    session.ledger.touch(edit)

    kept = session.ledger.keep(edit, "brush")

    np.testing.assert_array_equal(kept.indices, [0, 1])
    np.testing.assert_array_equal(kept.before, [0, 0])
    np.testing.assert_array_equal(kept.after, [2, 3])


def test_undoing_the_second_stroke_leaves_the_first(session):
    session.paint((1, 1, 1), 3)
    session.paint((1, 1, 1), 1)
    session.answer(WHOLE, 2)
    session.step("undo")
    session.answer(WHOLE, 2)
    assert session.data[1, 1, 1] == 3


def test_undoing_a_step_from_before_the_run_is_an_act_of_the_person():
    session = Session()
    session.paint((1, 1, 1), 3)
    session.ledger = RunLedger(session.editor)
    session.answer(WHOLE, 2)
    session.step("undo")
    assert session.data[1, 1, 1] == 0
    session.step("redo")
    assert session.data[1, 1, 1] == 2, "as if neither had been done: the model's"
    assert session.ledger.without[1, 1, 1] == 3


def test_counts_stay_true_through_all_of_it(session):
    rng = np.random.default_rng(0)
    for _ in range(60):
        act = rng.integers(4)
        voxel = tuple(int(rng.integers(n)) for n in SHAPE)
        if act == 0 and session.data[voxel] != 3:
            session.paint(voxel, 3)
        elif act == 1:
            session.answer((slice(voxel[0], 3), slice(voxel[1], 4), slice(voxel[2], 5)), rng.integers(3))
        elif act == 2 and session.history.next_undo is not None:
            session.step("undo")
        elif act == 3 and session.history.next_redo is not None:
            session.step("redo")
        np.testing.assert_array_equal(session.editor.labels, session.data)
        np.testing.assert_array_equal(session.editor.counts[:4], np.bincount(session.data.reshape(-1), minlength=4)[:4])
