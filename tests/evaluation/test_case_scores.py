"""All scores of one small case, by hand and against MONAI."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics import DiceMetric, HausdorffDistanceMetric, MeanIoU, SurfaceDiceMetric
from scipy import ndimage

from napari_brainseg.cases.labels import BRATS2017, LGG, LabelArray
from napari_brainseg.evaluation.case_scores import MACRO, MACRO_WITH_BACKGROUND, Comparison, score_case
from napari_brainseg.evaluation.parts import parts_of

SPACING = (2.0, 1.0, 1.2)


def volumes(shape: tuple[int, int, int] = (12, 26, 24)) -> tuple[LabelArray, LabelArray]:
    chance = np.random.default_rng(5)
    field = ndimage.gaussian_filter(chance.normal(size=shape), 2.5)
    other = field + 0.3 * ndimage.gaussian_filter(chance.normal(size=shape), 1.5)
    steps = np.quantile(field, (0.8, 0.9, 0.96))
    both = [np.array([0, 2, 1, 3], np.uint8)[np.digitize(f, steps)] for f in (other, field)]
    for labels in both:
        labels[:2] = 0
    return both[0], both[1]


def test_whole_case_agrees_with_monai() -> None:
    prediction, truth = volumes()
    scores = score_case(Comparison("a", prediction, truth, BRATS2017, SPACING))
    parts = parts_of(BRATS2017)
    p, t = (torch.from_numpy(np.stack([part.mask(v) for part in parts]))[None].float() for v in (prediction, truth))
    spacing = list(SPACING)
    for measure, metric, options in (
        ("dice", DiceMetric(reduction="none"), {}),
        ("iou", MeanIoU(reduction="none"), {}),
        ("hd95", HausdorffDistanceMetric(True, percentile=95, reduction="none"), {"spacing": spacing}),
        ("surface_dice", SurfaceDiceMetric([1.0] * len(parts), True, reduction="none"), {"spacing": spacing}),
    ):
        found = metric(p, t, **options)[0].tolist()
        assert [scores.parts[part.name][measure] for part in parts] == pytest.approx(found, rel=1e-5), measure


def test_slices_agree_with_monai() -> None:
    prediction, truth = volumes()
    scores = score_case(Comparison("a", prediction, truth, BRATS2017, SPACING))
    z = int(np.argmax(np.count_nonzero(truth, (1, 2))))
    p, t = (torch.from_numpy(v[z] > 0)[None, None].float() for v in (prediction, truth))
    whole = scores.slices[z]["WT"]
    assert whole["dice"] == pytest.approx(float(DiceMetric(reduction="none")(p, t)))
    hausdorff = HausdorffDistanceMetric(True, percentile=95, reduction="none")(p, t, spacing=[1.0, 1.2])
    assert whole["hd95"] == pytest.approx(float(hausdorff), rel=1e-5)
    assert whole["true_voxels"] == np.count_nonzero(truth[z])
    assert "hd95" not in scores.slices[0]["WT"]


def labels_of(*slices: float) -> LabelArray:
    """Return a stack of 10 x 10 slices, each filled to this share from the top."""
    labels = np.zeros((len(slices), 10, 10), np.uint8)
    for z, share in enumerate(slices):
        labels[z, : round(10 * share)] = 1
    return labels


def test_both_conventions_for_slices() -> None:
    truth, prediction = labels_of(0, 0, 0.4, 0.4), labels_of(0, 0.1, 0.4, 0)
    scores = score_case(Comparison("a", prediction, truth, LGG))
    row = scores.parts["WT"]
    assert row["slice_dice_all"] == pytest.approx((1 + 0 + 1 + 0) / 4)
    assert row["slice_dice_tumour"] == pytest.approx(0.5)
    assert row["dice"] == pytest.approx(2 * 40 / (80 + 50))
    assert scores.tumour_slices == {"WT": 2}
    assert scores.unit == "voxels"
    assert math.isnan(scores.slices[3]["WT"]["hd95"])


def test_false_alarms_are_healthy_slices_with_more_than_50_false_pixels() -> None:
    truth, prediction = labels_of(0, 0, 0, 0, 0.4), labels_of(0, 0.5, 0.6, 0.6, 1)
    row = score_case(Comparison("a", prediction, truth, LGG)).parts["WT"]
    assert row["slice_false_alarms"] == 2 / 4  # 0, 50, 60 and 60 pixels; the fifth slice is not healthy
    ill = score_case(Comparison("a", prediction[4:], truth[4:], LGG)).parts["WT"]
    assert math.isnan(ill["slice_false_alarms"])


def test_volumes_are_in_ml_where_the_spacing_is_known() -> None:
    truth, prediction = labels_of(0.5, 0.5), labels_of(0.5, 0)
    row = score_case(Comparison("a", prediction, truth, LGG, (5.0, 2.0, 2.0))).parts["WT"]
    assert (row["true_volume"], row["predicted_volume"]) == (2.0, 1.0)
    assert (row["volume_error"], row["absolute_volume_error"]) == (-0.5, 0.5)


def test_an_error_far_from_the_border_does_not_count_at_the_border() -> None:
    truth = np.zeros((1, 30, 30), np.uint8)
    truth[0, 10:20, 10:20] = 1
    prediction = truth.copy()
    prediction[0, 28, 28] = 1
    row = score_case(Comparison("a", prediction, truth, LGG)).parts["WT"]
    assert row["border_dice"] == 1.0
    assert row["dice"] < 1.0


def test_what_was_missed_or_is_not_there() -> None:
    nothing, something = labels_of(0, 0), labels_of(0.4, 0)
    missed = score_case(Comparison("a", nothing, something, LGG, (1, 1, 1))).parts["WT"]
    assert (missed["dice"], missed["hd95"], missed["surface_dice"], missed["border_dice"]) == (0, 374, 0, 0)
    absent = score_case(Comparison("a", nothing, nothing, LGG, (1, 1, 1))).parts["WT"]
    assert (absent["dice"], absent["hd95"], absent["surface_dice"]) == (1, 0, 1)
    assert math.isnan(absent["border_dice"])
    assert math.isnan(absent["slice_dice_tumour"])


def test_macro_averages() -> None:
    prediction, truth = volumes()
    parts = score_case(Comparison("a", prediction, truth, BRATS2017)).parts
    classes = [parts[name]["sensitivity"] for name in ("NCR", "ED", "ET")]
    assert parts[MACRO]["sensitivity"] == pytest.approx(np.mean(classes))
    everything = [parts["background"]["sensitivity"], *classes]
    assert parts[MACRO_WITH_BACKGROUND]["sensitivity"] == pytest.approx(np.mean(everything))


def test_calibration_only_where_there_are_probabilities() -> None:
    prediction, truth = volumes()
    maps = {"WT": np.where(truth > 0, 0.75, 0.25).astype(np.float16)}
    scores = score_case(Comparison("a", prediction, truth, BRATS2017, probabilities=maps))
    assert scores.parts["WT"]["ece"] == pytest.approx(0.25)
    assert "ece" not in scores.parts["TC"]
    assert scores.reliability["WT"].ece == pytest.approx(scores.parts["WT"]["ece_box"])
