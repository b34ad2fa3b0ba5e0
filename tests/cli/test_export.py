"""`brainseg export`: labels on a case's own grid."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from nifti_files import ORIENTATIONS, labels, lps_affine, picture, save, stored

from napari_brainseg.cli import main


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case without labels, stored turned about."""
    axes, flips = ORIENTATIONS[38]
    (tmp_path / "c").mkdir()
    for name in ("flair", "t1"):
        stored(picture(), lps_affine(), axes, flips).to_filename(tmp_path / "c" / f"c_{name}.nii.gz")
    return tmp_path / "c"


def export(*arguments: object) -> int:
    return main(["export", *map(str, arguments)])


def test_values_and_grid_become_those_of_the_case(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "nnunet" / "c.nii.gz", labels(values=(0, 1, 2, 3)))
    out = tmp_path / "out" / "mine"
    assert export(tmp_path / "nnunet", "--like", case, "--scheme", "msd", "--out", out) == 0
    assert capsys.readouterr().out == f"{out}.nii.gz: BraTS 2017, values 0 1 2 4\n"
    back = nib.load(f"{out}.nii.gz")
    assert back.affine.tobytes() == nib.load(case / "c_flair.nii.gz").affine.tobytes()
    axes, flips = ORIENTATIONS[38]
    meant = np.array([0, 2, 1, 4], np.uint8)[labels(values=(0, 1, 2, 3))]  # msd's oedema and core change places
    expected = stored(meant, lps_affine(), axes, flips)
    np.testing.assert_array_equal(np.asarray(back.dataobj), np.asarray(expected.dataobj))


def test_a_scheme_to_write_and_an_assumed_one_to_read(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = save(tmp_path / "c_seg.nii", labels(values=(0, 1, 2, 3)))
    assert export(given, "--like", case, "--write-scheme", "brats2023", "--out", tmp_path / "a.nii") == 0
    assert "Labels were read as BraTS 2023 (0, 1, 2, 3); Decathlon would fit as well." in capsys.readouterr().out
    values = np.unique(np.asarray(nib.load(tmp_path / "a.nii").dataobj))
    np.testing.assert_array_equal(values, [0, 1, 2, 3])


def test_nothing_is_replaced_unasked(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = save(tmp_path / "l.nii", labels())
    out = save(tmp_path / "a.nii", labels(values=(0, 1)))
    kept = out.read_bytes()
    assert export(given, "--like", case, "--out", out) == 2
    assert "a.nii exists" in capsys.readouterr().err
    assert out.read_bytes() == kept
    assert export(given, "--like", case, "--out", out, "--overwrite") == 0
    assert out.read_bytes() != kept
    assert export(given, "--like", case, "--out", case / "c_t1.nii.gz", "--overwrite") == 2
    assert "is never written" in capsys.readouterr().err


def test_another_grid_is_refused_or_resampled(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = lps_affine()
    moved[:3, 3] += moved[:3, 0]
    given = save(tmp_path / "l.nii", labels(), moved)
    assert export(given, "--like", case, "--out", tmp_path / "a.nii") == 2
    assert "l.nii has another grid than flair" in capsys.readouterr().err
    assert export(given, "--like", case, "--out", tmp_path / "a.nii", "--resample") == 0


def test_slices_as_nifti_claim_no_orientation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "P"
    folder.mkdir()
    for number in (1, 2):
        tifffile.imwrite(
            folder / f"P_{number}.tif", np.random.default_rng(number).integers(0, 255, (5, 6, 3), np.uint8)
        )
        tifffile.imwrite(folder / f"P_{number}_mask.tif", np.eye(5, 6, dtype=np.uint8) * 255)
    assert export(folder, "--like", folder, "--out", tmp_path / "a.nii.gz", "--spacing", "5,0.9,0.8") == 0
    assert "the file says its spacing and claims no orientation" in capsys.readouterr().out
    header = nib.load(tmp_path / "a.nii.gz").header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (0, 0)
    np.testing.assert_allclose(header["pixdim"][1:4], (0.8, 0.9, 5), rtol=1e-6)
    assert export(folder, "--like", folder, "--out", tmp_path / "a.tif") == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), [np.eye(5, 6) * 255] * 2)


@pytest.mark.parametrize("bad", [b"<html>", None])
def test_labels_of_the_case_that_cannot_be_read_are_not_needed(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: bytes | None
) -> None:
    own = save(case / "c_seg.nii.gz", labels(values=(0, 7, 8)))
    if bad is not None:
        own.write_bytes(bad)
    given = save(tmp_path / "l.nii", labels())
    assert export(given, "--like", case, "--out", tmp_path / "a.nii") == 0
    printed = capsys.readouterr().out
    assert "c_seg.nii.gz" in printed
    assert printed.endswith("a.nii: BraTS 2017, values 0 1 2 4\n")
    assert export(given, "--like", case, "--out", own, "--overwrite") == 2
