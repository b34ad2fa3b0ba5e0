"""Labelled cases as a network sees them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nifti_files import labels, picture, save

from napari_brainseg.base.errors import InputError, TrainingError
from napari_brainseg.cases.attaching import without_mask
from napari_brainseg.cases.labels import BRATS2017, LGG
from napari_brainseg.cases.phantom import make_lgg_phantom
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.sample_files import write_slice_files
from napari_brainseg.model_store.planes import PLANES
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.training.prepared import PreparedCase, find_labelled, prepare_labelled, seen_along


def test_why_a_case_cannot_be_learned_from(tmp_path: Path) -> None:
    save(tmp_path / "c_flair.nii.gz", picture())
    with pytest.raises(InputError, match="c has no labels to learn from"):
        prepare_labelled(read_case(tmp_path), ("flair",), BRATS2017, Preprocessing())
    save(tmp_path / "c_seg.nii.gz", np.full(picture().shape, 9, np.uint8))
    with pytest.raises(InputError, match=r"c cannot be learned from: .*c_seg\.nii\.gz holds the label values 9"):
        prepare_labelled(read_case(tmp_path), ("flair",), BRATS2017, Preprocessing())


def test_a_slice_without_a_mask_is_not_learned_as_empty(tmp_path: Path) -> None:
    write_slice_files(make_lgg_phantom(1, 3), tmp_path)
    read = read_case(tmp_path)
    assert without_mask(read) == []
    (tmp_path / f"{read.id}_2_mask.tif").unlink()
    case = read_case(tmp_path)
    assert [path.name for path in without_mask(case)] == [f"{case.id}_2.tif"]
    with pytest.raises(InputError, match=rf"{case.id} cannot be learned from: {case.id}_2\.tif has no mask"):
        prepare_labelled(case, ("flair",), LGG, Preprocessing())


def test_voxels_that_nobody_knows_are_not_learned_as_background(tmp_path: Path) -> None:
    save(tmp_path / "imagesTr" / "c_0000.nii.gz", picture())
    save(tmp_path / "labelsTr" / "c.nii.gz", labels(values=(0, 1, 2, 4)))
    (tmp_path / "dataset.json").write_text('{"channel_names": {"0": "flair"}, "labels": {"ignore": 4}}')
    with pytest.raises(InputError, match="c cannot be learned from: its data set marks voxels as not known"):
        prepare_labelled(read_case(tmp_path), ("flair",), BRATS2017, Preprocessing())


def test_absent_cases_and_two_of_one_name_are_said(tmp_path: Path) -> None:
    save(tmp_path / "one" / "c_flair.nii.gz", picture())
    with pytest.raises(TrainingError, match=r"lacks d\. Choose another"):
        find_labelled(tmp_path, ["c", "d"])
    with pytest.raises(TrainingError, match="lacks 2 cases of the split, d among them"):
        find_labelled(tmp_path, ["c", "d", "e"])
    save(tmp_path / "two" / "c_flair.nii.gz", picture())
    with pytest.raises(InputError, match=r"holds c twice, in .*one and .*two"):
        find_labelled(tmp_path, ["c"])


def test_a_channel_on_another_grid_is_not_learned_as_missing(tmp_path: Path) -> None:
    save(tmp_path / "c_flair.nii.gz", picture())
    save(tmp_path / "c_seg.nii.gz", labels())
    save(tmp_path / "c_t1.nii.gz", picture()[1:])
    with pytest.raises(InputError, match="c cannot be learned from: t1 lies on another grid than flair"):
        prepare_labelled(read_case(tmp_path), ("flair", "t1"), BRATS2017, Preprocessing())
    assert prepare_labelled(read_case(tmp_path), ("flair",), BRATS2017, Preprocessing()).id == "c"


def test_a_case_is_cut_along_planes_whose_pixels_are_square() -> None:
    labels = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    case = PreparedCase("one", labels[None].astype(np.float16), labels, (1.0, 1.5, 1.0))
    coronal = seen_along(case, "coronal")
    np.testing.assert_array_equal(coronal.labels[1], labels[:, 1])
    np.testing.assert_array_equal(coronal.images[0], coronal.labels)
    assert coronal.spacing == (1.5, 1.0, 1.0)
    assert seen_along(case, "axial").labels.shape == (2, 3, 4)
    thick = replace(case, spacing=(5.0, 1.0, 1.0))
    assert [len(seen_along(thick, plane).labels) for plane in PLANES] == [2, 0, 0]
    assert [len(seen_along(replace(case, spacing=None), plane).labels) for plane in PLANES] == [2, 0, 0]
