import numpy as np
import torch

from napari_brainseg.inference.windows import blend_weights, plan_windows, starts


def test_windows_end_with_the_axis_and_overlap_by_half() -> None:
    assert starts(100, 40) == [0, 20, 40, 60]
    assert starts(101, 40) == [0, 20, 40, 60, 61]
    assert starts(10, 40) == [0]
    assert starts(40, 40) == [0]


def test_windows_cover_every_voxel() -> None:
    covered = np.zeros((9, 30, 17), int)
    for window in plan_windows(covered.shape, (8, 16, 16)):
        covered[window] += 1
    assert covered.min() >= 1


def test_blend_weights_are_symmetric_and_never_zero() -> None:
    weights = blend_weights((4, 6, 8))
    assert weights.shape == (4, 6, 8)
    torch.testing.assert_close(weights, weights.flip(0, 1, 2))
    assert weights.min() > 0
    assert weights.argmax() in [1 * 48 + 2 * 8 + 3]
