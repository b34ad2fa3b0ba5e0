from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from nifti_files import SHAPE, SPACING, lps_affine, save, stored

from napari_brainseg.base.errors import AlignmentError, InputError, LabelError
from napari_brainseg.cases.labels import BRATS2017, LGG
from napari_brainseg.evaluation.case_scores import Comparison
from napari_brainseg.evaluation.label_pairs import PairOptions, in_one_scheme, match, read_pair


def volume(*values: int) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    array.flat[: len(values)] = values
    return array


def read(folder: Path, options: PairOptions | None = None) -> Comparison:
    pairs, _ = match(folder / "p", folder / "r")
    return read_pair(next(iter(pairs.values())), options or PairOptions())


def masks(folder: Path, *names: str, value: int = 255) -> None:
    folder.mkdir(parents=True)
    for name in names:
        tifffile.imwrite(folder / name, np.full((8, 9), value, np.uint8))


def test_labels_meet_on_one_grid_in_program_values(tmp_path: Path) -> None:
    save(tmp_path / "p/A_seg.nii.gz", volume(1, 2, 4))
    # The same grid stored the other way round: turned exactly, nothing is interpolated.
    (tmp_path / "r").mkdir()
    turned = stored(volume(1, 2, 4), lps_affine(), (1, 0, 2), (True, False, True))
    turned.to_filename(tmp_path / "r/A_seg.nii.gz")
    pair = read(tmp_path)
    assert pair.scheme is BRATS2017
    np.testing.assert_array_equal(pair.prediction, pair.truth)
    assert sorted(pair.truth[pair.truth > 0]) == [1, 2, 3]
    assert pair.spacing == pytest.approx(SPACING)


def test_a_prediction_of_the_same_naming_has_the_scheme_of_its_reference(tmp_path: Path) -> None:
    save(tmp_path / "p/A.nii.gz", volume(1, 2))
    save(tmp_path / "r/A.nii.gz", volume(1, 2, 4))
    pair = read(tmp_path)
    np.testing.assert_array_equal(np.unique(pair.prediction), [0, 1, 2])
    assert (pair.prediction != pair.truth).sum() == 1


def test_schemes_told_by_different_names_are_converted_and_said(tmp_path: Path) -> None:
    save(tmp_path / "p/A.nii.gz", volume(2, 1, 3))  # as nnU-Net numbers them: core, oedema, enhancing
    save(tmp_path / "r/A_seg.nii.gz", volume(1, 2, 4))
    pair = read(tmp_path)
    np.testing.assert_array_equal(pair.prediction, pair.truth)
    assert "was read as Decathlon and A_seg.nii.gz as BraTS 2017" in pair.notes[0]
    named = read(tmp_path, PairOptions(prediction_scheme="brats2023"))
    assert (named.prediction != named.truth).any()


def test_masks_of_slices_and_their_probabilities(tmp_path: Path) -> None:
    masks(tmp_path / "p/T_1", "T_1_2_mask.tif", "T_1_10_mask.tif")
    masks(tmp_path / "r/T_1", "T_1_2_mask.tif", "T_1_10_mask.tif", value=0)
    for n, share in ((2, 0.25), (10, 0.75)):
        tifffile.imwrite(tmp_path / f"p/T_1/T_1_{n}_probability-WT.tif", np.full((8, 9), share, np.float32))
    pair = read(tmp_path, PairOptions(spacing=(5.0, 1.0, 1.0)))
    assert pair.scheme is LGG
    assert pair.prediction.all()
    assert not pair.truth.any()
    assert pair.spacing == (5.0, 1.0, 1.0)
    assert pair.probabilities["WT"][:, 0, 0].tolist() == [0.25, 0.75]


def test_probabilities_beside_a_volume(tmp_path: Path) -> None:
    save(tmp_path / "p/A_seg.nii.gz", volume(1))
    save(tmp_path / "r/A_seg.nii.gz", volume(1))
    save(tmp_path / "p/A_probability-TC.nii.gz", np.full(SHAPE, 0.5, np.float32))
    assert set(read(tmp_path).probabilities) == {"TC"}
    save(tmp_path / "p/A_probability-TC.nii.gz", np.full(SHAPE, 7.0, np.float32))
    with pytest.raises(InputError, match="no probabilities"):
        read(tmp_path)


def test_lgg_labels_as_a_volume_against_masks(tmp_path: Path) -> None:
    masks(tmp_path / "p", "T_1_mask.tif", "T_2_mask.tif")
    (tmp_path / "r").mkdir()
    nib.Nifti1Image(np.ones((9, 8, 2), np.uint8), None).to_filename(tmp_path / "r/T_seg.nii.gz")
    pair = read(tmp_path)
    assert pair.scheme is LGG
    np.testing.assert_array_equal(pair.prediction, pair.truth)


def test_missing_slices_are_counted(tmp_path: Path) -> None:
    masks(tmp_path / "p", "T_1_mask.tif")
    masks(tmp_path / "r", "T_1_mask.tif", "T_2_mask.tif")
    with pytest.raises(InputError, match=r"lacks 1 of the 2 masks of T, the first is t_2_mask\.tif"):
        read(tmp_path)


def test_different_grids_are_both_named(tmp_path: Path) -> None:
    save(tmp_path / "p/A_seg.nii.gz", np.zeros((4, 5, 7), np.uint8))
    save(tmp_path / "r/A_seg.nii.gz", volume(1))
    with pytest.raises(AlignmentError, match=r"4 × 5 × 7 at .* mm against 4 × 5 × 6 at"):
        read(tmp_path)


def test_unknown_values_are_named_with_their_file(tmp_path: Path) -> None:
    save(tmp_path / "p/A_seg.nii.gz", volume(1, 9))
    save(tmp_path / "r/A_seg.nii.gz", volume(1))
    with pytest.raises(LabelError, match=r"p/A_seg\.nii\.gz holds the label values 9"):
        read(tmp_path)


def test_no_case_on_both_sides(tmp_path: Path) -> None:
    save(tmp_path / "p/A_seg.nii.gz", volume(1))
    save(tmp_path / "r/B_seg.nii.gz", volume(1))
    with pytest.raises(InputError, match=r"No case of .*p \(A\) is in .*r \(B\)"):
        match(tmp_path / "p", tmp_path / "r")
    pairs, notes = match(tmp_path / "p/A_seg.nii.gz", tmp_path / "r/B_seg.nii.gz")
    assert (list(pairs), notes) == (["B"], ())


def test_schemes_that_hold_one_another_one_way() -> None:
    brats, lgg = np.array([[[0, 1, 2, 3]]], np.uint8), np.array([[[0, 1, 1, 0]]], np.uint8)
    for found, true in (((brats, BRATS2017), (lgg, LGG)), ((lgg, LGG), (brats, BRATS2017))):
        prediction, truth, scheme = in_one_scheme(found, true)
        assert scheme is LGG
        assert {tuple(prediction.ravel()), tuple(truth.ravel())} == {(0, 1, 1, 1), (0, 1, 1, 0)}
