import numpy as np

from napari_brainseg.annotation.prediction import Prediction, PredictionHistory
from napari_brainseg.cases.labels import BRATS2013, BRATS2017, BRATS2023, LGG

SHAPE = (3, 2, 2)


def full(value, scheme=BRATS2017, model="m 1"):
    return Prediction(np.full(SHAPE, value, np.uint8), scheme, model)


def test_a_slice_alone_says_nothing_of_the_others():
    mine = np.full(SHAPE, 3, np.uint8)

    beside = full(1).at(2).beside(mine, BRATS2017)

    assert beside[:, 0, 0].tolist() == [3, 3, 1]


def test_a_slice_takes_its_place_in_the_former_prediction():
    both = full(1, model="m 2").at(2).over(full(2, BRATS2023))

    assert both.labels[:, 0, 0].tolist() == [2, 2, 1]
    assert both.known is None
    assert both.model == "m 2"


def test_slices_gather():
    both = full(1).at(0).over(full(2).at(2))

    assert both.known.tolist() == [True, False, True]
    assert full(1).at(range(1, 3)).known.tolist() == [False, True, True]


def test_a_whole_prediction_forgets_the_former():
    new = full(1)

    assert new.over(full(2)) is new


def test_what_a_scheme_cannot_hold_is_no_prediction():
    assert full(1, LGG).beside(np.zeros(SHAPE, np.uint8), BRATS2017) is None
    assert full(1).at(1).over(full(1, LGG)).known.tolist() == [False, True, False]
    assert full(3).beside(np.zeros(SHAPE, np.uint8), BRATS2013) is not None


def test_an_undone_run_brings_back_what_the_one_before_gave():
    history = PredictionHistory()
    first, second = (Prediction(np.full((2, 2, 2), n, np.uint8), BRATS2017, f"m {n}") for n in (1, 2))
    history.follow("model run m 1")
    history.add(first)
    history.follow("brush")
    history.follow("model run m 2")
    history.add(second)

    history.follow("undo of model run m 2")
    assert history.now is first
    history.follow("undo of brush")
    history.follow("redo of brush")
    assert history.now is first
    history.follow("redo of model run m 2")
    assert history.now is second
    history.follow("undo of model run m 2")
    history.follow("undo of brush")
    history.follow("undo of model run m 1")
    assert history.now is None


def test_without_steps_an_undo_changes_nothing():
    history = PredictionHistory()
    history.follow("model run m 1")
    history.add(Prediction(np.zeros((2, 2, 2), np.uint8), BRATS2017, "m 1"))
    history.forget_steps()
    history.follow("undo of model run m 1")
    assert history.now.model == "m 1"
