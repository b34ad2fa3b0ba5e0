import numpy as np
import pytest
import torch
from monai.inferers import SlidingWindowInferer
from torch import nn

from napari_brainseg.inference.windows import (
    Blended,
    blend_weights,
    nearest_first,
    plan_windows,
    starts,
    window_content,
)


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


@pytest.mark.parametrize(("shape", "size"), [((20, 40, 28), (16, 16, 16)), ((9, 33, 17), (4, 16, 8))])
def test_blending_is_that_of_monai(shape: tuple[int, int, int], size: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv3d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 3, 3, padding=1), nn.Sigmoid()
    ).eval()
    images = torch.randn(2, *shape)
    with torch.inference_mode():
        expected = SlidingWindowInferer(size, overlap=0.5, mode="gaussian")(images[None], network)[0]
        blended = Blended(3, shape, size)
        for place in plan_windows(shape, size):
            blended.add(place, network(window_content(images.numpy(), place, size)[None])[0])
    whole = (slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2]))
    torch.testing.assert_close(blended.mean(whole), expected, rtol=0, atol=1e-4)


def test_a_part_without_windows_is_zero() -> None:
    blended = Blended(1, (4, 4, 8), (4, 4, 4))
    blended.add((slice(0, 4), slice(0, 4), slice(0, 4)), torch.full((1, 4, 4, 4), 0.25))
    mean = blended.mean((slice(1, 3), slice(0, 4), slice(0, 8)))
    assert mean.shape == (1, 2, 4, 8)
    torch.testing.assert_close(mean[..., :4], torch.full((1, 2, 4, 4), 0.25))
    assert not mean[..., 4:].any()


def test_a_window_beyond_the_volume_is_filled_with_zeros() -> None:
    images = np.ones((2, 3, 5, 4), np.float16)
    content = window_content(images, (slice(1, 3), slice(0, 5), slice(0, 4)), (4, 5, 6))
    assert content.shape == (2, 4, 5, 6)
    assert (content.dtype, float(content.sum())) == (torch.float32, 2 * 2 * 5 * 4)
    assert content[:, :2, :, :4].all()


def test_the_nearest_comes_first_and_of_equals_the_lower() -> None:
    spans = [slice(0, 8), slice(8, 16), slice(16, 24)]
    assert nearest_first(spans, 20) == [2, 1, 0]
    assert nearest_first(spans, 11) == [1, 0, 2]
    assert nearest_first([slice(0, 1), slice(2, 3)], 1) == [0, 1]
