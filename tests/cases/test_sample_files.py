from __future__ import annotations

import hashlib

import numpy as np
import tifffile

from napari_brainseg.base.paths import sample_data
from napari_brainseg.cases import sample_files
from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
from napari_brainseg.cases.reading import read_case


def test_shipped_samples_are_small_and_there():
    assert sum(f.stat().st_size for f in sample_data().rglob("*") if f.is_file()) < 4_000_000
    assert len(list(sample_files.volume_sample().glob("*.nii.gz"))) == 5
    assert len(list(sample_files.lgg_sample().glob("*.tif"))) == 2 * sample_files.LGG_SLICES


def test_volume_files_read_back_as_the_phantom(tmp_path):
    phantom = make_volume_phantom(3, (16, 32, 32), (9.0, 6.0, 6.0))
    sample_files.write_volume_files(phantom, tmp_path / phantom.id)
    case = read_case(tmp_path / phantom.id)
    assert case.id == phantom.id
    assert case.naming is phantom.naming
    assert case.scheme.id == "brats2017"
    assert case.geometry.same_grid(phantom.geometry)
    for name, volume in phantom.channels.items():
        np.testing.assert_array_equal(case.channels[name].data, volume.data)
    np.testing.assert_array_equal(case.labels.volume.data, phantom.labels.volume.data)


def test_slice_files_read_back_as_the_phantom(tmp_path):
    phantom = make_lgg_phantom(1, slices=11)
    sample_files.write_slice_files(phantom, tmp_path / phantom.id)
    assert tifffile.imread(tmp_path / phantom.id / f"{phantom.id}_2.tif").shape == (256, 256, 3)
    case = read_case(tmp_path / phantom.id)
    assert case.id == phantom.id
    assert case.naming is phantom.naming
    for name, volume in phantom.channels.items():
        np.testing.assert_array_equal(case.channels[name].data, volume.data)
    np.testing.assert_array_equal(case.labels.volume.data, phantom.labels.volume.data)


def test_writing_again_gives_the_same_bytes(tmp_path):
    phantom = make_volume_phantom(3, (16, 32, 32), (9.0, 6.0, 6.0))
    digests = set()
    for folder in ("a", "b"):
        sample_files.write_volume_files(phantom, tmp_path / folder)
        file = tmp_path / folder / f"{phantom.id}_flair.nii.gz"
        digests.add(hashlib.sha256(file.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_shipped_samples_open_as_complete_cases():
    volume, lgg = read_case(sample_files.volume_sample()), read_case(sample_files.lgg_sample())
    assert volume.missing == lgg.missing == ()
    assert set(np.unique(volume.labels.volume.data)) == {0, 1, 2, 3}
    assert set(np.unique(lgg.labels.volume.data)) == {0, 1}
    assert volume.geometry.spacing == (2.25, 1.5, 1.5)
    assert lgg.geometry.spacing is None
