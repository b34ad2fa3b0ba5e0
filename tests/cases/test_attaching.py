"""Labels attached to an open case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from nifti_files import labels, lps_affine, picture, save, stored

from napari_brainseg.base.errors import AlignmentError, InputError, LabelError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.reading import OpenOptions, attach_labels, read_case, reread_labels


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case of the 2017 naming with labels of its own."""
    save(tmp_path / "c" / "c_flair.nii.gz", picture())
    save(tmp_path / "c" / "c_seg.nii.gz", labels(values=(0, 1)))
    return read_case(tmp_path / "c")


def disk(case: Case) -> np.ndarray:
    assert case.labels is not None
    return case.labels.scheme.to_disk(case.labels.volume.data)


@pytest.mark.parametrize(
    ("name", "values", "scheme"),
    [
        ("c.nii.gz", (0, 1, 2, 3), "msd"),
        ("c.nii", (0, 1, 2, 4), "brats2017"),
        ("c_seg.nii.gz", (0, 1, 2, 4), "brats2017"),
        ("c_seg.nii.gz", (0, 1, 2, 3), "brats2023"),
        ("c-seg.nii.gz", (0, 1, 2, 3), "brats2023"),
        ("c/c_seg.nii.gz", (0, 1, 2, 4), "brats2017"),
    ],
)
def test_a_file_or_its_folder(case: Case, tmp_path: Path, name: str, values: tuple[int, ...], scheme: str) -> None:
    file = save(tmp_path / "given" / name, labels(values=values))
    for path in (file, tmp_path / "given"):
        attached = attach_labels(case, path)
        np.testing.assert_array_equal(disk(attached), labels(values=values))
        assert attached.scheme.id == attached.labels.scheme.id == scheme
        assert attached.labels.path == file
        assert attached.label_paths == (tmp_path / "c" / "c_seg.nii.gz", file)


def test_any_name_and_the_option(case: Case, tmp_path: Path) -> None:
    file = save(tmp_path / "mine.nii.gz", labels(values=(0, 1, 2, 3)).astype(np.float32))
    opened = read_case(tmp_path / "c", OpenOptions(labels=file, scheme="msd"))
    np.testing.assert_array_equal(disk(opened), labels(values=(0, 1, 2, 3)))
    assert (opened.scheme.id, opened.labels.assumed) == ("msd", False)
    assert opened.geometry.shape == case.geometry.shape


def test_the_gate(case: Case, tmp_path: Path) -> None:
    turned = tmp_path / "turned.nii"
    stored(labels(), lps_affine(), (2, 0, 1), (True, False, True)).to_filename(turned)
    np.testing.assert_array_equal(disk(attach_labels(case, turned)), labels())
    away = lps_affine()
    away[0, 3] += 2
    moved = save(tmp_path / "moved.nii", labels(), away)
    with pytest.raises(AlignmentError, match=r"moved\.nii has another grid than flair \(both .* up to 2 mm apart\)"):
        attach_labels(case, moved)
    assert attach_labels(case, moved, resample=True).labels.volume.geometry.same_grid(case.geometry)


def test_absent_and_foreign_labels_get_one_sentence(case: Case, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6), np.uint8))
    for path, sentence in [
        (tmp_path / "empty", "holds no labels for c, such as c.nii.gz"),
        (tmp_path / "absent.nii", "does not exist"),
        (tmp_path / "a.tif", "a tif, which has no place in space"),
    ]:
        with pytest.raises(InputError, match=sentence):
            attach_labels(case, path)
    with pytest.raises(LabelError, match="the label values 8"):
        attach_labels(case, save(tmp_path / "odd.nii", labels(values=(0, 8))))


def test_the_same_file_by_another_scheme(case: Case, tmp_path: Path) -> None:
    attached = attach_labels(case, save(tmp_path / "c_seg.nii", labels(values=(0, 1, 2, 3))))
    assert attached.labels.assumed
    assert attached.notes[-1] == ("Labels were read as BraTS 2023 (0, 1, 2, 3); Decathlon would fit as well.")
    again = reread_labels(attached, "msd")
    assert (again.scheme.id, again.labels.scheme.id, again.labels.assumed) == ("msd", "msd", False)
    assert not [note for note in again.notes if note.startswith("Labels were read")]
    np.testing.assert_array_equal(disk(again), labels(values=(0, 1, 2, 3)))
    assert [scheme.id for scheme in again.labels.candidates] == ["msd", "brats2023"]
    with pytest.raises(LabelError, match="do not fit"):
        reread_labels(attached, "brats2017")


def test_masks_of_slices(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        plane = np.random.default_rng(number).integers(0, 255, (5, 6, 3), np.uint8)
        for folder in ("P", "Q"):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"P_{number}.tif", plane)
    mask = np.zeros((5, 6), np.uint8)
    mask[2, 3] = 255
    (tmp_path / "masks" / "P").mkdir(parents=True)
    tifffile.imwrite(tmp_path / "masks" / "P" / "P_2_mask.tif", mask)
    case = read_case(tmp_path / "P")
    assert case.labels is None
    for path in (tmp_path / "masks", tmp_path / "masks" / "P", tmp_path / "masks" / "P" / "P_2_mask.tif"):
        attached = attach_labels(case, path)
        np.testing.assert_array_equal(np.argwhere(attached.labels.volume.data), [[1, 2, 3]])
    tifffile.imwrite(tmp_path / "R_9_mask.tif", mask)
    with pytest.raises(InputError, match=r"is no mask of a slice of P\. Choose files named like P_1_mask\.tif"):
        attach_labels(case, tmp_path / "R_9_mask.tif")


def test_attached_labels_stand_in_for_own_ones_that_cannot_be_read(case: Case, tmp_path: Path) -> None:
    (tmp_path / "c" / "c_seg.nii.gz").write_bytes(b"<html>")
    given = save(tmp_path / "new.nii", labels())
    opened = read_case(tmp_path / "c", OpenOptions(labels=given))
    np.testing.assert_array_equal(disk(opened), disk(attach_labels(case, given)))
    assert opened.label_paths == (tmp_path / "c" / "c_seg.nii.gz", given)
