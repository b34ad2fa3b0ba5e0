"""Scores from voxel counts, by hand and against MONAI."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, compute_iou, get_confusion_matrix

from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.evaluation.overlap import Counts, counts, macro, scheme_counts


def test_scores_of_a_known_table() -> None:
    c = Counts(tp=6, fp=2, fn=4, tn=88)
    assert (c.dice, c.f1, c.iou) == pytest.approx((12 / 18, 12 / 18, 6 / 12))
    assert (c.sensitivity, c.specificity, c.precision) == pytest.approx((0.6, 88 / 90, 0.75))
    assert c.volume_error == pytest.approx(-0.2)
    assert c + Counts(1, 1, 1, 1) == Counts(7, 3, 5, 89)


def test_what_empty_masks_score() -> None:
    nothing, invented, missed = Counts(0, 0, 0, 9), Counts(0, 3, 0, 6), Counts(0, 0, 3, 6)
    assert [getattr(nothing, m) for m in ("dice", "iou", "f1", "sensitivity", "precision")] == [1.0] * 5
    assert (invented.dice, invented.sensitivity, invented.precision) == (0.0, 1.0, 0.0)
    assert (missed.dice, missed.sensitivity, missed.precision) == (0.0, 0.0, 0.0)


def test_regions_and_classes_agree_with_monai() -> None:
    chance = np.random.default_rng(1)
    prediction, truth = (chance.integers(0, 4, (5, 6, 7)).astype(np.uint8) for _ in range(2))
    found = scheme_counts(prediction, truth, BRATS2017)
    masks = {"background": (0,), **{c.name: (c.value,) for c in BRATS2017.classes}}
    masks |= {r.name: r.values for r in BRATS2017.regions}
    assert set(found) == set(masks)
    for name, values in masks.items():
        p, t = np.isin(prediction, values), np.isin(truth, values)
        assert found[name] == counts(p, t)
        tensors = [torch.from_numpy(m)[None, None].float() for m in (p, t)]
        assert found[name].dice == pytest.approx(float(compute_dice(*tensors)))
        assert found[name].iou == pytest.approx(float(compute_iou(*tensors)))
        tp, fp, tn, fn = get_confusion_matrix(*tensors)[0, 0].tolist()
        assert found[name] == Counts(int(tp), int(fp), int(fn), int(tn))


def test_the_macro_mean_is_with_or_without_the_background() -> None:
    by_class = {"background": Counts(8, 0, 0, 2), "NCR": Counts(1, 1, 0, 8), "ED": Counts(0, 0, 1, 9)}
    assert macro(by_class, "precision", background=True) == pytest.approx((1 + 0.5 + 0) / 3)
    assert macro(by_class, "precision", background=False) == pytest.approx(0.25)
