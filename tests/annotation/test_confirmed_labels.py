import numpy as np
import pytest

from napari_brainseg.annotation.confirmed_labels import ConfirmedLabels
from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.annotation.edits import Edit
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.labels import BRATS2017, LGG

SHAPE = (4, 3, 5)
AXIAL = tuple(ConfirmedSlice(0, n) for n in range(4))


@pytest.fixture
def kept():
    return ConfirmedLabels(SHAPE, BRATS2017)


def full(value):
    return np.full(SHAPE, value, np.uint8)


def earlier(value, *slices, more=None):
    mask = mask_of(slices, SHAPE)
    if more is not None:
        mask[more] = True
    return Correction("a", full(value), mask, BRATS2017, slices)


def test_labels_are_true_where_they_are_confirmed(kept):
    kept.confirm(AXIAL[1:3], full(2), BRATS2017)

    found = kept.kept_in(full(1), BRATS2017)
    assert [int(found[z, 0, 0]) for z in range(4)] == [1, 2, 2, 1]
    np.testing.assert_array_equal(kept.within(None), np.where(kept.mask, 2, 0))
    window = (slice(2, 4), slice(0, 1), slice(0, 5))
    np.testing.assert_array_equal(kept.kept_in(full(1)[window], BRATS2017, window), found[window])


def test_a_value_of_no_class_confirms_nothing(kept):
    labels = full(1)
    labels[2, 0, 0] = 7
    with pytest.raises(LabelError, match="Axial slice 2 holds the value 7"):
        kept.confirm(AXIAL, labels, BRATS2017)
    assert not kept.mask.any()
    assert not kept.slices


def test_taking_back_leaves_what_another_plane_confirms(kept):
    kept.confirm(AXIAL, full(2), BRATS2017)
    kept.confirm([ConfirmedSlice(1, 0)], full(2), BRATS2017)

    kept.take_back(AXIAL)

    np.testing.assert_array_equal(kept.mask, mask_of([ConfirmedSlice(1, 0)], SHAPE))
    assert kept.taken_back == set(AXIAL)


def test_an_edit_counts_where_it_is_confirmed(kept):
    kept.confirm(AXIAL[:1], full(0), BRATS2017)
    values = np.array([3, 3], np.uint8)

    assert kept.follow(Edit(np.array([2, 3 * 5 + 2]), values * 0, values, "brush", SHAPE))
    assert not kept.follow(Edit(np.array([3 * 5 + 2]), values[:1], values[:1], "brush", SHAPE))

    assert kept.kept_in(full(1), BRATS2017)[0, 0, 2] == 3
    assert kept.kept_in(full(1), BRATS2017)[1, 0, 2] == 1


def test_restoring_names_the_slices_that_were_confirmed_otherwise(kept):
    kept.confirm(AXIAL[:2], full(1), BRATS2017)
    other = earlier(1, *AXIAL[:3])
    other.labels[1, 0, 0] = 3

    assert kept.restore(other) == AXIAL[1:2]

    assert kept.kept_in(full(0), BRATS2017)[1, 0, 0] == 1
    assert kept.slices == set(AXIAL[:3])


def test_restoring_into_other_classes_is_refused(kept):
    kept.confirm(AXIAL[:1], full(0), BRATS2017)
    lgg = Correction("a", full(1), mask_of(AXIAL[1:2], SHAPE), LGG, AXIAL[1:2])
    with pytest.raises(LabelError):
        kept.restore(lgg)


def test_confirmed_voxels_that_fill_no_slice_outlast_a_slice_taken_back(kept):
    kept.restore(earlier(2, AXIAL[0], more=(3, 1, 1)))

    kept.take_back(AXIAL[:1])
    assert np.argwhere(kept.mask).tolist() == [[3, 1, 1]]
    assert kept.kept_in(full(0), BRATS2017)[3, 1, 1] == 2

    kept.take_back_all()
    assert not kept.mask.any()
