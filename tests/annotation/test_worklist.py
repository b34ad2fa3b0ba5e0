"""Rankings with a known answer."""

import numpy as np
import pytest

from napari_brainseg.annotation.worklist import (
    METHODS,
    WEIGHTS,
    expected_error,
    rank_signs,
    rank_slices,
    signs_of,
)
from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.labels import BRATS2017, LGG

ED, ET = 2, 3


@pytest.fixture
def column():
    """A tumour of the same square on slices 5 to 24."""
    labels = np.zeros((30, 24, 24), np.uint8)
    labels[5:25, 4:14, 4:14] = 1
    return labels


def doubts(labels, **by_slice):
    """Return a map in which that many voxels of the slices named `at_<index>` are wholly uncertain."""
    uncertainty = np.zeros(labels.shape, np.float16)
    for name, count in by_slice.items():
        uncertainty[int(name.removeprefix("at_"))].reshape(-1)[:count] = 1
    return uncertainty


def indices(places):
    return [place.index for place in places]


def test_a_slice_without_the_tumour_of_its_neighbours_comes_first_and_says_so(column):
    column[13] = 0

    first = rank_slices(column, LGG)[0]

    assert first.index == 13
    assert first.reason == "no FLAIR abnormality here, but on the slices around it"


def test_scores_are_shares_of_the_whole_case(column):
    uncertainty = doubts(column, at_7=30, at_15=60, at_22=10)

    places = rank_slices(column, LGG, uncertainty=uncertainty, method="uncertainty")

    assert indices(places) == [15, 7, 22]
    np.testing.assert_allclose([place.score for place in places], [0.6, 0.3, 0.1])


def test_the_combined_score_is_the_weighted_mean_of_the_shares(column):
    uncertainty = doubts(column, at_7=30, at_15=90)

    score = next(p.score for p in rank_slices(column, LGG, uncertainty=uncertainty) if p.index == 7)

    # Squares neither jump nor look odd, and a seventh slice holds a twentieth of the area.
    weight = WEIGHTS["uncertainty"] + WEIGHTS["area"]
    assert score == pytest.approx((WEIGHTS["uncertainty"] / 4 + WEIGHTS["area"] / 20) / weight)


def test_confirmed_slices_are_left_out_and_put_back_what_lies_around_them(column):
    uncertainty = doubts(column, at_10=50, at_11=50, at_20=49)

    def ranked(confirmed=()):
        return indices(rank_slices(column, LGG, uncertainty=uncertainty, confirmed=confirmed, method="uncertainty"))

    assert ranked() == [10, 20, 11]
    assert ranked(confirmed=[10]) == [20, 11]
    assert ranked(confirmed=[20, 99, -1]) == [10, 11]


def test_confirming_the_first_leaves_the_rest_as_it_was(column):
    rng = np.random.default_rng(0)
    uncertainty = rng.random(column.shape).astype(np.float16)
    signs = signs_of(column, LGG, uncertainty=uncertainty)
    before = indices(rank_signs(signs))

    assert indices(rank_signs(signs, before[:1])) == before[1:]


def test_a_small_class_comes_before_the_tenth_slice_of_a_common_one():
    labels = np.zeros((60, 24, 24), np.uint8)
    labels[5:55, 2:22, 2:22] = ED
    labels[30, 10:12, 10:12] = ET
    uncertainty = np.zeros(labels.shape, np.float16)
    uncertainty[5:55, 2, 2:22] = 1  # twenty voxels of oedema on fifty slices
    uncertainty[30] = 0
    uncertainty[30, 10, 10:12] = 1  # and two of enhancing on one

    order = indices(rank_slices(labels, BRATS2017, uncertainty=uncertainty, method="uncertainty"))

    assert order.index(30) < 9


def test_the_first_few_of_a_long_even_tumour_differ():
    labels = np.zeros((100, 16, 16), np.uint8)
    labels[10:90, 4:12, 4:12] = 1
    uncertainty = np.zeros(labels.shape, np.float16)
    uncertainty[10:90, 4, 4:12] = 1
    uncertainty[48:53, 5, 4:6] = 1  # a hump in the middle

    first = indices(rank_slices(labels, LGG, uncertainty=uncertainty))[:5]

    assert min(abs(a - b) for a in first for b in first if a != b) >= 4


def test_disagreement_alone_ranks_by_voxels(column):
    other = column.copy()
    other[8, 4:6, 4:14] = 0
    other[20, 4, 4:14] = 0

    places = rank_slices(column, LGG, other=other, method="disagreement")

    assert [(p.index, p.reason) for p in places] == [
        (8, "two answers differ in 20 voxels, mostly FLAIR abnormality"),
        (20, "two answers differ in 10 voxels, mostly FLAIR abnormality"),
    ]


def test_nothing_speaks_against_empty_labels():
    assert rank_slices(np.zeros((5, 8, 8), np.uint8), LGG) == []
    assert rank_signs({}) == []


def test_random_draws_from_the_labelled_slices_and_their_neighbours(column):
    order = indices(rank_slices(column, LGG, method="random", seed=3))

    assert sorted(order) == list(range(4, 26))
    assert order == indices(rank_slices(column, LGG, method="random", seed=3))
    assert order != indices(rank_slices(column, LGG, method="random", seed=4))
    assert 10 not in indices(rank_slices(column, LGG, method="random", confirmed=[10]))


def test_even_spacing_halves_what_is_left():
    labels = np.zeros((9, 4, 4), np.uint8)
    labels[2:7] = 1  # with the neighbours, 1 to 7

    assert indices(rank_slices(labels, LGG, method="even")) == [4, 2, 6, 1, 3, 5, 7]
    assert len(rank_slices(labels * 0, LGG, method="even")) == 9


def test_every_method_ranks(column):
    column[12, 4:9] = 0
    for method in METHODS:
        places = rank_slices(column, LGG, uncertainty=doubts(column, at_12=9), other=column * 0, method=method)
        assert places, method
        assert len(set(indices(places))) == len(places)
        assert all(place.reason for place in places)


def test_says_what_a_method_needs(column):
    with pytest.raises(InputError, match="no ranking 'best'"):
        rank_slices(column, LGG, method="best")
    with pytest.raises(InputError, match="needs the map"):
        rank_slices(column, LGG, method="uncertainty")
    with pytest.raises(InputError, match="needs another answer"):
        rank_slices(column, LGG, method="disagreement")


def test_expected_error_is_doubt_per_labelled_voxel(column):
    uncertainty = doubts(column, at_7=100, at_8=100)

    assert expected_error(signs_of(column, LGG, uncertainty=uncertainty)) == pytest.approx(200 / 2000)
    assert expected_error(signs_of(column * 0, LGG, uncertainty=uncertainty)) is None
    column[12] = 0
    # The slices beside the gap are like their other neighbour; the first and last of the tumour are like the next.
    assert expected_error(signs_of(column, LGG)) == pytest.approx(100 / 1900)
    assert expected_error(signs_of(column, LGG, uncertainty=np.ones(column.shape, np.float16))) == 1.0
