"""Our scores against those that panoptica_values.py kept of the panoptica package."""

from __future__ import annotations

import json

import numpy as np
import pytest
from evaluation.panoptica_values import FILE, SPACING, mask_pair
from scipy import ndimage

from napari_brainseg.evaluation.lesions import score_lesions
from napari_brainseg.evaluation.overlap import counts
from napari_brainseg.evaluation.surfaces import SurfaceDistances

VALUES = json.loads(FILE.read_text(encoding="utf-8"))


def test_overlap_of_the_whole() -> None:
    found = counts(*mask_pair())
    assert found.dice == pytest.approx(VALUES["global_bin_dsc"])
    assert found.iou == pytest.approx(VALUES["global_bin_iou"])
    assert found.volume_error == pytest.approx(VALUES["global_bin_rvd"])


def test_distances_of_the_whole() -> None:
    # panoptica takes the whole in voxels, the 95th percentile over both directions together (ours is the greater of
    # the two, as MONAI's), and the two directions of its surface Dice, within half a voxel, with one weight each.
    distances = SurfaceDistances(*mask_pair(), (1.0, 1.0, 1.0))
    both = (distances.from_prediction, distances.from_truth)
    assert max(d.max() for d in both) == pytest.approx(VALUES["global_bin_hd"])
    assert np.percentile(np.concatenate(both), 95) == pytest.approx(VALUES["global_bin_hd95"])
    assert np.mean([d.mean() for d in both]) == pytest.approx(VALUES["global_bin_assd"])
    assert np.mean([(d <= 0.5).mean() for d in both]) == pytest.approx(VALUES["global_bin_nsd"])


def test_lesions() -> None:
    lesions = score_lesions(*mask_pair(), SPACING)
    assert (lesions.found, lesions.missed, lesions.invented) == (VALUES["tp"], VALUES["fn"], VALUES["fp"])
    # panoptica means over what was found alone; the BraTS rule counts 0 for what was missed and invented.
    everything = lesions.found + lesions.missed + lesions.invented
    assert lesions.dice * everything == pytest.approx(VALUES["sq_dsc"] * VALUES["tp"])


def test_distances_of_the_lesions_in_mm() -> None:
    prediction, truth = mask_pair()
    found, true = (ndimage.label(mask)[0] for mask in (prediction, truth))
    pairs = {(int(f), int(t)) for f, t in zip(found[prediction & truth], true[prediction & truth], strict=True)}
    distances = [SurfaceDistances(found == f, true == t, SPACING) for f, t in sorted(pairs)]
    both = [np.concatenate([d.from_prediction, d.from_truth]) for d in distances]
    assert np.mean([d.max() for d in both]) == pytest.approx(VALUES["sq_hd"])
    assert np.mean([np.percentile(d, 95) for d in both]) == pytest.approx(VALUES["sq_hd95"])
