"""napari's readers: a case folder, or one or more files of a case. They load no torch and never raise."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_brainseg.base.errors import BrainsegError, InputError
from napari_brainseg.cases.case import Naming
from napari_brainseg.cases.finding import CaseFiles, find_cases
from napari_brainseg.cases.narrowing import Reading, read_as
from napari_brainseg.cases.nifti import is_nifti_name, read_label_values
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.slices import is_tif_name, patient_and_number, read_mask_stack, slice_of_mask
from napari_brainseg.cases.volume import Volume
from napari_brainseg.plugin.layers import LayerData, LayerIdentity, Role, case_layers, labels_layer

Read = Callable[[str | Sequence[str]], list[Any]]


def get_reader(path: str | Sequence[str]) -> Read | None:
    """Return the reader where every path is ours by name: folders, NIfTI files, and tif slices or masks."""
    paths = [Path(path)] if isinstance(path, str) else [Path(p) for p in path]
    return read if paths and all(_is_ours(p) for p in paths) else None


def read(path: str | Sequence[str]) -> list[Any]:
    """Return the layers of the case in `path`; what is wrong becomes a warning, and no layer."""
    paths = [path] if isinstance(path, str) else list(path)
    try:
        cases = find_cases(paths)
        if len(cases) > 1:
            _say(
                f"{len(cases)} cases were found; {cases[0].id} is shown. "
                "The Brain segmentation workbench lists them all."
            )
        layers = _layers(cases[0])
    except BrainsegError as error:
        _say(str(error))
        return [(None,)]  # napari's word for: handled, but nothing to show
    return list(layers)


def _layers(files: CaseFiles) -> list[LayerData]:
    if files.labels and not files.channels and not files.undecided:
        return [_reference(files)]
    case = read_case(files)
    notes = list(case.notes)
    if case.off_grid:
        notes.append("The Brain segmentation workbench can resample it.")
    if notes:
        _say(" ".join((f"{case.id}:", *notes)))
    return case_layers(case)


def _reference(files: CaseFiles) -> LayerData:
    """Return labels that were opened without their images."""
    if files.naming is Naming.LGG:
        volume = read_mask_stack(files.labels)
    elif len(files.labels) == 1:
        volume = read_label_values(files.labels[0])
    else:
        raise InputError(
            f"{len(files.labels)} labels files were given without an image. Open one, or its case's folder."
        )
    reading = read_as(volume.data, files.naming, files.id, None, str(files.labels[0]))
    if reading.assumed:
        others = ", ".join(scheme.title for scheme in reading.candidates[1:])
        _say(f"{files.labels[0].name} was read as {reading.scheme.title}; {others} would fit as well.")
    return _reference_layer(files, volume, reading)


def _reference_layer(files: CaseFiles, volume: Volume, reading: Reading) -> LayerData:
    identity = LayerIdentity(
        files.id, Role.REFERENCE, "reference", scheme_id=reading.scheme.id, source=tuple(files.labels)
    )
    return labels_layer(reading.labels, reading.scheme, volume.geometry.spacing, identity)


def _is_ours(path: Path) -> bool:
    if is_nifti_name(path):
        return not path.is_dir()
    if path.is_dir():
        return path.suffix != ".zarr"
    if not is_tif_name(path):
        return False
    # Other people's tifs are left to napari: a slice of ours has a mask beside it, is one, or is numbered as in TCGA.
    mask = path.with_name(f"{path.stem}_mask{path.suffix}")
    numbered = patient_and_number(path.stem)[1] is not None
    is_mask = slice_of_mask(path.stem) is not None
    return is_mask or mask.exists() or (numbered and path.name.startswith("TCGA_"))


def _say(sentence: str) -> None:
    # Python and napari show a warning from one line of code only once, but who tries a broken file again must hear it
    # again. So the line differs each time.
    warnings.warn_explicit(sentence, UserWarning, __file__, time.monotonic_ns() % 2**31)
