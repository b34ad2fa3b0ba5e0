from __future__ import annotations

import numpy as np
import pytest

from napari_brainseg.cases.case import BRATS_CHANNELS, LGG_CHANNELS, Naming
from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
from napari_brainseg.cases.phantom_lesion import LesionShape

SHAPE, SPACING = (32, 64, 64), (4.5, 3.0, 3.0)
NCR, ED, ET = 1, 2, 3


@pytest.fixture(scope="module")
def volume():
    lesion = LesionShape((22.0, -15.0, 34.0), core=22, rim=6, oedema=12)
    return make_volume_phantom(4, SHAPE, SPACING, lesion)


@pytest.fixture(scope="module")
def lgg():
    return make_lgg_phantom(1, slices=7)


def test_volume_is_a_complete_case(volume):
    assert tuple(volume.channels) == volume.expected == BRATS_CHANNELS
    assert volume.scheme.id == "brats2017"
    assert volume.naming is Naming.BRATS_2017
    assert volume.missing == ()
    assert volume.geometry.shape == SHAPE
    assert volume.geometry.spacing == SPACING
    assert all(v.data.dtype == np.int16 for v in volume.channels.values())
    assert set(np.unique(volume.labels.volume.data)) == {0, NCR, ED, ET}


def test_volume_lies_as_brats_stores_it(volume):
    # File order is memory order reversed, and memory grows to the left, to posterior and to superior.
    assert volume.geometry.reorientation.axes == (2, 1, 0)
    assert not any(volume.geometry.reorientation.flips)
    ras_steps = volume.geometry.memory_affine[:3, :3]
    np.testing.assert_allclose(ras_steps, [[0, 0, -3], [0, -3, 0], [4.5, 0, 0]])


def test_background_is_exactly_zero_in_every_channel(volume):
    brains = [v.data > 0 for v in volume.channels.values()]
    assert all((b == brains[0]).all() for b in brains)
    assert 0.2 < brains[0].mean() < 0.5
    assert not brains[0][:, 0].any()
    assert not (volume.labels.volume.data > 0)[~brains[0]].any()


def test_the_lesion_is_on_the_left_and_in_front(volume):
    _, y, x = np.nonzero(volume.labels.volume.data)
    assert x.mean() > SHAPE[2] / 2 + 5
    assert y.mean() < SHAPE[1] / 2


def test_regions_are_nested_and_none_is_empty(volume):
    whole, core, enhancing = volume.scheme.region_masks(volume.labels.volume.data)
    assert whole.sum() > core.sum() > enhancing.sum() > 0
    assert not (core & ~whole).any()
    assert not (enhancing & ~core).any()


def test_classes_look_as_they_do_in_mri(volume):
    labels = volume.labels.volume.data
    brain = volume.channels["t1"].data > 0

    def median(channel, mask):
        return float(np.median(volume.channels[channel].data[mask]))

    healthy = brain & (labels == 0)
    assert median("flair", labels == ED) > 1.2 * median("flair", healthy)
    assert median("t1ce", labels == ET) > 1.3 * median("t1ce", healthy)
    assert median("t1", labels == NCR) < median("t1", healthy)
    assert median("t2", labels == NCR) > median("t2", healthy)


def test_same_seed_same_case():
    first, again, other = (make_volume_phantom(seed, (16, 32, 32), (9.0, 6.0, 6.0)) for seed in (7, 7, 8))
    for name in BRATS_CHANNELS:
        np.testing.assert_array_equal(first.channels[name].data, again.channels[name].data)
        assert (first.channels[name].data != other.channels[name].data).any()
    np.testing.assert_array_equal(first.labels.volume.data, again.labels.volume.data)


def test_lgg_is_a_complete_case(lgg):
    assert tuple(lgg.channels) == lgg.expected == LGG_CHANNELS
    assert lgg.naming is Naming.LGG
    assert lgg.scheme.id == "lgg"
    assert lgg.geometry.shape == (7, 256, 256)
    assert lgg.geometry.spacing is None
    assert lgg.geometry.affine is None
    assert all(v.data.dtype == np.uint8 for v in lgg.channels.values())
    assert set(np.unique(lgg.labels.volume.data)) == {0, 1}


def test_lgg_has_a_bright_scalp_and_a_bright_lesion(lgg):
    mask, flair, pre = lgg.labels.volume.data > 0, lgg.channels["flair"].data, lgg.channels["pre"].data
    z = int(mask.sum((1, 2)).argmax())
    middle = np.s_[z, 100:156, 100:156]
    # Going in from the left edge of the picture the first bright pixels are the scalp's fat.
    row = pre[z, 128].astype(float)
    scalp = int(np.flatnonzero(row > 0.5 * row.max())[0])
    assert 10 < scalp < 60
    assert row[scalp : scalp + 8].max() > 1.3 * np.median(pre[middle])
    assert np.median(flair[mask]) > 1.2 * np.median(flair[middle])
    assert pre[z, :5].max() < 25
