"""The lesion-wise rule on boxes whose lesions can be counted by eye."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_brainseg.evaluation.lesions import LesionScores, score_lesions

Box = tuple[slice, slice, slice]


def box(z: int, y: int, x: int, size: int = 4) -> Box:
    return slice(z, z + size), slice(y, y + size), slice(x, x + size)


def mask(*boxes: Box) -> NDArray[np.bool_]:
    result = np.zeros((24, 40, 40), bool)
    for place in boxes:
        result[place] = True
    return result


A, B, FAR = box(2, 2, 2), box(2, 2, 25), box(15, 30, 30)


def score(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> LesionScores:
    return score_lesions(prediction, truth, (1.0, 1.0, 1.0))


def test_every_lesion_counts_the_same() -> None:
    assert score(mask(A, B), mask(A, B)) == LesionScores(1.0, 0.0, 2, 0, 0, 0)
    assert score(mask(A), mask(A, B)) == LesionScores(0.5, 187.0, 1, 1, 0, 0)
    assert score(mask(A, FAR), mask(A, B)) == LesionScores(1 / 3, 374 * 2 / 3, 1, 1, 1, 0)


def test_without_lesions() -> None:
    assert score(mask(), mask()) == LesionScores(1.0, 0.0, 0, 0, 0, 0)
    assert score(mask(A), mask()) == LesionScores(0.0, 374.0, 0, 0, 1, 0)
    assert score(mask(), mask(A)) == LesionScores(0.0, 374.0, 0, 1, 0, 0)


def test_dice_and_distance_of_a_lesion_that_was_moved() -> None:
    moved = score(mask(box(2, 2, 3)), mask(A))
    assert moved.dice == pytest.approx(0.75)
    assert moved.hd95 == 1.0


@pytest.mark.parametrize(("gap", "lesions"), [(5, 1), (6, 1), (7, 2)])
def test_lesions_whose_growth_touches_are_one(gap: int, lesions: int) -> None:
    truth = mask(A, box(2, 2, 6 + gap))
    assert score(truth, truth).found == lesions


def test_small_true_lesions_are_neither_found_nor_missed_nor_invented() -> None:
    small = box(15, 30, 30, size=3)  # 27 mm³
    assert score(mask(A), mask(A, small)) == LesionScores(1.0, 0.0, 1, 0, 0, 1)
    assert score(mask(A, small), mask(A, small)) == LesionScores(1.0, 0.0, 1, 0, 0, 1)
    # In larger voxels it is 54 mm³.
    assert score_lesions(mask(A), mask(A, small), (2.0, 1.0, 1.0)).missed == 1


def test_all_that_lies_near_a_lesion_was_predicted_for_it() -> None:
    halves = mask((slice(2, 6), slice(2, 6), slice(2, 3)), (slice(2, 6), slice(2, 6), slice(5, 6)))
    scores = score(halves, mask(A))
    assert (scores.found, scores.invented) == (1, 0)
    assert scores.dice == pytest.approx(2 * 32 / (32 + 64))


def test_a_predicted_piece_at_a_corner_belongs_to_its_lesion() -> None:
    prediction = mask(A)
    prediction[6, 6, 6] = True  # touches by a corner alone
    assert score(prediction, mask(A)).invented == 0
