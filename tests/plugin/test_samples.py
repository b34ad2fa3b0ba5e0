from __future__ import annotations

import subprocess
import sys

import numpy as np
from npe2 import PluginManager

from napari_brainseg.plugin import samples
from napari_brainseg.plugin.layers import METADATA_KEY, Role


def shown(layers):
    return [attributes["name"] for _, attributes, _ in layers if attributes.get("visible", True)]


def test_the_volume_comes_with_four_channels_and_its_reference():
    layers = samples.open_volume()
    identities = [attributes["metadata"][METADATA_KEY] for _, attributes, _ in layers]
    assert {i.name for i in identities if i.role is Role.CHANNEL} == {"flair", "t1", "t1ce", "t2"}
    assert [i.role for i in identities].count(Role.REFERENCE) == 1
    assert len({i.case_id for i in identities}) == 1
    assert "flair" in shown(layers)
    assert "t1ce" not in shown(layers)
    data, attributes, kind = layers[-1]
    assert kind == "labels"
    assert set(np.unique(data)) == {0, 1, 2, 3}
    assert tuple(attributes["scale"]) == (2.25, 1.5, 1.5)


def test_the_slices_come_with_three_channels_and_their_reference():
    layers = samples.open_slices()
    names = {attributes["metadata"][METADATA_KEY].name for _, attributes, kind in layers if kind == "image"}
    assert names == {"pre", "flair", "post"}
    assert layers[-1][2] == "labels"
    assert all(data.shape[1:] == (256, 256) for data, _, _ in layers)


def test_napari_offers_both_and_opens_them(make_napari_viewer):
    viewer = make_napari_viewer()
    manifest = PluginManager.instance().get_manifest("napari-brainseg")
    keys = [sample.key for sample in manifest.contributions.sample_data]
    assert keys == ["brats_phantom", "lgg_phantom"]
    for key in keys:
        viewer.layers.clear()
        viewer.open_sample("napari-brainseg", key)
        assert viewer.layers["flair"].visible
        assert viewer.layers["reference"].data.any()


def test_samples_open_without_torch():
    code = "import sys; sys.modules['torch'] = None; from napari_brainseg.plugin import samples; samples.open_volume()"
    subprocess.run([sys.executable, "-c", code], check=True)
