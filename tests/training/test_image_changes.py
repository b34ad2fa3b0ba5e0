from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from changed_cases import labelled_case

from napari_brainseg.cases.case import Case
from napari_brainseg.training.robustness import image_changes


def image(case: Case) -> np.ndarray:
    return np.asarray(case.channels["t1"].data)


def test_noise_leaves_the_empty_space_and_has_the_asked_deviation() -> None:
    case = labelled_case()
    before, after = image(case), image(image_changes.with_noise(case, 0.1, np.random.default_rng(1)))
    there = before != 0
    low, high = np.percentile(before[there], (1, 99))
    assert (after[~there] == 0).all()
    assert np.std((after - before)[there]) == pytest.approx(0.1 * (high - low), rel=0.05)


def test_the_bias_field_goes_from_end_to_end_and_is_the_same_for_every_channel() -> None:
    case = labelled_case()
    changed = image_changes.with_bias_field(case, np.random.default_rng(1))
    there = image(case) != 0
    factors = (image(changed) / np.where(there, image(case), 1))[there]
    assert (factors.min(), factors.max()) == (pytest.approx(0.6), pytest.approx(1.5))
    np.testing.assert_array_equal(changed.channels["t2"].data, image(changed))


def test_blur_stays_within_slices_of_unknown_spacing() -> None:
    case = labelled_case()
    flat = replace(case, geometry=replace(case.geometry, spacing=None))
    assert image(image_changes.with_blur(flat, 1.0))[1].max() == 0
    assert image(image_changes.with_blur(case, 1.0))[1].max() > 0


def test_scale_levels_and_saturation() -> None:
    case = labelled_case()
    np.testing.assert_array_equal(image(image_changes.scaled(case, 10)), 10 * image(case))
    levels = image(image_changes.quantised(case))
    assert levels.max() == 255
    np.testing.assert_array_equal(levels, np.rint(levels))
    after = image(image_changes.saturated(case, np.random.default_rng(1)))
    assert np.count_nonzero(after == 32767) == np.count_nonzero(after != image(case)) == 20
