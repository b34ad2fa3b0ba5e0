import numpy as np
import pytest

from napari_brainseg.model_store.image_features import edge_image, equalised, middle_cluster


def test_edges_of_a_step_lie_at_the_step() -> None:
    image = np.zeros((2, 6, 8), np.float32)
    image[:, :, 4:] = 1
    edges = edge_image(image)
    assert (edges[:, :, 3:5] > 0.5).all()
    assert not edges[:, :, :3].any()
    assert not edges[:, :, 5:].any()


def test_the_middle_cluster_is_the_third_of_five() -> None:
    image = np.repeat(np.array([0, 0, 0, 1, 2, 3, 4, 5], np.float32), 40).reshape(8, 8, 5)
    assert np.array_equal(middle_cluster(image, 5), (image == 3).astype(np.float32))


def test_too_few_values_have_no_middle_cluster() -> None:
    assert not middle_cluster(np.ones((2, 4, 4), np.float32), 5).any()


def test_an_equalised_histogram_is_even_over_the_foreground() -> None:
    values = np.random.default_rng(0).exponential(size=(4, 50, 50)).astype(np.float32)
    foreground = np.ones(values.shape, bool)
    foreground[0] = False
    result = equalised(values, foreground, "histogram")
    assert np.quantile(result[1:], [0.25, 0.5, 0.75]) == pytest.approx([0.25, 0.5, 0.75], abs=0.02)


def test_local_equalisation_lifts_a_dark_corner() -> None:
    rng = np.random.default_rng(0)
    image = np.full((1, 64, 64), 0.8, np.float32) + 0.1 * rng.random((1, 64, 64), np.float32)
    image[:, :16, :16] = 0.1 + 0.02 * rng.random((1, 16, 16), np.float32)
    corner = np.s_[:, :12, :12]
    spread = equalised(image, np.ones(image.shape, bool), "clahe")[corner].std()
    assert spread > 2 * image[corner].std()
