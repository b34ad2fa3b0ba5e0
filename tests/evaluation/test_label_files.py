from __future__ import annotations

from pathlib import Path

import pytest

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import Naming
from napari_brainseg.evaluation.label_files import find_label_files, unmatched


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "cases"),
    [
        (["A_1_seg.nii.gz", "B_2_seg.nii.gz", "A_1_probability-WT.nii.gz"], ["A_1", "B_2"]),
        (["x/HGG/A/A_flair.nii.gz", "x/HGG/A/A_seg.nii.gz"], ["A"]),
        (["BraTS-GLI-00001-000-seg.nii.gz", "BraTS-GLI-00001-000-t1c.nii.gz"], ["BraTS-GLI-00001-000"]),
        (["labelsTr/BRATS_001.nii.gz", "imagesTr/BRATS_001.nii.gz"], ["BRATS_001"]),
        (["p1/flair.nii.gz", "p1/seg.nii.gz"], ["p1"]),
        (["p1/base/seg.nii.gz", "p2/base/seg.nii.gz"], ["p1/base", "p2/base"]),
        (["p1/base_seg.nii.gz", "p2/base_seg.nii.gz"], ["p1/base", "p2/base"]),
        (["T_1/T_1_2.tif", "T_1/T_1_2_mask.tif", "T_1/T_1_10_mask.tif"], ["T_1"]),
    ],
)
def test_labels_are_found_by_the_names_of_their_cases(tmp_path: Path, names: list[str], cases: list[str]) -> None:
    assert sorted(find_label_files(touch(tmp_path, *names))) == cases


def test_masks_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    found = find_label_files(touch(tmp_path, "T_10_mask.tif", "T_2_mask.tif", "T_2_probability-WT.tif"))["T"]
    assert [file.name for file in found.files] == ["T_2_mask.tif", "T_10_mask.tif"]
    assert found.naming is Naming.LGG


def test_one_file_is_taken_as_it_is(tmp_path: Path) -> None:
    touch(tmp_path, "A_seg.nii.gz", "odd.nii", "notes.txt")
    assert list(find_label_files(tmp_path / "A_seg.nii.gz")) == ["A"]
    assert list(find_label_files(tmp_path / "odd.nii")) == ["odd"]


def test_the_plainest_of_several_files_is_read_and_named(tmp_path: Path) -> None:
    found = find_label_files(touch(tmp_path, "A_flair.nii.gz", "A_flair_seg.nii.gz", "A_seg.nii.gz"))["A"]
    assert [file.name for file in found.files] == ["A_seg.nii.gz"]
    assert found.notes == ("2 labels files were found; A_seg.nii.gz was read.",)


@pytest.mark.parametrize(
    ("name", "words"), [("nothing", "does not exist"), ("empty", "holds no labels"), ("a.txt", "is neither NIfTI")]
)
def test_what_holds_no_labels_is_one_sentence(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "a.txt")
    with pytest.raises(InputError, match=words):
        find_label_files(tmp_path / name)


def test_what_has_no_partner_is_named(tmp_path: Path) -> None:
    found = find_label_files(touch(tmp_path / "p", "A_seg.nii.gz", "B_seg.nii.gz"))
    true = find_label_files(touch(tmp_path / "r", *(f"{c}_seg.nii.gz" for c in "BCDEFGHI")))
    assert unmatched(found, true) == (
        "7 of 8 references have no prediction and were left out: C, D, E, F, G and 2 more.",
        "1 of 2 predictions have no reference and were left out: A.",
    )
