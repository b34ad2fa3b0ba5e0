"""Labels for a case: its own, or a file attached to it, through the alignment gate and the choice of a scheme."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import AlignmentError, InputError, LabelError
from napari_brainseg.cases.case import Case, Labels, Naming
from napari_brainseg.cases.dataset_description import description_beside
from napari_brainseg.cases.labels import SCHEMES, LabelScheme, values_of
from napari_brainseg.cases.naming import labels_naming
from napari_brainseg.cases.narrowing import read_as
from napari_brainseg.cases.nifti import is_nifti_name, read_label_values, stem_of
from napari_brainseg.cases.resampling import grids_differ, on_grid, resampled
from napari_brainseg.cases.slices import is_tif_name, read_masks, slice_of_mask
from napari_brainseg.cases.volume import Geometry, Volume


def with_labels(case: Case, files: Sequence[Path], scheme: str | None = None, *, resample: bool = False) -> Case:
    """Return the case with the labels found beside its channels.

    Labels that are damaged, on another grid or of no usual scheme are left off, with a note: they keep nobody from the
    images.

    Raises:
        LabelError: The values do not fit the chosen scheme, or there is none of this name.
    """
    if not files:
        return case
    case = replace(case, label_paths=_joined(case.label_paths, files))
    notes: tuple[str, ...] = ()
    if len(files) > 1 and case.naming is not Naming.LGG:
        notes = (f"{len(files)} labels files were found; {files[0].name} was read.",)
    try:
        volume = stored_labels(case, files)
        aligned = on_grid(volume, case.geometry)
        if aligned is None and resample:
            aligned = resampled(volume, case.geometry, labels=True)
        known = None if aligned is None else _known(case, aligned, files)
    except InputError as error:
        return replace(case, notes=(*case.notes, _unread(error, files)))
    if known is None:
        differ = grids_differ(files[0].name, volume.geometry, case.grid_channel, case.geometry)
        notes = (*notes, f"{differ}, so its labels are not shown. Resample the labels, or choose another file.")
        return replace(case, notes=(*case.notes, *notes))
    case = replace(case, notes=(*case.notes, *notes))
    try:
        return _labelled(case, known, files, scheme)
    except LabelError as error:
        if scheme is not None:
            raise
        present = values_of(known.volume.data)
        choices = tuple(other for other in SCHEMES.values() if other.fits(present))
        return replace(case, notes=(*case.notes, _unread(error, files)), label_choices=choices)


def _unread(error: Exception, files: Sequence[Path]) -> str:
    # The labels lie beside the images or near them: in a note their names are enough.
    sentence = str(error)
    for file in files:
        sentence = sentence.replace(str(file), file.name)
    return f"{sentence}{_UNREAD}"


def attach_labels(
    case: Case, path: os.PathLike[str] | str, scheme: str | None = None, *, resample: bool = False
) -> Case:
    """Return the case with labels from a file, or from a folder where they are found by the case's name.

    Raises:
        InputError: There are no labels for this case, or they cannot be read.
        AlignmentError: They lie on another grid, and `resample` is false.
        LabelError: Their values fit no scheme, or not the chosen one.
    """
    return _attached(case, _labels_at(case, Path(path)), scheme, resample=resample)


def reread_labels(case: Case, scheme_id: str) -> Case:
    """Return the case with the same labels file understood by another scheme.

    Raises:
        InputError: The case has no labels, or their file can no longer be read.
        AlignmentError: Their file no longer lies on the case's grid.
        LabelError: The values do not fit the scheme, or there is none of this name.
    """
    labels = case.labels
    if labels is None and case.label_choices:
        return _attached(case, case.label_paths, scheme_id)
    if labels is None:
        raise InputError(f"{case.id} has no labels that could be read by another scheme.")
    disk = labels.scheme.to_disk(labels.volume.data)  # type: ignore[arg-type]
    source = labels.path.name if labels.path is not None else case.id
    reading = read_as(disk, case.naming, case.id, scheme_id, source)
    candidates = tuple(dict.fromkeys((reading.scheme, *labels.candidates)))
    volume = Volume(reading.labels, labels.volume.geometry)
    chosen = replace(labels, volume=volume, scheme=reading.scheme, candidates=candidates, assumed=False)
    notes = tuple(note for note in case.notes if not note.startswith(_READ_AS))
    return replace(case, labels=chosen, scheme=reading.scheme, notes=notes)


_READ_AS = "Labels were read as "
_NOT_KNOWN = "The labels are not known everywhere"
_UNREAD = " The case is open without these labels."


def _attached(case: Case, files: Sequence[Path], scheme: str | None, *, resample: bool = False) -> Case:
    volume = stored_labels(case, files)
    aligned = on_grid(volume, case.geometry)
    if aligned is None and not resample:
        differ = grids_differ(files[0].name, volume.geometry, case.grid_channel, case.geometry)
        raise AlignmentError(f"{differ}. Resample the labels onto the case, or choose another file.")
    aligned = aligned or resampled(volume, case.geometry, labels=True)
    known = _known(case, aligned, files)
    return _labelled(replace(case, label_paths=_joined(case.label_paths, files)), known, files, scheme)


@dataclass(frozen=True, eq=False)
class _Known:
    """Label values on the case's grid, 0 where nobody knows them by number, and what the data set says of them."""

    volume: Volume
    unknown: NDArray[np.bool_] | None
    scheme: LabelScheme | None


def _known(case: Case, volume: Volume, files: Sequence[Path]) -> _Known:
    """Split what the data set of the file marks as unknown from its labels; raise `InputError` for an unusable mask."""
    described = description_beside(files[0].parent)
    unknown = np.zeros(volume.data.shape, bool)
    if described.ignored is not None:
        unknown |= volume.data == described.ignored
        volume = Volume(np.where(unknown, 0, volume.data).astype(volume.data.dtype), volume.geometry)
    mask_file = described.mask_of(files[0])
    if mask_file is not None:
        mask = on_grid(read_label_values(mask_file), case.geometry)
        if mask is None:
            raise InputError(
                f"{mask_file} lies on another grid than {case.id}. Put the mask of this case in its place."
            )
        unknown |= mask.data == 0
    scheme = described.scheme
    fits = scheme is not None and scheme.fits(values_of(volume.data))
    return _Known(volume, unknown if unknown.any() else None, scheme if fits else None)


def _labelled(case: Case, known: _Known, files: Sequence[Path], scheme: str | None) -> Case:
    volume, unknown = known.volume, known.unknown
    naming = case.naming if case.naming is Naming.LGG else labels_naming(stem_of(files[0]), case.id, case.naming)
    chosen = known.scheme.id if scheme is None and known.scheme is not None else scheme
    reading = read_as(volume.data, naming, case.id, chosen, str(files[0]))
    reading.labels.flags.writeable = False
    path = files[0] if len(files) == 1 else files[0].parent
    labels = Labels(
        Volume(reading.labels, _spaced(volume.geometry, case.geometry)),
        reading.scheme,
        reading.candidates,
        path,
        assumed=reading.assumed,
        unknown=unknown,
    )
    gone = (_READ_AS, _NOT_KNOWN)
    notes = tuple(note for note in case.notes if not (note.startswith(gone) or note.endswith(_UNREAD)))
    if unknown is not None:
        share = f"{int(unknown.sum()):,} of {unknown.size:,}"
        notes += (f"{_NOT_KNOWN}: {share} voxels are marked as such in the data set of {files[0].name}.",)
    if reading.assumed:
        others = ", ".join(s.title for s in reading.candidates[1:])
        notes += (f"{_READ_AS}{_with_values(reading.scheme)}; {others} would fit as well.",)
    return replace(case, labels=labels, scheme=reading.scheme, notes=notes, label_choices=())


def _spaced(geometry: Geometry, grid: Geometry) -> Geometry:
    """Return the geometry of labels with the spacing that a person entered for the case, where the files say none."""
    return geometry if geometry.affine is not None or grid.spacing is None else replace(geometry, spacing=grid.spacing)


def _with_values(scheme: LabelScheme) -> str:
    return f"{scheme.title} ({', '.join(map(str, scheme.disk_values))})"


def stored_labels(case: Case, files: Sequence[Path]) -> Volume:
    """Read label values as stored, whatever they are: one NIfTI file, or the masks of the case's slices.

    Raises:
        InputError: A file cannot be read, or belongs to none of the case's slices.
    """
    if not is_tif_name(files[0]):
        return read_label_values(files[0])
    if case.naming is not Naming.LGG:
        raise InputError(f"{files[0]} is a tif, which has no place in space. Labels of {case.id} must be NIfTI.")
    slices = case.paths[case.grid_channel]
    if len(files) == len(slices) == 1:
        masks: list[Path | None] = list(files)
    else:
        by_stem = {file.stem.lower(): file for file in files}
        masks = [by_stem.get(f"{image.stem}_mask".lower()) for image in slices]
    if not any(masks):
        raise InputError(
            f"{files[0]} is no mask of a slice of {case.id}. Choose files named like {slices[0].stem}_mask.tif."
        )
    return Volume(read_masks(masks, case.geometry.shape), case.geometry)


def without_mask(case: Case) -> list[Path]:
    """Return the slices whose mask is absent while others have theirs; they would count as free of tumour."""
    masked = {slice.lower() for path in case.label_paths if (slice := slice_of_mask(path.stem)) is not None}
    return [p for p in case.paths.get(case.grid_channel, ()) if p.stem.lower() not in masked] if masked else []


def _labels_at(case: Case, path: Path) -> tuple[Path, ...]:
    if path.is_file():
        if not (is_nifti_name(path) or is_tif_name(path)):
            raise InputError(f"{path} is neither NIfTI (.nii, .nii.gz) nor tif. Choose another labels file.")
        return (path,)
    if not path.is_dir():
        raise InputError(f"{path} does not exist. Choose a labels file, or a folder of labels.")
    for folder in (path, path / case.id):
        found = _named_like(case, folder)
        if found:
            return found
    raise InputError(
        f"{path} holds no labels for {case.id}, such as {case.id}.nii.gz or {case.id}_seg.nii.gz. "
        "Choose another folder."
    )


def _named_like(case: Case, folder: Path) -> tuple[Path, ...]:
    stems = [f"{case.id}{ending}" for ending in ("_seg", "-seg", "", "_labels", "_label", "_mask")]
    for stem in stems:
        for suffix in (".nii.gz", ".nii"):
            if (file := folder / f"{stem}{suffix}").is_file():
                return (file,)
    if case.naming is not Naming.LGG:
        return ()
    slices = case.paths[case.grid_channel]
    masks = (folder / f"{image.stem}_mask{suffix}" for image in slices for suffix in (image.suffix, ".tif"))
    return tuple(dict.fromkeys(mask for mask in masks if mask.is_file()))


def _joined(old: Sequence[Path], new: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys((*old, *new)))
