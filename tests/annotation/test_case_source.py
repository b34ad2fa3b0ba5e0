import json

import nibabel as nib
import numpy as np
import pytest
import tifffile

from napari_brainseg.annotation.case_source import CaseSource
from napari_brainseg.cases.reading import OpenOptions, read_case


def again(case, project):
    """Read a case as a project does after another start."""
    record = json.loads(json.dumps(CaseSource.of(case, project).to_json()))
    return CaseSource.from_json(record).read(project)


def write_tifs(folder, copy=None):
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(1, 5):
        pixels = rng.integers(0, 255, (6, 7, 3)).astype(np.uint8)
        if copy is not None:
            pixels[..., copy[0]] = pixels[..., copy[1]]
        tifffile.imwrite(folder / f"{folder.name}_{number}.tif", pixels, photometric="rgb")
    return folder


def same_channels(first, second):
    assert list(first.channels) == list(second.channels)
    for name, volume in first.channels.items():
        np.testing.assert_array_equal(volume.data, second.channels[name].data)


@pytest.mark.parametrize(
    "order", [None, ("flair", "-", "post"), ("post", "flair", "-"), ("-", "-", "flair"), ("post", "pre", "flair")]
)
def test_slices_are_read_again_as_they_were(tmp_path, order):
    case = read_case(write_tifs(tmp_path / "TCGA_XX_0001_20000101"), OpenOptions(channels=order))

    same_channels(again(case, tmp_path / "project"), case)


@pytest.mark.parametrize("copy", [(0, 1), (1, 0), (2, 1), (2, 0)])
def test_slices_with_a_copied_colour_are_read_again_as_they_were(tmp_path, copy):
    case = read_case(write_tifs(tmp_path / "TCGA_XX_0001_20000101", copy))

    same_channels(again(case, tmp_path / "project"), case)


@pytest.mark.parametrize("order", [("flair", "-", "t1ce", "t2"), ("t2", "t1", "-", "flair")])
def test_volumes_of_one_file_are_read_again_as_they_were(tmp_path, order):
    data = np.random.default_rng(0).integers(1, 900, (7, 6, 5, 4)).astype(np.int16)
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "many.nii.gz")
    case = read_case(tmp_path / "many.nii.gz", OpenOptions(channels=order))

    same_channels(again(case, tmp_path / "project"), case)
