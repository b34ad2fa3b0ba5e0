from dataclasses import replace

import numpy as np
import pytest

from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, describe_slices, mask_of
from napari_brainseg.cases.labels import BRATS2017, BRATS2023, BRATS2024

SHAPE = (2, 3, 4)


def test_a_mask_is_the_union_of_slices_of_any_plane():
    mask = mask_of([ConfirmedSlice(0, 1), ConfirmedSlice(2, 0)], SHAPE)

    assert mask[1].all()
    assert mask[:, :, 0].all()
    assert mask.sum() == 3 * 4 + 3


def test_a_slice_is_counted_from_one_in_words():
    assert ConfirmedSlice(1, 60).describe() == "coronal slice 60"


def test_changed_is_what_differs_within_the_confirmed_voxels():
    labels = np.zeros(SHAPE, np.uint8)
    labels[0, 0, 0] = labels[1, 1, 1] = 3
    correction = Correction(
        "a", labels, mask_of([ConfirmedSlice(1, 1)], SHAPE), BRATS2017, predicted=np.zeros(SHAPE, np.uint8)
    )

    assert np.argwhere(correction.changed).tolist() == [[1, 1, 1]]


def test_without_a_prediction_nothing_is_changed():
    labels = np.ones(SHAPE, np.uint8)
    assert not Correction("a", labels, labels > 0, BRATS2017).changed.any()


def test_arrays_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        Correction("a", np.zeros(SHAPE, np.uint8), np.zeros((1, 3, 4), bool), BRATS2017)


def planes(value, *indices, scheme=BRATS2017, taken_back=(), predicted=None):
    slices = tuple(ConfirmedSlice(0, index) for index in indices)
    labels = np.full(SHAPE, value, np.uint8)
    return Correction("a", labels, mask_of(slices, SHAPE), scheme, slices, predicted, taken_back=taken_back)


def test_older_slices_are_added_and_newer_ones_win():
    both = planes(1, 0).with_older(planes(3, 0, 1, scheme=BRATS2023))

    assert both.slices == (ConfirmedSlice(0, 0), ConfirmedSlice(0, 1))
    assert (both.labels[0] == 1).all()
    assert (both.labels[1] == 3).all()  # enhancing tumour in either scheme
    assert both.confirmed.all()
    assert both.predicted is None


def test_a_slice_taken_back_is_not_added_again():
    newer = planes(1, 0, taken_back=(ConfirmedSlice(0, 1),))

    assert newer.with_older(planes(3, 1)) is newer


def test_what_no_model_predicted_counts_as_unchanged():
    predicted = np.zeros(SHAPE, np.uint8)

    of_newer = planes(1, 0, predicted=predicted).with_older(planes(3, 1))
    of_older = planes(1, 0).with_older(planes(3, 1, predicted=predicted))

    assert of_newer.changed[0].all()
    assert not of_newer.changed[1].any()
    assert of_older.changed[1].all()
    assert not of_older.changed[0].any()


def test_several_slices_in_words():
    slices = [ConfirmedSlice(0, n) for n in (9, 3, 5, 6, 7)] + [ConfirmedSlice(1, 2)]

    assert describe_slices(slices) == "axial slices 3, 5 to 7 and 9, coronal slice 2"
    assert describe_slices([ConfirmedSlice(2, 4), ConfirmedSlice(2, 5)]) == "sagittal slices 4 to 5"


def test_other_labels_in_a_slice_contradict_by_meaning():
    assert planes(3, 0, 1).contradicts(planes(3, 0, 1, scheme=BRATS2023)) == ()

    older = planes(3, 0, 1)
    older.labels[1, 0, 0] = 1
    assert planes(3, 0, 1).contradicts(older) == (ConfirmedSlice(0, 1),)


def test_a_class_that_only_the_other_scheme_has_contradicts():
    assert planes(3, 0).contradicts(planes(4, 0, scheme=BRATS2024)) == (ConfirmedSlice(0, 0),)


def test_slices_of_different_planes_contradict_where_they_cross():
    coronal = (ConfirmedSlice(1, 2),)
    older = Correction("a", np.full(SHAPE, 2, np.uint8), mask_of(coronal, SHAPE), BRATS2017, coronal)

    assert planes(1, 0).contradicts(older) == (ConfirmedSlice(0, 0),)
    assert planes(2, 0).contradicts(older) == ()


def test_the_longer_work_is_kept():
    newer, older = (replace(planes(1, n), seconds=s, strokes=k) for n, s, k in ((0, 40.0, 3), (1, 65.5, 2)))

    both = newer.with_older(older)

    assert (both.seconds, both.strokes) == (65.5, 3)
    assert replace(newer, slices=older.slices).with_older(older).seconds == 65.5
