"""`dataset.json`: what is read from it, and nnU-Net's rules for what is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from nifti_files import SHAPE, labels, picture, save

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.dataset_description import (
    DATASET_SCHEMES,
    DatasetDescription,
    decathlon_labels,
    description_beside,
    nnunet_labels,
)
from napari_brainseg.cases.labels import BRATS2013, BRATS_PED, LGG, MSD
from napari_brainseg.cases.reading import attach_labels, read_case


def describe(folder: Path, **entries: object) -> DatasetDescription:
    (folder / "dataset.json").write_text(json.dumps(entries))
    return description_beside(folder / "labelsTr")


def test_brats_regions_are_those_of_nnunets_own_conversion() -> None:
    # Its Dataset137 for BraTS 2021 has the same values, and regions_class_order (1, 2, 3).
    assert nnunet_labels(MSD) == (
        {
            "background": 0,
            "whole_tumour": [1, 2, 3],
            "tumour_core": [2, 3],
            "enhancing_tumour": [3],
            "ignore": 4,
        },
        [1, 2, 3],
    )


def test_one_region_is_a_plain_label() -> None:
    assert nnunet_labels(LGG) == ({"background": 0, "flair_abnormality": 1, "ignore": 2}, [])


@pytest.mark.parametrize("scheme", DATASET_SCHEMES, ids=lambda s: s.id)
def test_regions_give_back_every_class_and_ignore_is_the_highest(scheme) -> None:
    described, order = nnunet_labels(scheme)
    classes = np.arange(len(scheme.classes) + 1)
    regions = [v for name, v in described.items() if name not in ("background", "ignore")]
    # As nnU-Net decodes: each region that holds a voxel sets it, in turn.
    decoded = np.zeros_like(classes)
    for region, value in zip(regions, order or [1], strict=True):
        decoded[np.isin(classes, region)] = value
    np.testing.assert_array_equal(decoded, classes)
    assert described["ignore"] == len(classes)
    assert sorted({int(v) for region in regions for v in np.atleast_1d(region)}) == [*classes[1:]]


@pytest.mark.parametrize("scheme", DATASET_SCHEMES, ids=lambda s: s.id)
def test_what_is_written_is_known_again(tmp_path: Path, scheme) -> None:
    written = describe(tmp_path, labels=nnunet_labels(scheme)[0])
    assert (written.scheme, written.ignored) == (scheme, len(scheme.classes) + 1)
    listed = describe(tmp_path, labels=decathlon_labels(scheme))
    assert (listed.scheme, listed.ignored) == (scheme, None)


def test_american_spelling_means_the_same(tmp_path: Path) -> None:
    ours = {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": [3]}
    assert describe(tmp_path, labels=ours).scheme == MSD
    plain = {"0": "background", "1": "edema", "2": "Necrotic and non-enhancing core", "3": "enhancing tumor"}
    assert describe(tmp_path, labels=plain).scheme == MSD
    assert describe(tmp_path, labels={"background": 0, "liver": 1}).scheme is None


def test_a_file_that_is_no_description_says_nothing(tmp_path: Path) -> None:
    assert describe(tmp_path, labels=[1, 2], training="none", modality=3) == DatasetDescription(folder=tmp_path)
    for text in ("not json", "[1]"):
        (tmp_path / "dataset.json").write_text(text)
        assert description_beside(tmp_path) == DatasetDescription()


def nnunet_case(folder: Path, values: np.ndarray, **entries: object) -> Path:
    save(folder / "imagesTr" / "c_0000.nii.gz", picture())
    save(folder / "labelsTr" / "c.nii.gz", values)
    describe(folder, **entries)
    return folder


def test_the_ignore_label_is_no_class(tmp_path: Path) -> None:
    # 4 is the enhancing tumour of BraTS 2017, and would be read so without a look at dataset.json.
    stored = labels(values=(0, 1, 2, 4))
    named, _ = nnunet_labels(MSD)
    case = read_case(nnunet_case(tmp_path, stored, channel_names={"0": "flair"}, labels=named))
    np.testing.assert_array_equal(case.labels.unknown, stored == 4)
    np.testing.assert_array_equal(case.labels.volume.data, np.where(stored == 4, 0, stored))
    assert (case.labels.scheme, case.labels.assumed) == (MSD, False)
    count = int((stored == 4).sum())
    assert case.notes == (
        f"The labels are not known everywhere: {count} of {stored.size} voxels are marked as such in the data set of "
        "c.nii.gz.",
    )


def test_values_that_the_description_does_not_cover_are_guessed_as_ever(tmp_path: Path) -> None:
    # 255 fits LGG, which its names say; 0 to 3 do not.
    named, _ = nnunet_labels(LGG)
    case = read_case(nnunet_case(tmp_path, labels(values=(0, 1, 3)), channel_names={"0": "flair"}, labels=named))
    assert (case.labels.scheme, case.labels.unknown) == (MSD, None)


def test_a_mask_says_where_labels_are_known(tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:3] = 1
    save(tmp_path / "masksTr" / "c.nii.gz", mask)
    entry = {"image": ["imagesTr/c_0000.nii.gz"], "label": "labelsTr/c.nii.gz", "mask": "masksTr/c.nii.gz"}
    stored = labels(values=(0, 1, 2, 3))
    case = read_case(nnunet_case(tmp_path, stored, modality={"0": "FLAIR"}, training=[entry]))
    np.testing.assert_array_equal(case.labels.unknown, mask == 0)
    np.testing.assert_array_equal(case.labels.volume.data, stored)


def test_a_mask_of_another_grid_is_no_mask(tmp_path: Path) -> None:
    save(tmp_path / "masksTr" / "c.nii.gz", np.ones((2, 5, 6), np.uint8))
    entry = {"image": "imagesTr/c_0000.nii.gz", "label": "labelsTr/c.nii.gz", "mask": "masksTr/c.nii.gz"}
    nnunet_case(tmp_path, labels(values=(0, 1)), modality={"0": "FLAIR"}, training=[entry])
    case = read_case(tmp_path)
    assert case.labels is None
    assert "lies on another grid than c. Put the mask of this case in its place." in case.notes[-1]
    with pytest.raises(InputError, match="another grid than c"):
        attach_labels(case, tmp_path / "labelsTr" / "c.nii.gz")


def test_brats2013_keeps_what_no_region_tells_apart() -> None:
    described, order = nnunet_labels(BRATS2013)
    assert list(described.items())[1:-1] == [
        ("whole_tumour", [1, 2, 3, 4]),
        ("tumour_core", [1, 3, 4]),
        ("non_enhancing_tumour", [3]),
        ("enhancing_tumour", [4]),
    ]
    assert order == [2, 1, 3, 4]
    assert nnunet_labels(BRATS_PED)[1] == [4, 2, 3, 1]
