"""NIfTI in memory and back: orientations, headers, damage."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nifti_files import ORIENTATIONS, SHAPE, SPACING, labels, lps_affine, picture, save, stored

from napari_brainseg.base.errors import InputError, OutputError
from napari_brainseg.cases.nifti import (
    is_nifti_name,
    read_label_values,
    read_volume,
    read_volumes,
    stem_of,
    stored_shape,
    write_volume,
)
from napari_brainseg.cases.volume import Geometry

# Changed when labels are written; every other byte of the header stays.
CHANGED = {"datatype", "bitpix", "scl_slope", "scl_inter", "cal_max", "cal_min", "vox_offset"}
CHANGED |= {"intent_code", "intent_p1", "intent_p2", "intent_p3", "intent_name"}


def assert_same_header(one: Path, other: Path) -> None:
    a, b = (nib.load(path).header for path in (one, other))
    assert a.endianness == b.endianness
    for field in set(a.keys()) - CHANGED:
        assert a[field].tobytes() == b[field].tobytes(), field


@pytest.mark.parametrize("degrees", [0.0, 11.0])
@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS)
def test_every_orientation_gives_the_same_pixels_and_comes_back(
    tmp_path: Path, axes: tuple[int, ...], flips: tuple[bool, ...], degrees: float
) -> None:
    source, seg = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    image = stored(picture(), lps_affine(degrees), axes, flips)
    image.header.set_sform(image.affine, 3)
    image.header.set_qform(image.affine, 1)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = b"kept"
    image.to_filename(source)

    volume = read_volume(source)

    np.testing.assert_array_equal(volume.data, picture())
    np.testing.assert_allclose(volume.geometry.spacing, SPACING, rtol=1e-6)
    np.testing.assert_allclose(volume.geometry.memory_affine[:3, 3], lps_affine(degrees)[:3, 3], atol=1e-4)
    write_volume(labels(), volume.geometry, seg)
    back = nib.load(seg)
    assert_same_header(source, seg)
    assert back.get_data_dtype() == np.uint8
    assert back.affine.tobytes() == nib.load(source).affine.tobytes()
    expected = stored(labels(), lps_affine(degrees), axes, flips)
    np.testing.assert_array_equal(np.asarray(back.dataobj), np.asarray(expected.dataobj))
    np.testing.assert_array_equal(read_label_values(seg).data, labels())


def test_memory_is_contiguous_float32_that_nobody_writes(tmp_path: Path) -> None:
    volume = read_volume(save(tmp_path / "a.nii", picture()))
    assert volume.data.dtype == np.float32
    assert volume.data.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        volume.data[0, 0, 0] = 1


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (2, 4), (1, 1)])
def test_codes_and_units_stay(tmp_path: Path, codes: tuple[int, int]) -> None:
    image = stored(picture(), lps_affine())
    image.header.set_qform(image.affine, codes[0])
    image.header.set_sform(image.affine, codes[1])
    image.header.set_xyzt_units("micron", "msec")
    image.header["cal_max"] = 900
    image.to_filename(tmp_path / "a.nii.gz")
    write_volume(labels(), read_volume(tmp_path / "a.nii.gz").geometry, tmp_path / "b.nii")
    assert_same_header(tmp_path / "a.nii.gz", tmp_path / "b.nii")
    back = nib.load(tmp_path / "b.nii").header
    assert (back["qform_code"], back["sform_code"], back["cal_max"]) == (*codes, 0)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_big_endian_and_nifti2_keep_their_kind(tmp_path: Path, kind: type[nib.Nifti1Image]) -> None:
    little = stored(picture(), lps_affine())
    header = kind.header_class(endianness=">")
    kind(np.asarray(little.dataobj), little.affine, header).to_filename(tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.data, picture())
    for data in (labels(), np.linspace(0, 1, volume.data.size, dtype=np.float32).reshape(SHAPE)):
        write_volume(data, volume.geometry, tmp_path / "b.nii", overwrite=True)
        assert_same_header(tmp_path / "a.nii", tmp_path / "b.nii")
        assert isinstance(nib.load(tmp_path / "b.nii"), kind)
        np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "b.nii").dataobj), data.transpose(2, 1, 0))


def test_header_extensions_are_left_behind(tmp_path: Path) -> None:
    image = stored(picture(), lps_affine())
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"name of a patient"))
    image.to_filename(tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.data, picture())
    write_volume(labels(), volume.geometry, tmp_path / "b.nii")
    assert b"patient" not in (tmp_path / "b.nii").read_bytes()
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "b.nii").dataobj), labels().transpose(2, 1, 0))


def test_scaled_values_are_scaled(tmp_path: Path) -> None:
    image = stored(picture() * 0.37 + 10, lps_affine())
    image.set_data_dtype(np.int16)  # nibabel then chooses slope and intercept
    image.to_filename(tmp_path / "a.nii")
    expected = nib.load(tmp_path / "a.nii").get_fdata().transpose(2, 1, 0)
    assert np.abs(expected - np.rint(expected)).max() > 0.1
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii").data, expected, rtol=1e-6)


def test_a_place_that_is_unknown_is_not_invented(tmp_path: Path) -> None:
    image = stored(picture(), lps_affine())
    image.header.set_qform(None, 0)
    image.header.set_sform(None, 0)
    nib.Nifti1Image(np.asarray(image.dataobj), None, image.header).to_filename(tmp_path / "a.nii")
    geometry = read_volume(tmp_path / "a.nii").geometry
    assert geometry.affine is None
    np.testing.assert_allclose(geometry.spacing, SPACING, rtol=1e-6)
    write_volume(labels(), geometry, tmp_path / "b.nii")
    assert_same_header(tmp_path / "a.nii", tmp_path / "b.nii")


@pytest.mark.parametrize(("spacing", "units"), [(None, "unknown"), ((2.0, 1.5, 0.5), "mm")])
def test_without_a_header_codes_are_0(tmp_path: Path, spacing: tuple[float, float, float] | None, units: str) -> None:
    write_volume(labels(), Geometry(SHAPE, spacing), tmp_path / "a.nii.gz")
    header = nib.load(tmp_path / "a.nii.gz").header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (0, 0)
    assert header.get_xyzt_units()[0] == units
    again = read_label_values(tmp_path / "a.nii.gz")
    assert (again.geometry.affine, again.geometry.spacing) == (None, spacing)
    np.testing.assert_array_equal(again.data, labels())


def test_two_dimensions_are_one_slice_and_stay_two(tmp_path: Path) -> None:
    flat = nib.Nifti1Image(picture()[0].T.copy(), lps_affine())
    flat.to_filename(tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    np.testing.assert_array_equal(volume.data, picture()[:1])
    write_volume(labels()[:1], volume.geometry, tmp_path / "b.nii")
    assert nib.load(tmp_path / "b.nii").shape == flat.shape
    assert_same_header(tmp_path / "a.nii", tmp_path / "b.nii")


def test_4d_gives_its_volumes_and_3d_labels(tmp_path: Path) -> None:
    planes = np.stack([picture().transpose(2, 1, 0) + 1000 * t for t in range(4)], axis=-1)
    nib.Nifti1Image(planes, lps_affine()).to_filename(tmp_path / "a.nii.gz")
    volumes = read_volumes(tmp_path / "a.nii.gz")
    for t, volume in enumerate(volumes):
        np.testing.assert_array_equal(volume.data, picture() + 1000 * t)
    with pytest.raises(InputError, match=r"a\.nii\.gz holds 4 volumes, but a channel is one"):
        read_volume(tmp_path / "a.nii.gz")
    write_volume(labels(), volumes[0].geometry, tmp_path / "b.nii.gz")
    assert nib.load(tmp_path / "b.nii.gz").shape == SHAPE[::-1]


def test_labels_stored_as_float_are_whole_numbers(tmp_path: Path) -> None:
    values = read_label_values(save(tmp_path / "a.nii", labels().astype(np.float64)))
    assert values.data.dtype == np.uint8
    np.testing.assert_array_equal(values.data, labels())
    for odd in (0.5, 1e18):
        with pytest.raises(InputError, match="no whole numbers"):
            read_label_values(save(tmp_path / "b.nii", labels() + np.float64(odd)))


def test_large_and_negative_labels_are_not_wrapped(tmp_path: Path) -> None:
    odd = labels().astype(np.int16)
    odd[0, 0, :2] = (-1, 300)
    np.testing.assert_array_equal(read_label_values(save(tmp_path / "a.nii", odd)).data, odd)


def broken(path: Path, kind: str) -> Path:
    """Write a file that is broken in the way that `kind` says."""
    image = stored(picture(), lps_affine())
    good = image.to_bytes()
    header = bytearray(good)
    raw = {
        "truncated gzip": gzip.compress(good)[:-40],
        "damaged gzip": gzip.compress(good)[:60] + b"\xff" * 40 + gzip.compress(good)[100:],
        "zero bytes": b"",
        "web page": b"<!DOCTYPE html><html><body>Please log in</body></html>",
        "text": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
        "rubbish": bytes(range(256)) * 3,
        "cut off": good[:-5],
        "header only": good[:100],
    }.get(kind)
    if raw is None:
        array = picture().transpose(2, 1, 0)
        data, dtype = {
            "5-D": (np.zeros((3, 3, 3, 2, 3), np.float32), None),
            "1-D": (np.zeros((7,), np.float32), None),
            "complex": (array.astype(np.complex64), None),
            "RGB": (np.zeros((3, 3, 3), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])), None),
            "NaN": (np.where(array == 3, np.nan, array).astype(np.float32), None),
            "infinite": (np.where(array == 3, np.inf, array).astype(np.float64), None),
            "too large": (np.where(array == 3, 1e300, array).astype(np.float64), None),
            "singular": (array, None),
            "unknown type": (array, None),
            "pair": (array, None),
            "offset": (array, None),
        }[kind]
        raw = nib.Nifti1Image(data, lps_affine(), dtype=dtype).to_bytes()
        header = bytearray(raw)
        if kind == "singular":
            header[280:328] = bytes(48)  # srow_x, srow_y, srow_z
        if kind == "unknown type":
            header[70:72] = (77).to_bytes(2, "little")
        if kind == "offset":
            header[108:112] = np.float32(-1e30).tobytes()
        if kind == "pair":
            header[344:348] = b"ni1\0"
        raw = bytes(header)
    path.write_bytes(raw)
    return path


SENTENCES = {
    "truncated gzip": "is damaged: its gzip data end early",
    "damaged gzip": "is damaged: its gzip data end early or are broken",
    "zero bytes": r"is empty \(0 bytes\)",
    "web page": "is no NIfTI file but a web page",
    "text": "is no NIfTI file but text",
    "rubbish": "is no NIfTI file",
    "cut off": "is cut off: it holds 587 of 592 bytes",
    "header only": "is no NIfTI file",
    "5-D": r"has 5 dimensions \(3 × 3 × 3 × 2 × 3\)",
    "1-D": r"has the wrong dimensions \(7\)",
    "complex": "holds complex numbers instead of grey values",
    "RGB": "holds RGB colours instead of grey values",
    "NaN": "holds 1 voxels that are no usable numbers",
    "infinite": "holds 1 voxels that are no usable numbers",
    "too large": "holds 1 voxels that are no usable numbers",
    "singular": "its affine has no inverse",
    "unknown type": r"unknown voxel type \(code 77\)",
    "pair": "is half of an Analyze",
    "offset": "does not say where its voxels begin",
}


@pytest.mark.parametrize("kind", SENTENCES)
def test_bad_input_gets_one_sentence(tmp_path: Path, kind: str) -> None:
    path = broken(tmp_path / "flair.nii.gz", kind)
    for read in (read_volume, read_volumes, read_label_values):
        with pytest.raises(InputError, match=SENTENCES[kind]) as caught:
            read(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)


def test_unreadable_paths_get_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_volume(tmp_path / "absent.nii.gz")
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_volume(tmp_path / "folder.nii")


def test_shape_from_the_header_alone(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", picture())
    path.write_bytes(path.read_bytes()[:400])  # the voxels are gone
    assert stored_shape(path) == SHAPE[::-1]


def test_writing_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = save(tmp_path / "a.nii", picture()).read_bytes()
    geometry = read_volume(tmp_path / "a.nii").geometry
    with pytest.raises(OutputError, match="exists"):
        write_volume(labels(), geometry, tmp_path / "a.nii")
    monkeypatch.setattr(Path, "write_bytes", lambda path, raw: path.open("wb").write(raw[:-1] + b"\x09"))
    with pytest.raises(OutputError, match="read back different"):
        write_volume(labels(), geometry, tmp_path / "a.nii", overwrite=True)
    assert (tmp_path / "a.nii").read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]


def test_names() -> None:
    assert is_nifti_name(Path("A.NII.GZ"))
    assert not is_nifti_name(Path("._flair.nii.gz"))
    assert not is_nifti_name(Path("a.nii.json"))
    assert stem_of(Path("x/BraTS.1_flair.nii.gz")) == "BraTS.1_flair"
