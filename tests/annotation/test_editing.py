import numpy as np
import pytest

from napari_brainseg.annotation.editing import FOREIGN, LabelEditor, as_label_array, changed_voxels
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.labels import BRATS2017

SHAPE = (5, 7, 9)  # 315 voxels: not a multiple of eight


@pytest.fixture
def data():
    return np.random.default_rng(0).integers(0, 4, SHAPE).astype(np.uint8)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 64, 315])
def test_changed_voxels_are_found_at_every_position(size):
    old = np.zeros((1, 1, size), np.uint8)
    for position in range(size):
        new = old.copy()
        new[0, 0, position] = 1
        assert changed_voxels(new, old).tolist() == [position]
    assert changed_voxels(old, old).size == 0
    assert changed_voxels(old + 1, old).tolist() == list(range(size))


def test_absorb_gives_the_exact_change(data):
    editor = LabelEditor(data, BRATS2017)
    before = data.copy()
    data[2, 3:5, 1:8] = 2
    absorbed = editor.absorb(data, "brush")
    assert absorbed.edit is not None
    expected = np.flatnonzero(data != before)
    np.testing.assert_array_equal(absorbed.edit.indices, expected)
    np.testing.assert_array_equal(absorbed.edit.before, before.reshape(-1)[expected])
    np.testing.assert_array_equal(absorbed.edit.after, data.reshape(-1)[expected])
    assert absorbed.edit.source == "brush"
    np.testing.assert_array_equal(editor.labels, data)
    assert editor.absorb(data, "brush").edit is None


def test_the_copy_is_not_the_data_and_cannot_be_written(data):
    editor = LabelEditor(data, BRATS2017)
    data[...] = 0
    assert editor.labels.any()
    with pytest.raises(ValueError, match="read-only"):
        editor.labels[0, 0, 0] = 1


def test_counts_follow_the_edits(data):
    editor = LabelEditor(data, BRATS2017)
    data[1] = 3
    data[2, :, 4] = 0
    editor.absorb(data, "brush")
    np.testing.assert_array_equal(editor.counts, np.bincount(data.reshape(-1), minlength=256))


@pytest.mark.parametrize("kind", [np.int64, np.int16, np.uint32])
def test_other_integer_types_are_compared_by_value(data, kind):
    editor = LabelEditor(data, BRATS2017)
    other = data.astype(kind)
    assert editor.absorb(other, "plugin").edit is None
    other[0, 0, 0] = (other[0, 0, 0] + 1) % 4
    absorbed = editor.absorb(other, "plugin")
    assert absorbed.edit is not None
    assert absorbed.edit.indices.tolist() == [0]


def test_values_that_uint8_cannot_hold_become_foreign():
    array = np.array([[[0, 3, 256, -1, 65536]]])
    assert as_label_array(array).reshape(-1).tolist() == [0, 3, FOREIGN, FOREIGN, FOREIGN]


def test_arrays_in_fortran_order_are_compared_voxel_by_voxel(data):
    editor = LabelEditor(data, BRATS2017)
    turned = np.asfortranarray(data)
    assert editor.absorb(turned, "plugin").edit is None
    turned[1, 2, 3] = 3 - turned[1, 2, 3]
    absorbed = editor.absorb(turned, "plugin")
    assert absorbed.edit is not None
    assert absorbed.edit.indices.tolist() == [np.ravel_multi_index((1, 2, 3), SHAPE)]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_locked_class_is_neither_painted_nor_painted_over(data, order):
    before = data.copy()
    data = np.asarray(data, order=order)
    editor = LabelEditor(data, BRATS2017)
    editor.locked = [2]
    data[0] = 1  # over everything, class 2 among it
    data[1] = 2  # painting the locked class
    absorbed = editor.absorb(data, "brush")
    expected = before.copy()
    expected[0][before[0] != 2] = 1
    np.testing.assert_array_equal(data, expected)
    np.testing.assert_array_equal(editor.labels, expected)
    assert absorbed.edit is not None
    assert absorbed.refused == np.count_nonzero(before[0] == 2) + np.count_nonzero(before[1] != 2)
    assert 2 not in absorbed.edit.before
    assert 2 not in absorbed.edit.after


def test_a_change_of_locked_voxels_alone_is_no_edit(data):
    editor = LabelEditor(data, BRATS2017)
    editor.locked = {1, 2, 3}
    before = data.copy()
    data[...] = np.where(data > 0, 0, data)
    absorbed = editor.absorb(data, "eraser")
    assert absorbed.edit is None
    assert absorbed.refused == np.count_nonzero(before)
    np.testing.assert_array_equal(data, before)


def test_write_makes_an_edit_in_data_copy_and_counts(data):
    editor = LabelEditor(data, BRATS2017)
    before = data.copy()
    data[3] = 1
    edit = editor.absorb(data, "brush").edit
    assert edit is not None
    editor.write(data, edit.inverted("undo of brush"))
    np.testing.assert_array_equal(data, before)
    np.testing.assert_array_equal(editor.labels, before)
    np.testing.assert_array_equal(editor.counts, np.bincount(before.reshape(-1), minlength=256))
    assert editor.absorb(data, "x").edit is None


def test_change_to_whole_labels_respects_locks_and_changes_nothing_itself(data):
    editor = LabelEditor(data, BRATS2017)
    editor.locked = {3}
    wanted = np.zeros(SHAPE, np.uint8)
    change = editor.change_to(wanted, "model run")
    assert change.edit is not None
    assert change.refused == np.count_nonzero(data == 3)
    np.testing.assert_array_equal(editor.labels, data)
    editor.write(data, change.edit)
    np.testing.assert_array_equal(np.unique(data), [0, 3])


def test_change_to_labels_that_do_not_fit_is_refused(data):
    editor = LabelEditor(data, BRATS2017)
    with pytest.raises(LabelError, match="5 × 7 × 9"):
        editor.change_to(np.zeros((5, 7, 8), np.uint8), "model run")
    with pytest.raises(LabelError, match="Slice 0 holds the value 9"):
        editor.change_to(np.full(SHAPE, 9, np.uint8), "model run")


def test_change_at_leaves_out_what_stays(data):
    editor = LabelEditor(data, BRATS2017)
    indices = np.arange(20)
    values = data.reshape(-1)[:20].copy()
    assert editor.change_at(indices, values, "split").edit is None
    values[4] = (values[4] + 1) % 4
    edit = editor.change_at(indices, values, "split").edit
    assert edit is not None
    assert edit.indices.tolist() == [4]


def test_foreign_values_are_counted_apart(data):
    editor = LabelEditor(data, BRATS2017)
    assert editor.foreign == {}
    data[0, 0, :3] = 9
    data[0, 1, 0] = 4
    editor.absorb(data, "plugin")
    assert editor.foreign == {4: 1, 9: 3}


def test_locked_in_names_the_locked_classes_of_an_edit(data):
    editor = LabelEditor(data, BRATS2017)
    data[...] = 0
    edit = editor.absorb(data, "eraser").edit
    assert edit is not None
    editor.locked = {3}
    assert editor.locked_in(edit) == (3,)
