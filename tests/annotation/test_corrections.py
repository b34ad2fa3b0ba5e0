import numpy as np
import pytest

from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.cases.labels import BRATS2017

SHAPE = (2, 3, 4)


def test_a_mask_is_the_union_of_slices_of_any_plane():
    mask = mask_of([ConfirmedSlice(0, 1), ConfirmedSlice(2, 0)], SHAPE)

    assert mask[1].all()
    assert mask[:, :, 0].all()
    assert mask.sum() == 3 * 4 + 3


def test_a_slice_is_counted_from_one_in_words():
    assert ConfirmedSlice(1, 60).describe() == "coronal slice 61"


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
