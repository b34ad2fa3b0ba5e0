import numpy as np
import pytest

from napari_brainseg.annotation.editing import LabelEditor
from napari_brainseg.annotation.overlap import ReferenceOverlap
from napari_brainseg.cases.labels import BRATS2017, LGG, MSD


def dice(labels, scheme, reference, reference_scheme):
    result = {}
    for mine, theirs in zip(scheme.regions, reference_scheme.regions, strict=True):
        a, b = np.isin(labels, mine.values), np.isin(reference, theirs.values)
        result[mine.name] = 2 * (a & b).sum() / (a.sum() + b.sum())
    return result


def test_overlap_follows_edits_exactly_and_matches_regions_of_another_scheme():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, (6, 7, 8)).astype(np.uint8)
    reference = rng.integers(0, 4, (6, 7, 8)).astype(np.uint8)
    overlap = ReferenceOverlap(labels, BRATS2017, reference, MSD)
    assert overlap.dice() == pytest.approx(dice(labels, BRATS2017, reference, MSD))
    editor = LabelEditor(labels, BRATS2017)
    for step in range(3):
        labels[step] = rng.integers(0, 4, (7, 8))
        edit = editor.absorb(labels, "brush").edit
        assert edit is not None
        overlap.update(edit)
        assert overlap.dice() == pytest.approx(dice(labels, BRATS2017, reference, MSD))


def test_two_empty_regions_agree():
    empty = np.zeros((1, 2, 2), np.uint8)
    assert ReferenceOverlap(empty, BRATS2017, empty, BRATS2017).dice() == {"WT": 1.0, "TC": 1.0, "ET": 1.0}


def test_only_regions_that_both_have_are_compared():
    empty = np.zeros((1, 2, 2), np.uint8)
    assert set(ReferenceOverlap(empty, BRATS2017, empty, LGG).dice()) == {"WT"}
