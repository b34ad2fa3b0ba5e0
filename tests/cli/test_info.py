"""`brainseg info` on every naming style."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from nifti_files import labels, lps_affine, picture, save

from napari_brainseg.cli import main

STYLES = {
    "BraTS 2017-2021": ("c_flair", "c_t1", "c_t1ce", "c_t2", "c_seg"),
    "BraTS 2023": ("c-t2f", "c-t1n", "c-t1c", "c-t2w", "c-seg"),
    "nnU-Net": ("imagesTr/c_0003", "imagesTr/c_0000", "imagesTr/c_0001", "imagesTr/c_0002", "labelsTr/c"),
    "plain": ("FLAIR", "T1", "T1_post", "T2", "seg"),
}
LABELS = {
    "BraTS 2017-2021": ((0, 1, 2, 4), "BraTS 2017, values 0 1 2 4 (certain)"),
    "BraTS 2023": ((0, 1, 2, 3), "BraTS 2023, values 0 1 2 3 (assumed)"),
    "nnU-Net": ((0, 1, 2, 3), "Decathlon, values 0 1 2 3 (assumed)"),
    "plain": ((0, 1, 2, 4), "BraTS 2017, values 0 1 2 4 (certain)"),
}


def info(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["info", *map(str, arguments)]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("style", STYLES)
def test_every_style(tmp_path: Path, capsys: pytest.CaptureFixture[str], style: str) -> None:
    values, scheme = LABELS[style]
    for number, stem in enumerate(STYLES[style][:4]):
        save(tmp_path / "c" / f"{stem}.nii.gz", picture() + 1000 * number)
    save(tmp_path / "c" / f"{STYLES[style][4]}.nii.gz", labels(values=values))
    lines = info(capsys, tmp_path / "c").splitlines()
    assert lines[0] == "c"
    assert lines[1].startswith(f"  read as   {style} names")
    assert lines[2] == "  grid      4 × 5 × 6 at 3 × 0.9 × 1.1 mm (Z × Y × X)"
    for number, (channel, stem) in enumerate(zip(("flair", "t1", "t1ce", "t2"), STYLES[style][:4], strict=True)):
        file = f"{stem.rpartition('/')[2]}.nii.gz"
        assert lines[3 + number] == f"  {channel:<9} {file}, values {1 + 1000 * number} to {120 + 1000 * number}"
    assert lines[7].endswith(scheme)
    whole = int((labels(values=values) > 0).sum()) * 3 * 0.9 * 1.1 / 1000
    assert lines[8] == f"            WT (whole tumour): {whole:.1f} mL"


def test_decathlon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planes = np.stack([picture().transpose(2, 1, 0) + 1000 * t for t in range(4)], axis=-1)
    (tmp_path / "imagesTr").mkdir()
    nib.Nifti1Image(planes, lps_affine()).to_filename(tmp_path / "imagesTr" / "BRATS_001.nii.gz")
    save(tmp_path / "labelsTr" / "BRATS_001.nii.gz", labels(values=(0, 1, 2, 3)))
    text = info(capsys, tmp_path / "imagesTr" / "BRATS_001.nii.gz")
    assert "one 4-D file" in text
    assert "t1ce      BRATS_001.nii.gz, values 2001 to 2120" in text
    assert "Decathlon, values 0 1 2 3 (certain)" in text


def test_slices_have_voxels_and_no_invented_mm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        plane = np.random.default_rng(number).integers(0, 255, (5, 6, 3), np.uint8)
        plane[..., 2] = plane[..., 1]
        tifffile.imwrite(tmp_path / f"P_{number}.tif", plane)
    mask = np.zeros((5, 6), np.uint8)
    mask[2, :4] = 255
    tifffile.imwrite(tmp_path / "P_2_mask.tif", mask)
    text = info(capsys, tmp_path)
    assert "grid      2 × 5 × 6, spacing unknown (Z × Y × X), orientation unknown" in text
    assert "post      missing" in text
    assert "WT (FLAIR abnormality): 4 voxels" in text
    assert "note      post is a copy of flair in every slice, so it counts as missing." in text
    assert "mm" not in text
    assert "mL" in info(capsys, tmp_path, "--spacing", "5,1,1")


def test_options_and_notes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "series_3.nii", picture())
    moved = lps_affine()
    moved[0, 3] += 4
    save(tmp_path / "T1.nii", picture(), moved)
    text = info(capsys, tmp_path, "--channels", f"flair={tmp_path / 'series_3.nii'}")
    assert "t1        on another grid" in text
    assert "note      t1 has another grid than flair" in text
    assert "labels    none (would be written as BraTS 2017)" in text
    text = info(capsys, tmp_path, "--channels", f"flair={tmp_path / 'series_3.nii'}", "--resample")
    assert "t1        T1.nii, values" in text


def test_every_case_of_a_folder_even_beside_a_broken_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "c"):
        save(tmp_path / name / f"{name}_flair.nii.gz", picture())
    (tmp_path / "b" / "b_flair.nii.gz").write_bytes(b"<html>")
    assert main(["info", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert [line for line in printed.out.splitlines() if line in ("a", "b", "c", "3 cases")] == ["a", "c", "3 cases"]
    assert "b_flair.nii.gz is no NIfTI file" in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_bad_input_is_one_sentence_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["info", str(tmp_path / name)]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("brainseg: ")
    assert printed.out == ""


def test_real_cases(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = info(capsys, sorted((real_data / "BraTS18").iterdir())[0])
    assert "155 × 240 × 240 at 1 mm" in text
    assert "BraTS 2017, values 0 1 2 4 (certain)" in text
    assert "missing" not in text
