import numpy as np

from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.evaluation.metrics import dice, region_dice


def test_dice_of_two_overlapping_masks() -> None:
    first, second = np.zeros(10, bool), np.zeros(10, bool)
    first[:4] = True
    second[2:8] = True
    assert dice(first, second) == 2 * 2 / (4 + 6)


def test_dice_of_empty_masks_is_one_and_against_something_zero() -> None:
    empty, full = np.zeros(3, bool), np.ones(3, bool)
    assert dice(empty, empty) == 1
    assert dice(empty, full) == 0


def test_region_dice_counts_nested_classes() -> None:
    truth = np.array([0, 1, 2, 3], np.uint8)
    prediction = np.array([0, 3, 2, 3], np.uint8)
    assert region_dice(prediction, truth, BRATS2017) == {"WT": 1.0, "TC": 1.0, "ET": 2 * 1 / 3}
