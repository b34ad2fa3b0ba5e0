"""Slices kept as tif files, as in the Kaggle LGG set: `<patient>_<n>.tif`, colours as channels, and `…_mask.tif`."""

from __future__ import annotations

import logging
import re
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_brainseg.base.errors import InputError, OutputError
from napari_brainseg.base.paths import written_aside
from napari_brainseg.cases.volume import Geometry, Volume

# What tifffile and its decoders raise on damaged files.
_DAMAGE = (
    tifffile.TiffFileError,
    struct.error,
    ValueError,
    RuntimeError,
    IndexError,
    KeyError,
    TypeError,
    EOFError,
    ZeroDivisionError,
    MemoryError,
)
_SLICE = re.compile(r"(?P<patient>.+)_(?P<number>\d+)")
_MASK = re.compile(r"(?P<slice>.+)_mask", re.IGNORECASE)


def is_tif_name(path: Path) -> bool:
    """Return whether the name ends like a tif file's; hidden files do not count."""
    return path.suffix.lower() in (".tif", ".tiff") and not path.name.startswith(".")


def patient_and_number(stem: str) -> tuple[str, int | None]:
    """Split the stem of a slice, `<patient>_<n>`; the number is None where there is none."""
    match = _SLICE.fullmatch(stem)
    return (match["patient"], int(match["number"])) if match else (stem, None)


def slice_of_mask(stem: str) -> str | None:
    """Return the stem of the slice that a mask belongs to, or None when the name is not a mask's."""
    match = _MASK.fullmatch(stem)
    return match["slice"] if match else None


def read_slices(paths: Sequence[Path]) -> NDArray[np.float32]:
    """Read slices in the order given as float32 (C, Z, Y, X); channels are the colours of the files.

    Raises:
        InputError: A file cannot be read, or its shape differs from that of the first one.
    """
    planes = [p if p.ndim == 3 else p[..., None] for p in _read_all(paths)]
    for path, plane in zip(paths, planes, strict=True):
        if plane.ndim != 3 or plane.shape[-1] not in (1, 3, 4):
            raise InputError(
                f"{path} has the shape {_by(plane.shape)}; a slice is Y × X with 1 or 3 channels. Choose other files."
            )
        if plane.shape != planes[0].shape:
            raise InputError(
                f"{path} ({_by(plane.shape)}) does not match {paths[0].name} ({_by(planes[0].shape)}). "
                "All slices of a patient must have one shape: move the odd one out of the folder."
            )
        if plane.dtype.kind == "f" and not np.isfinite(plane).all():
            raise InputError(
                f"{path} holds pixels that are no numbers (NaN or infinite). Replace them and open it again."
            )
    # A fourth colour would be transparency, which is no channel.
    stack = np.stack([plane[..., :3] for plane in planes]).astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(stack, -1, 0))


def read_masks(paths: Sequence[Path | None], shape: tuple[int, int, int]) -> NDArray[np.generic]:
    """Read one mask per slice, values as stored, as (Z, Y, X) of the given shape; None is an empty slice.

    Raises:
        InputError: A mask cannot be read, or its shape is not that of its slice.
    """
    found = [path for path in paths if path is not None]
    planes = dict(zip(found, _read_all(found), strict=True))
    kinds = {plane.dtype for plane in planes.values()}
    result = np.zeros(shape, np.result_type(np.uint8, *kinds))
    for index, path in enumerate(paths):
        if path is None:
            continue
        plane = planes[path]
        if plane.ndim == 3 and plane.shape[-1] in (3, 4) and (plane[..., :1] == plane[..., :3]).all():
            plane = plane[..., 0]  # a grey mask that was saved in colour
        if plane.shape != shape[1:]:
            raise InputError(
                f"{path} ({_by(plane.shape)}) does not match its slice ({_by(shape[1:])}). "
                "Choose the mask of this slice."
            )
        result[index] = plane
    return result


def read_mask_stack(paths: Sequence[Path]) -> Volume:
    """Read masks that were given without their slices, in numeric order, as a volume of as many slices.

    Raises:
        InputError: A mask cannot be read, or two of them differ in shape.
    """
    ordered = sorted(paths, key=lambda path: patient_and_number(slice_of_mask(path.stem) or path.stem)[1] or 0)
    rows, columns = _read(ordered[0]).shape[:2]
    shape = (len(ordered), rows, columns)
    return Volume(read_masks(ordered, shape), Geometry(shape))


def write_slice(plane: NDArray[np.generic], path: Path, *, overwrite: bool = False) -> None:
    """Write one plane (Y, X), or a stack (Z, Y, X), as tif, aside, and rename it when it reads back the same.

    Raises:
        OutputError: The file exists, cannot be written, or reads back different.
    """
    with written_aside(path, overwrite=overwrite) as aside:
        # Without metadata, which would hold nothing but the shape.
        tifffile.imwrite(aside, plane, photometric="minisblack", metadata=None)
        if not np.array_equal(_read(aside), plane):
            raise OutputError(
                f"{path} read back different from what was written. Check the disk, or choose another place."
            )


def _read_all(paths: Sequence[Path]) -> list[NDArray[np.generic]]:
    if len(paths) < 4:
        return [_read(path) for path in paths]
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(_read, paths))


class _OwnSentence(logging.Filter):
    """Drops what tifffile logs of a file that is being read here: what is wrong becomes one sentence of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(self.reading, "now", False)


_OWN_SENTENCE = _OwnSentence()
logging.getLogger("tifffile").addFilter(_OWN_SENTENCE)


def _pixels(path: Path) -> NDArray[np.generic]:
    _OWN_SENTENCE.reading.now = True
    try:
        return np.asarray(tifffile.imread(path))
    finally:
        _OWN_SENTENCE.reading.now = False


def _read(path: Path) -> NDArray[np.generic]:
    try:
        array = _pixels(path)
    except _DAMAGE as error:
        raise InputError(f"{path} is not a usable tif file: it is damaged or something else. Copy it again.") from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}). Check the path and its permissions."
        ) from error
    if array.size == 0:
        raise InputError(f"{path} is not a usable tif file: it holds no pixel. Copy it again.")
    if array.dtype.kind not in "iufb":
        raise InputError(f"{path} holds no grey values. Choose another file.")
    return array.astype(np.uint8) if array.dtype.kind == "b" else array


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
