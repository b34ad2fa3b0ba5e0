from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest
from scored_cases import CASES, load, run

from napari_brainseg.base.errors import Cancelled, InputError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.labels import BRATS2017, LGG
from napari_brainseg.evaluation.case_scores import Comparison


def test_a_bad_case_is_reported_and_the_others_are_scored() -> None:
    result = run("a_1", "bad", "a_2", "b_1")
    assert result.failed == {"bad": "bad is damaged."}
    assert result.ranked() == ["b_1", "a_2", "a_1"]
    assert result.overall.patients == 2
    assert result.notes == ("Known before.",)
    dice = result.overall.estimates["WT"]["dice"]
    assert dice.mean == pytest.approx((1 + 8 / 12 + 0) / 3)
    assert (dice.low, dice.high) == (0.0, pytest.approx(5 / 6))  # either patient alone


def test_pooled_scores_count_the_voxels_of_all_cases() -> None:
    pooled = run("a_1", "a_2", "b_1").overall.pooled
    assert pooled["WT"]["dice"] == pytest.approx(2 * 12 / (24 + 16))
    assert pooled["macro with background"]["dice"] == pytest.approx((0.6 + 2 * 356 / (360 + 368)) / 2, abs=1e-9)


def test_slice_means_are_over_all_slices() -> None:
    row = run("a_1", "a_2", "b_1").overall.estimates["WT"]
    assert row["slice_dice_tumour"].mean == pytest.approx((1 + 2 / 3) / 3)
    assert row["slice_dice_all"].mean == pytest.approx((3 + 1 + 2 / 3) / 6)


def test_false_alarms_are_a_share_of_all_healthy_slices() -> None:
    truth, alarm = np.zeros((2, 3, 8, 8), np.uint8)
    truth[1, 0] = alarm[0] = 1
    cases = {
        "a_1": Comparison("a_1", alarm, truth, LGG),  # one of 2 healthy slices
        "b_1": Comparison("b_1", alarm, np.zeros_like(truth), LGG),  # one of 3
    }

    def two(case_id: str) -> Generator[Progress, None, Comparison]:
        yield Progress(0, 0)
        return cases[case_id]

    assert run("a_1", "b_1", how=two).overall.estimates["WT"]["slice_false_alarms"].mean == pytest.approx(2 / 5)


def test_the_slices_that_pictures_show() -> None:
    most, worst = run("a_2").snapshots["a_2"]
    assert (most.z, worst.z) == (1, 1)
    np.testing.assert_array_equal(worst.truth, CASES["a_2"].truth[1])


def test_no_case_at_all_is_an_error_with_the_first_reason() -> None:
    with pytest.raises(InputError, match=r"Not one of 2 cases could be scored\. bad is damaged"):
        run("bad", "worse")


def test_a_set_has_one_scheme() -> None:
    def mixed(case_id: str) -> Generator[Progress, None, Comparison]:
        found = yield from load("a_1")
        return found if case_id == "a_1" else Comparison(case_id, found.prediction, found.truth, BRATS2017)

    assert "was read as BraTS 2017, but a_1 as LGG" in run("a_1", "x", how=mixed).failed["x"]


def test_cancelling_stops_everything() -> None:
    def cancelled(case_id: str) -> Generator[Progress, None, Comparison]:
        yield Progress(0, 0)
        raise Cancelled

    with pytest.raises(Cancelled):
        run("a_1", how=cancelled)


def test_cases_without_a_spacing_beside_others_are_said() -> None:
    def mixed(case_id: str) -> Generator[Progress, None, Comparison]:
        found = yield from load("a_1")
        return found if case_id == "a_1" else Comparison(case_id, found.prediction, found.truth, LGG)

    assert "means mix both" in run("a_1", "x", how=mixed).notes[-1]
