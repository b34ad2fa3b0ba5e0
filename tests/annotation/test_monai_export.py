"""Data lists for MONAI, read by MONAI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from corrected_cases import BRATS_SLICES, add_brats, add_lgg
from monai.data import load_decathlon_datalist
from monai.transforms import LoadImaged

from napari_brainseg.annotation.corrections import mask_of
from napari_brainseg.annotation.export_plan import ExportSettings
from napari_brainseg.annotation.monai_export import export_monai
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.labels import BRATS2017, MSD


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.open_or_create(tmp_path / "project")


def test_monai_loads_every_channel_labels_and_mask(project, tmp_path) -> None:
    case = add_brats(project, tmp_path / "data")
    add_brats(project, tmp_path / "data", "Brats18_Test_2_1")
    run_to_end(export_monai(project, tmp_path / "out"))

    items = load_decathlon_datalist(tmp_path / "out" / "dataset.json", is_segmentation=True, data_list_key="training")

    assert [Path(item["label"]).name for item in items] == ["Brats18_Test_1_1.nii.gz", "Brats18_Test_2_1.nii.gz"]
    loaded = LoadImaged(("image", "label", "mask"), image_only=True)(items[0])
    assert loaded["image"].affine.equal(loaded["mask"].affine)
    assert loaded["image"].affine.equal(loaded["label"].affine)
    images = np.asarray(loaded["image"]).transpose(0, 3, 2, 1)  # the files' X, Y, Z; they are stored in LPS
    for plane, channel in zip(images, ("flair", "t1", "t1ce", "t2"), strict=True):
        np.testing.assert_array_equal(plane, case.channels[channel].data)
    labels, mask = (np.asarray(loaded[key]).transpose(2, 1, 0) for key in ("label", "mask"))
    np.testing.assert_array_equal(mask, mask_of(BRATS_SLICES, case.geometry.shape))
    # Outside the mask too the labels are the work as it stood.
    np.testing.assert_array_equal(labels, BRATS2017.convert(np.asarray(case.labels.volume.data), MSD))


def test_slices_make_a_volume_of_their_own(project, tmp_path) -> None:
    case = add_lgg(project, tmp_path / "data")
    done = run_to_end(export_monai(project, tmp_path / "out", ExportSettings(("flair",))))
    assert (done.channels, done.unspaced) == (("flair",), (case.id,))
    [item] = load_decathlon_datalist(tmp_path / "out" / "dataset.json")
    loaded = LoadImaged(("image", "mask"), image_only=True)(item)
    np.testing.assert_array_equal(np.asarray(loaded["image"]).transpose(2, 1, 0), case.channels["flair"].data)
    np.testing.assert_array_equal(np.asarray(loaded["mask"]).sum((0, 1)), [0, 256 * 256, 0])
