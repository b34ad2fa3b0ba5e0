"""Each sign on labels small enough to count by hand."""

import numpy as np

from napari_brainseg.annotation.slice_suspicion import (
    area_evidence,
    disagreement_evidence,
    jump_evidence,
    shape_evidence,
    uncertainty_evidence,
)
from napari_brainseg.cases.labels import BRATS2017, LGG

NCR, ED, ET = 1, 2, 3


def empty(depth=5):
    return np.zeros((depth, 20, 20), np.uint8)


def test_uncertainty_is_summed_by_the_class_that_is_shown_and_small_doubts_are_left_out():
    labels = empty(3)
    labels[1, 5:15, 5:15] = ED
    doubts = np.zeros(labels.shape, np.float16)
    doubts[1, 5, 5:9] = 0.5  # oedema at its border
    doubts[1, 0, 0:2] = 0.25  # background
    doubts[2] = 0.125  # a haze

    evidence = uncertainty_evidence(doubts, labels, BRATS2017)

    np.testing.assert_array_equal(evidence.by_class, [[0, 0, 0, 0], [0.5, 0, 2.0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(evidence.by_slice, [0, 2.5, 0])


def test_uncertainty_says_where_it_is():
    labels = empty(3)
    labels[0:2, 4:16, 4:16] = ED
    doubts = np.zeros(labels.shape, np.float32)
    doubts[0, 4, 4:16] = 0.5
    doubts[1, 10, 9:11] = 0.5
    doubts[2, 10, 10] = 0.5

    words = uncertainty_evidence(doubts, labels, BRATS2017).words

    assert words(0) == "unsure at the edge of the oedema"
    assert words(1) == "unsure of the oedema"
    assert words(2) == "unsure whether something was missed"


def test_disagreement_counts_voxels_once_and_for_the_class_that_is_not_background():
    labels, other = empty(2), empty(2)
    labels[0, 0, 0:6] = ED
    other[0, 0, 0:2] = ED  # four of oedema are gone
    other[0, 5, 5:7] = ET  # and two of enhancing are new
    other[0, 0, 0] = NCR  # one oedema is necrosis there

    evidence = disagreement_evidence(labels, other, BRATS2017)

    np.testing.assert_array_equal(evidence.by_class, [[0, 0, 5, 2], [0, 0, 0, 0]])
    assert evidence.words(0) == "two answers differ in 7 voxels, mostly oedema"


def test_a_square_is_no_odd_shape_and_an_island_a_hole_and_a_comb_are():
    labels = empty(4)
    labels[:, 5:13, 5:13] = 1
    labels[1, 17, 17:19] = 1
    labels[2, 8:10, 8:11] = 0
    labels[3, 13:18, 5:13:2] = 1  # four teeth of five voxels

    evidence = shape_evidence(labels, LGG)

    island = 2 + (32 + 6) / 4 - 66**0.5
    hole = 6 + (32 + 10) / 4 - 58**0.5
    comb = (32 + 4 * 10) / 4 - 84**0.5
    np.testing.assert_allclose(evidence.by_slice, [0, island, hole, comb])
    np.testing.assert_array_equal(evidence.by_class[:, 0], 0)
    assert evidence.words(1) == "1 small island beside the FLAIR abnormality"
    assert evidence.words(2) == "a hole in the FLAIR abnormality"
    assert evidence.words(3) == "a ragged edge of the FLAIR abnormality"


def test_a_region_counts_for_its_outermost_class():
    labels = empty(1)
    labels[0, 2:14, 2:14] = ED
    labels[0, 4:10, 4:10] = NCR
    labels[0, 17:19, 17:19] = ED  # an island of the whole tumour alone
    by_class = shape_evidence(labels, BRATS2017).by_class[0]

    np.testing.assert_allclose(by_class, [0, 0, 4 + (48 + 8) / 4 - 148**0.5, 0])


def test_a_tumour_that_grows_does_not_jump_and_one_that_vanishes_does():
    labels = empty(6)
    for index, side in ((1, 4), (2, 8), (4, 8), (5, 8)):
        labels[index, :side, :side] = ED

    evidence = jump_evidence(labels, BRATS2017)

    # Slice 1 is 16 and 48 voxels away from its neighbours.
    np.testing.assert_array_equal(evidence.by_class[:, ED], [0, 16, 48, 64, 0, 0])
    np.testing.assert_array_equal(evidence.by_class[:, [0, NCR, ET]], 0)
    assert evidence.words(3) == "no oedema here, but on the slices around it"
    assert evidence.words(2) == "the oedema differs from both slices around it in 48 voxels"


def test_a_class_on_one_slice_alone_is_told():
    labels = empty(3)
    labels[:, :6, :6] = ED
    labels[1, 2:4, 2:4] = ET

    evidence = jump_evidence(labels, BRATS2017)

    np.testing.assert_array_equal(evidence.by_class, [[0, 0, 0, 0], [0, 0, 4, 4], [0, 0, 0, 0]])
    labels[1, :6, :6] = ET
    assert jump_evidence(labels, BRATS2017).words(1) == "no oedema here, but on the slices around it"
    labels[[0, 2]] = 0
    assert jump_evidence(labels, BRATS2017).words(1) == "enhancing tumour here, but not on the slices around it"


def test_one_or_two_slices_have_nothing_to_jump_from():
    for depth in (1, 2):
        labels = np.ones((depth, 4, 4), np.uint8)
        labels[0] = 0
        assert not jump_evidence(labels, LGG).by_class.any()


def test_area_counts_classes_and_leaves_values_outside_the_scheme():
    labels = empty(2)
    labels[1, 0, 0:3] = ET
    labels[1, 1, 0:2] = NCR
    labels[1, 2, 0:9] = 9

    evidence = area_evidence(labels, BRATS2017)

    np.testing.assert_array_equal(evidence.by_class, [[0, 0, 0, 0], [0, 2, 0, 3]])
    assert evidence.words(1) == "5 voxels are labelled here"
    assert not disagreement_evidence(labels, labels, BRATS2017).by_class.any()
    assert disagreement_evidence(labels, empty(2), BRATS2017).by_class[1].sum() == 5
