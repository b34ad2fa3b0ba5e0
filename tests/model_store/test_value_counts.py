import numpy as np
import pytest

from napari_brainseg.model_store.preprocessing import Preprocessing, scaled
from napari_brainseg.model_store.value_counts import ValueCounts


@pytest.fixture
def image() -> np.ndarray:
    image = np.random.default_rng(4).gamma(2, 300, (6, 20, 30)).astype(np.int16).astype(np.float32)
    image[:, :4] = 0
    return image


@pytest.mark.parametrize("share", [0, 0.5, 33.3, 50, 99.5, 100])
def test_percentiles_are_those_of_the_voxels(share: float, image: np.ndarray) -> None:
    counts = ValueCounts.of(image)
    assert counts is not None
    assert counts.percentile(share) == pytest.approx(np.percentile(image, share), rel=1e-12)
    above = counts.above(100.7)
    assert above.size == (image > 100.7).sum()
    assert above.percentile(share) == pytest.approx(np.percentile(image[image > 100.7], share), rel=1e-12)


def test_moments_are_those_of_the_clipped_voxels(image: np.ndarray) -> None:
    counts = ValueCounts.of(image)
    assert counts is not None
    clipped = image[image > 50].astype(float).clip(80, 900)
    assert counts.above(50).clipped_moments(80, 900) == pytest.approx((clipped.mean(), clipped.std()))


@pytest.mark.parametrize("value", [-1, 0.5, 65536, np.nan, np.inf])
def test_other_values_are_not_counted(value: float, image: np.ndarray) -> None:
    image[2, 3, 4] = value
    assert ValueCounts.of(image) is None


@pytest.mark.parametrize("scaling", ["zscore", "median", "percentile"])
@pytest.mark.parametrize("zero_background", [False, True])
def test_counted_images_are_scaled_as_others_are(scaling: str, zero_background: bool, image: np.ndarray) -> None:
    settings = Preprocessing(scaling=scaling, zero_background=zero_background)
    # A tiny fraction makes the values no whole numbers, and changes nothing else.
    others = scaled(np.where(image > 0, image + np.float32(1 / 128), 0), settings)
    np.testing.assert_allclose(scaled(image, settings), others, atol=1e-4)
