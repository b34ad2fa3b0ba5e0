"""Slices kept as tif files."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_brainseg.base.errors import InputError, OutputError
from napari_brainseg.cases.slices import patient_and_number, read_masks, read_slices, slice_of_mask, write_slice


def tif(path: Path, array: np.ndarray) -> Path:
    tifffile.imwrite(path, array)
    return path


def colours(seed: int, shape: tuple[int, ...] = (5, 4, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, shape, np.uint8)


def test_slices_become_channels_of_a_volume(tmp_path: Path) -> None:
    paths = [tif(tmp_path / f"{n}.tif", colours(n)) for n in range(6)]
    stack = read_slices(paths)
    assert (stack.shape, stack.dtype) == ((3, 6, 5, 4), np.float32)
    np.testing.assert_array_equal(stack[1, 4], colours(4)[..., 1])


def test_grey_and_transparent_slices(tmp_path: Path) -> None:
    assert read_slices([tif(tmp_path / "grey.tif", colours(0)[..., 0])]).shape == (1, 1, 5, 4)
    assert read_slices([tif(tmp_path / "rgba.tif", colours(0, (5, 4, 4)))]).shape == (3, 1, 5, 4)


def test_masks_stand_at_their_slices(tmp_path: Path) -> None:
    mask = (colours(0)[..., 0] > 99).astype(np.uint8) * 255
    grey, coloured = tif(tmp_path / "a.tif", mask), tif(tmp_path / "b.tif", np.repeat(mask[..., None], 3, axis=2))
    stack = read_masks([None, grey, coloured], (3, 5, 4))
    np.testing.assert_array_equal(stack, [np.zeros_like(mask), mask, mask])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a usable tif file"),
        (b"<html>", "is not a usable tif file"),
        (b"II*\0" + b"\xff" * 40, "is not a usable tif file"),
        (np.zeros((4, 5, 3), np.uint8), r"bad\.tif \(4 × 5 × 3\) does not match good\.tif \(5 × 4 × 3\)"),
        (np.zeros((5, 4, 2), np.uint8), "a slice is Y × X with 1 or 3 channels"),
        (np.full((5, 4, 3), np.nan, np.float32), "no numbers"),
        (np.zeros((5, 4, 3), np.complex64), "holds no grey values"),
    ],
)
def test_bad_slices_get_one_sentence(tmp_path: Path, content: bytes | np.ndarray, sentence: str) -> None:
    good, bad = tif(tmp_path / "good.tif", colours(0)), tmp_path / "bad.tif"
    if isinstance(content, bytes):
        bad.write_bytes(content)
    else:
        tif(bad, content)
    with pytest.raises(InputError, match=sentence):
        read_slices([good, bad])


def test_every_cut_of_a_tif_is_read_or_explained(tmp_path: Path) -> None:
    whole = tif(tmp_path / "whole.tif", colours(0)).read_bytes()
    refused = 0
    for length in range(0, len(whole), 7):
        (tmp_path / "cut.tif").write_bytes(whole[:length])
        try:
            read_slices([tmp_path / "cut.tif"])
        except InputError:
            refused += 1
    assert refused > 20


def test_unmatched_masks_and_absent_files_get_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not match its slice"):
        read_masks([tif(tmp_path / "m.tif", np.zeros((4, 4), np.uint8))], (1, 5, 4))
    with pytest.raises(InputError, match="No such file"):
        read_slices([tmp_path / "absent.tif"])


def test_written_slices_are_uint8_and_never_replace_unasked(tmp_path: Path) -> None:
    mask = (colours(0)[..., 0] > 99).astype(np.uint8) * 255
    write_slice(mask, tmp_path / "new" / "m.tif")
    back = tifffile.imread(tmp_path / "new" / "m.tif")
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, mask)
    with pytest.raises(OutputError, match="exists"):
        write_slice(mask, tmp_path / "new" / "m.tif")
    write_slice(255 - mask, tmp_path / "new" / "m.tif", overwrite=True)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "new" / "m.tif"), 255 - mask)


def test_names() -> None:
    assert patient_and_number("TCGA_CS_4941_19960909_12") == ("TCGA_CS_4941_19960909", 12)
    assert patient_and_number("slice") == ("slice", None)
    assert slice_of_mask("P_1_mask") == "P_1"
    assert slice_of_mask("P_1") is None


def test_tifffile_says_nothing_beside_our_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bad = tmp_path / "P_1.tif"
    tifffile.imwrite(bad, np.zeros((64, 64, 3), np.uint8))
    bad.write_bytes(bad.read_bytes()[:90])
    with pytest.raises(InputError, match="damaged"):
        read_slices([bad])
    (tmp_path / "P_2.tif").write_bytes(b"II*\0garbage")
    with pytest.raises(InputError, match="holds no pixel"):
        read_slices([tmp_path / "P_2.tif"])
    assert caplog.records == []
    logging.getLogger("tifffile").warning("of another's file")
    assert len(caplog.records) == 1
