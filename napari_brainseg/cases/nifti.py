"""NIfTI files: the one place that knows their voxel order, their orientations and their header bytes.

In memory every volume is (Z, Y, X), turned to the closest LPS+ where its place in space is known. Nothing is
interpolated here, and the header is kept as raw bytes, because header libraries rewrite codes and units on the way out.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from napari_brainseg.base.errors import InputError, OutputError
from napari_brainseg.base.paths import written_aside
from napari_brainseg.cases.volume import Geometry, Reorientation, Spacing, Volume

_GZIP_MAGIC = b"\x1f\x8b"
_HEADER_SIZES: dict[int, Any] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_INTENT_LABEL = 1002  # NIFTI_INTENT_LABEL
_LARGEST_LABEL = 2**31  # beyond it, floats are no counts of anything
_MILLIMETRES = 2  # NIFTI_UNITS_MM in xyzt_units


def is_nifti_name(path: Path) -> bool:
    """Return whether the name ends like a NIfTI file's; hidden files do not count."""
    return path.name.lower().endswith((".nii", ".nii.gz")) and not path.name.startswith(".")


def stem_of(path: Path) -> str:
    """Return the file's name without `.nii` or `.nii.gz`."""
    lower = path.name.lower()
    for suffix in (".nii.gz", ".nii"):
        if lower.endswith(suffix):
            return path.name[: -len(suffix)]
    return path.stem


@dataclass(frozen=True, eq=False)
class _Stored:
    """A NIfTI file as it lies on disk: array in file order (I, J, K[, T]), scaled, and what its header says."""

    array: NDArray[np.generic]
    header: bytes
    affine: NDArray[np.float64] | None
    pixdim: tuple[float, float, float] | None


def stored_shape(path: Path) -> tuple[int, ...]:
    """Return the shape in the file's own order, trailing ones dropped, from the header alone.

    Raises:
        InputError: The file cannot be read or is no NIfTI file.
    """
    start = _bytes_of(path, 540)
    return _shape(_parse_header(path, start), path)


def stored_affine(path: Path) -> NDArray[np.float64] | None:
    """Return the file's 4 x 4 matrix from voxels (I, J, K) to RAS+ mm from the header alone; None where it says none.

    Raises:
        InputError: As `stored_shape`.
    """
    return _affine(_parse_header(path, _bytes_of(path, 540)), path)


def read_volume(path: Path) -> Volume:
    """Read one 3-D image as float32 (Z, Y, X).

    Raises:
        InputError: The file cannot be read, is not a 3-D NIfTI image of numbers, or holds NaN or infinite voxels.
    """
    volumes = read_volumes(path)
    if len(volumes) != 1:
        raise InputError(
            f"{path} holds {len(volumes)} volumes, but a channel is one. Open it as a 4-D case, or choose a 3-D file."
        )
    return volumes[0]


def read_volumes(path: Path) -> tuple[Volume, ...]:
    """Read a 3-D image, or every volume of a 4-D one, as float32 (Z, Y, X).

    Raises:
        InputError: As `read_volume`, for more than four dimensions too.
    """
    stored = _read(path)
    geometry = _geometry(stored, path)
    array = stored.array.reshape(*stored.array.shape[:3], -1)
    _refuse_not_finite(array, path)
    return tuple(
        Volume(_in_memory(array[..., t], geometry.reorientation, np.dtype(np.float32)), geometry)
        for t in range(array.shape[3])
    )


def read_label_values(path: Path) -> Volume:
    """Read labels as whole numbers, with the values of the file: uint8 where they fit, else int64; (Z, Y, X).

    Raises:
        InputError: As `read_volume`, and for values that are no whole numbers.
    """
    stored = _read(path)
    array = stored.array
    if array.ndim == 4:
        raise InputError(f"{path} holds {array.shape[3]} volumes, but labels are one. Choose a 3-D file.")
    _refuse_not_finite(array, path)
    if array.dtype.kind == "f":
        whole = np.rint(array)
        if np.abs(whole - array).max(initial=0) > 1e-3 or np.abs(whole).max(initial=0) > _LARGEST_LABEL:
            raise InputError(
                f"{path} holds values that are no whole numbers, so it is not a labels file. Choose another."
            )
        array = whole
    fits = array.size == 0 or (array.min() >= 0 and array.max() <= 255)
    geometry = _geometry(stored, path)
    return Volume(
        _in_memory(array, geometry.reorientation, np.dtype(np.uint8 if fits else np.int64)),
        geometry,
    )


def closest_lps(affine: NDArray[np.float64]) -> Reorientation:
    """Return how a file array with this affine (voxel to RAS+ mm) is turned to the closest LPS+, as (Z, Y, X)."""
    orientation = nib.orientations.io_orientation(affine)
    axes, flips = [0, 0, 0], [False, False, False]
    for file_axis, (world_axis, direction) in enumerate(orientation):
        memory_axis = 2 - int(world_axis)
        axes[memory_axis] = file_axis
        # RAS+ says right and anterior; in memory X grows to the left and Y to posterior, Z to superior.
        flips[memory_axis] = bool(direction < 0) if world_axis == 2 else bool(direction > 0)
    return Reorientation((axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2]))


def write_volume(
    data: NDArray[np.uint8] | NDArray[np.float32], geometry: Geometry, path: Path, *, overwrite: bool = False
) -> None:
    """Write a memory array (Z, Y, X) on the grid of `geometry`, aside, and rename it when it reads back the same.

    Of a header in `geometry`, datatype, scl_*, cal_* and intent alone are changed, and a 4-D shape becomes 3-D. Header
    extensions are left behind: they tell the history of the images, and may name the patient.

    Raises:
        OutputError: The file exists, cannot be written, or reads back different.
    """
    array = geometry.reorientation.to_file(data)
    header = _header_for(array, geometry)
    block = header.binaryblock
    voxels = array.astype(header.get_data_dtype(), copy=False).tobytes(order="F")
    raw = block + bytes(4) + voxels
    with written_aside(path, overwrite=overwrite) as aside:
        aside.write_bytes(gzip.compress(raw, 6, mtime=0) if path.name.lower().endswith(".gz") else raw)
        stored = _read(aside)
        if stored.header != block or not np.array_equal(stored.array.reshape(array.shape, order="F"), array):
            raise OutputError(
                f"{path} read back different from what was written. Check the disk, or choose another place."
            )


def _header_for(array: NDArray[np.generic], geometry: Geometry) -> nib.Nifti1Header:
    if geometry.header is None:
        header = _new_header(array, geometry)
    else:
        # The same raw bytes again, in the byte order of the source, so that every other field stays as it was.
        header = _parse_header(Path(), geometry.header)
        if int(np.prod(header["dim"][4 : 1 + int(header["dim"][0])])) > 1:
            header["dim"][0], header["dim"][4:] = 3, 1
        if geometry.affine is None and geometry.spacing != _spacing(_pixdim(header), geometry.reorientation):
            _put_spacing(header, geometry)
    header.set_data_dtype(array.dtype)
    header["vox_offset"] = len(header.binaryblock) + 4
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["cal_max"] = header["cal_min"] = 0
    header["intent_code"] = _INTENT_LABEL if array.dtype == np.uint8 else 0
    header["intent_p1"] = header["intent_p2"] = header["intent_p3"] = 0
    header["intent_name"] = b""
    return header


def _new_header(array: NDArray[np.generic], geometry: Geometry) -> nib.Nifti1Header:
    header = nib.Nifti1Header()
    header.set_data_shape(array.shape)
    header["magic"] = b"n+1"
    if geometry.affine is not None:
        header.set_xyzt_units("mm")
        header.set_qform(geometry.affine, 1)
        header.set_sform(geometry.affine, 1)
        return header
    # No place in space is claimed: codes 0 and pixdim only.
    header["qform_code"] = header["sform_code"] = 0
    _put_spacing(header, geometry)
    return header


def _put_spacing(header: nib.Nifti1Header, geometry: Geometry) -> None:
    """Write a spacing that a person entered into a header that claims no place in space."""
    if geometry.spacing is not None:
        header["pixdim"][1:4] = np.array(geometry.spacing)[np.argsort(geometry.reorientation.axes)]
        time_units = int(header["xyzt_units"]) & ~7
        header["xyzt_units"] = time_units | _MILLIMETRES


def _in_memory(
    array: NDArray[np.generic], reorientation: Reorientation, dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    result = np.ascontiguousarray(reorientation.to_memory(array), dtype=dtype)
    result.flags.writeable = False
    return result


def _geometry(stored: _Stored, path: Path) -> Geometry:
    reorientation = Reorientation() if stored.affine is None else closest_lps(stored.affine)
    shape = [stored.array.shape[axis] for axis in reorientation.axes]
    steps = stored.pixdim if stored.affine is None else tuple(np.linalg.norm(stored.affine[:3, :3], axis=0))
    spacing = _spacing(steps, reorientation)
    return Geometry((shape[0], shape[1], shape[2]), spacing, stored.affine, reorientation, stored.header)


def _spacing(steps: Sequence[float] | None, reorientation: Reorientation) -> Spacing | None:
    if steps is None:
        return None
    z, y, x = (float(steps[axis]) for axis in reorientation.axes)
    return (z, y, x)


def _read(path: Path) -> _Stored:
    raw = _bytes_of(path)
    header = _parse_header(path, raw)
    shape, dtype = _shape(header, path), _dtype(header, path)
    offset = _offset(header, path)
    count = math.prod(shape)
    needed = offset + count * dtype.itemsize
    if len(raw) < needed:
        raise InputError(f"{path} is cut off: it holds {len(raw):,} of {needed:,} bytes. Copy or download it again.")
    array = np.frombuffer(raw, dtype, count, offset).reshape(shape, order="F")
    if array.ndim < 3:
        array = array.reshape(*shape, *(1,) * (3 - array.ndim), order="F")
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isfinite(slope) and slope != 0 and (slope, inter) != (1.0, 0.0):
        array = array * slope + (inter if np.isfinite(inter) else 0.0)
    return _Stored(array, raw[: len(header.binaryblock)], _affine(header, path), _pixdim(header))


def _bytes_of(path: Path, count: int = -1) -> bytes:
    """Return the file's bytes, unpacked, or the first `count` of them; damage becomes one sentence."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            if packed and count < 0:
                return gzip.decompress(file.read())
            if packed:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    return unpacked.read(count)
            raw = file.read(count)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path} is damaged: its gzip data end early or are broken. Copy or download it again."
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}). Check the path and its permissions."
        ) from error
    if not raw:
        raise InputError(f"{path} is empty (0 bytes). Copy or download it again.")
    return raw


def _parse_header(path: Path, raw: bytes) -> nib.Nifti1Header:
    for order in ("<", ">"):
        size = int(np.frombuffer(raw[:4], f"{order}i4")[0]) if len(raw) >= 4 else 0
        if size in _HEADER_SIZES and len(raw) >= size:
            header: nib.Nifti1Header = _HEADER_SIZES[size](raw[:size], endianness=order, check=False)
            if bytes(header["magic"].item())[:3] in (b"n+1", b"n+2"):
                return header
            raise InputError(f"{path} is half of an Analyze or .hdr/.img pair. Convert it to .nii.gz first.")
    text = raw[:200].lstrip().lower()
    if text.startswith((b"<", b"{")) or (text and all(9 <= byte < 127 for byte in text)):
        kind = "a web page" if b"<html" in text or b"<!doctype" in text else "text"
        raise InputError(f"{path} is no NIfTI file but {kind}, perhaps from a failed download. Download it again.")
    raise InputError(f"{path} is no NIfTI file. Choose a .nii or .nii.gz file.")


def _shape(header: nib.Nifti1Header, path: Path) -> tuple[int, ...]:
    count = int(header["dim"][0])
    shape = [int(n) for n in header["dim"][1 : 1 + max(0, min(count, 7))]]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) > 4:
        raise InputError(
            f"{path} has {len(shape)} dimensions ({' × '.join(map(str, shape))}). "
            "Choose a file with one 3-D volume per channel."
        )
    if not 1 <= count <= 7 or len(shape) < 2 or min(shape) < 1:
        raise InputError(
            f"{path} has the wrong dimensions ({' × '.join(map(str, shape)) or 'none'}). "
            "Choose a file with a 3-D volume."
        )
    return tuple(shape)


def _offset(header: nib.Nifti1Header, path: Path) -> int:
    offset = float(header["vox_offset"])
    if offset == 0:
        return len(header.binaryblock) + 4
    if not len(header.binaryblock) <= offset < 2**40:
        raise InputError(f"{path} has a broken header: it does not say where its voxels begin. Convert the file anew.")
    return int(offset)


def _dtype(header: nib.Nifti1Header, path: Path) -> np.dtype[np.generic]:
    code = int(header["datatype"])
    try:
        dtype: np.dtype[np.generic] = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise InputError(
            f"{path} has an unknown voxel type (code {code}). Convert it to whole numbers or floats."
        ) from error
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        kind = {"c": "complex numbers", "V": "RGB colours"}.get(dtype.kind, str(dtype))
        raise InputError(f"{path} holds {kind} instead of grey values. Convert it to whole numbers or floats.")
    return dtype


def _affine(header: nib.Nifti1Header, path: Path) -> NDArray[np.float64] | None:
    try:
        with np.errstate(invalid="ignore"):  # a broken header holds NaN, which is found below
            if int(header["sform_code"]) > 0:
                affine = np.asarray(header.get_sform(), np.float64)
            elif int(header["qform_code"]) > 0:
                affine = np.asarray(header.get_qform(), np.float64)
            else:
                return None
    except (HeaderDataError, ValueError) as error:
        raise InputError(
            f"{path} has a broken header: its orientation cannot be read. Convert the file anew."
        ) from error
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputError(f"{path} has a broken header: its affine has no inverse. Convert the file anew.")
    return affine


def _pixdim(header: nib.Nifti1Header) -> tuple[float, float, float] | None:
    """Return the spacing of a file that does not say where it lies; None where pixdim is a mere filler."""
    x, y, z = (abs(float(step)) for step in header["pixdim"][1:4])
    sensible = all(np.isfinite(step) and step > 0 for step in (x, y, z))
    in_mm = int(header["xyzt_units"]) & 7 == _MILLIMETRES
    return (x, y, z) if sensible and (in_mm or (x, y, z) != (1.0, 1.0, 1.0)) else None


def _refuse_not_finite(array: NDArray[np.generic], path: Path) -> None:
    if array.dtype.kind != "f":
        return
    largest = float(np.finfo(np.float32).max)
    # One pass without temporaries decides; NaN spreads through min and max.
    low, high = float(np.min(array)), float(np.max(array))
    if np.isfinite(low) and np.isfinite(high) and -largest <= low and high <= largest:
        return
    count = int(np.count_nonzero(~np.isfinite(array))) or int(np.count_nonzero(np.abs(array) > largest))
    raise InputError(
        f"{path} holds {count:,} voxels that are no usable numbers (NaN, infinite or too large). "
        "Replace them, by 0 outside the brain, and open it again."
    )
