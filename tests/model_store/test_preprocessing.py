import numpy as np
import pytest

from napari_brainseg.model_store.preprocessing import Preprocessing, brain_box, head_box, scaled


def test_foreground_has_mean_zero_and_deviation_one() -> None:
    rng = np.random.default_rng(1)
    image = np.zeros((4, 20, 20), np.float32)
    image[:, 5:15, 5:15] = rng.normal(100, 10, (4, 10, 10))
    result = scaled(image, Preprocessing(clip=(0, 100), zero_background=True))
    inside = result[:, 5:15, 5:15]
    assert inside.mean() == pytest.approx(0, abs=1e-4)
    assert inside.std() == pytest.approx(1, abs=1e-4)
    assert not result[:, :5].any()


@pytest.mark.parametrize("bright", [300.0, 900.0])
def test_ordinary_tissue_has_one_value_however_bright_the_scalp_is(bright: float) -> None:
    head = np.full((4, 20, 20), 100.0, np.float32)
    head[:, :3], head[:, 10:13, 10:13], head[:, 18:] = bright, 150.0, 0.0
    result = scaled(head, Preprocessing(scaling="median", clip=(0, 100)))
    assert result[:, 5, 5] == pytest.approx(0)
    assert result[:, 11, 11] == pytest.approx(1)
    assert result[:, 19] == pytest.approx(-2)


@pytest.mark.parametrize("scaling", ["zscore", "median"])
@pytest.mark.parametrize("factor", [0.1, 10])
def test_the_scale_of_the_intensities_does_not_matter(factor: float, scaling: str) -> None:
    image = np.random.default_rng(2).gamma(3, 50, (3, 16, 16)).astype(np.float32)
    settings = Preprocessing(scaling=scaling)
    np.testing.assert_allclose(scaled(image, settings), scaled(image * factor, settings), atol=1e-4)


def test_a_few_saturated_voxels_are_clipped() -> None:
    image = np.random.default_rng(3).normal(100, 10, (4, 32, 32)).astype(np.float32)
    spoiled = image.copy()
    spoiled[0, 0, :3] = 32767
    difference = np.abs(scaled(spoiled, Preprocessing()) - scaled(image, Preprocessing()))
    difference[0, 0, :3] = 0
    assert difference.max() < 0.1


def test_an_empty_channel_is_zero() -> None:
    assert not scaled(np.zeros((2, 4, 4)), Preprocessing()).any()


def test_the_box_holds_everything_that_is_not_zero_and_a_margin() -> None:
    first, second = np.zeros((10, 10, 10)), np.zeros((10, 10, 10))
    first[3, 4, 5] = 1
    second[5, 4, 9] = -1
    assert brain_box([first, second], 1) == (slice(2, 7), slice(3, 6), slice(4, 10))
    assert brain_box([np.zeros((2, 3, 4))], 1) == (slice(0, 2), slice(0, 3), slice(0, 4))


def head(rows: slice, columns: slice, size: tuple[int, int] = (128, 160)) -> np.ndarray:
    """Three slices with a head in some noise, of which a voxel here and there is as bright as the head."""
    image = np.random.default_rng(5).uniform(0, 5, (3, *size)).astype(np.float32)
    image[0, ::9, 3] = image[2, 2, ::40] = 100
    image[:, rows, columns] = 100
    return image


def test_the_box_of_a_head_is_divisible_and_holds_it_with_eight_voxels_around() -> None:
    z, y, x = head_box([head(slice(40, 70), slice(60, 118))], 32)
    assert z == slice(0, 3)
    assert (y.stop - y.start, x.stop - x.start) == (64, 96)  # 30 + 16 and 58 + 16, up to a multiple of 32
    assert y.start <= 32
    assert y.stop >= 78
    assert x.start <= 52
    assert x.stop >= 126


def test_the_box_of_a_head_stays_within_the_image_and_takes_the_channels_together() -> None:
    channels = [head(slice(0, 16), slice(4, 20)), head(slice(4, 10), slice(100, 152)), np.zeros((3, 128, 160))]
    assert head_box(channels, 32) == (slice(0, 3), slice(0, 32), slice(0, 160))
    assert head_box([head(slice(2, 38), slice(2, 43), (40, 45))], 32) == (slice(0, 3), slice(0, 40), slice(0, 45))


@pytest.mark.parametrize(
    "image", [np.zeros((2, 50, 70)), np.full((2, 50, 70), 7, np.uint8), np.full((2, 50, 70), -3.0)]
)
def test_where_there_is_no_head_to_be_seen_the_box_is_the_image(image: np.ndarray) -> None:
    assert head_box([image], 32) == (slice(0, 2), slice(0, 50), slice(0, 70))


def test_a_head_in_a_few_of_many_slices_is_no_noise() -> None:
    image = np.zeros((120, 128, 160), np.float32)
    image[50:52, 20:50, 30:42] = 100
    z, y, x = head_box([image], 32)
    assert z == slice(0, 120)
    assert (y.stop - y.start, x.stop - x.start) == (64, 32)
    assert image[z, y, x].sum() == image.sum()
