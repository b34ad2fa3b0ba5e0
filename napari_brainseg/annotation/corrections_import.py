"""Labelled cases of a folder as confirmed corrections of a project.

A folder holds what `find_cases` finds: BraTS cases with their labels, LGG patients with their masks, raw data sets of
nnU-Net, Decathlon and MONAI lists. What a data set marks as not known (nnU-Net's `ignore` label, voxels outside the
mask of a MONAI list) and slices without a mask are not confirmed. The images stay where they are, and the project
points at them.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_brainseg.annotation.case_state import now, read_state, user_name
from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, Mask, plane
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import BrainsegError, InputError, LabelError, OutputError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.attaching import without_mask
from napari_brainseg.cases.case import Case, Labels
from napari_brainseg.cases.labels import LabelArray, LabelScheme, scheme_by_id
from napari_brainseg.cases.reading import CaseFiles, OpenOptions, find_cases, read_case


@dataclass(frozen=True)
class ImportedCase:
    """One case that was taken over.

    Attributes:
        case_id: Its name in the project.
        folder: Its folder in the project.
        confirmed: Share of its voxels that count as confirmed now, above 0 to 1.
        scheme: How its labels were read.
        notes: What was assumed about its labels.
    """

    case_id: str
    folder: Path
    confirmed: float
    scheme: LabelScheme
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportedCorrections:
    """What an import did: cases taken over, those left as they are in the project, and those that cannot be used.

    Both kinds of the latter are sentences, one a case.
    """

    cases: tuple[ImportedCase, ...]
    kept: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def import_corrections(
    project: Project, folder: Path, options: OpenOptions | None = None, *, overwrite: bool = False
) -> Generator[Progress, None, ImportedCorrections]:
    """Take the labelled cases of a folder over as corrections; one that cannot be used does not stop the others.

    Args:
        project: Where they go.
        folder: What is taken over.
        options: How the cases are read.
        overwrite: Whether imported labels replace confirmed ones where both lie; else such cases are left as they are.

    Raises:
        InputError: The folder holds no case.
        OutputError: The project cannot be written.
    """
    found = find_cases(folder)
    taken: list[ImportedCase] = []
    kept: list[str] = []
    left_out: list[str] = []
    for done, files in enumerate(found):
        yield Progress(done, len(found), f"reading {files.id}")
        try:
            case = _take_over(project, files, options, f"import from {folder.resolve().name}", overwrite)
        except OutputError:
            raise
        except BrainsegError as error:
            left_out.append(str(error))
            continue
        if isinstance(case, ImportedCase):
            taken.append(case)
        else:
            kept.append(case)
    yield Progress(len(found), len(found), f"{len(taken)} of {len(found)} cases imported")
    return ImportedCorrections(tuple(taken), tuple(kept), tuple(left_out))


def _take_over(
    project: Project, files: CaseFiles, options: OpenOptions | None, source: str, overwrite: bool
) -> ImportedCase | str:
    """Return what was taken over, or the sentence that the case stays as the project has it."""
    case = read_case(files, options)
    labels = _labels_of(case)
    confirmed = _confirmed(case, labels)
    own = _same_exam(project, case) or case
    older = project.correction(own)
    older = None if older is None or older.is_empty else older
    if older is not None and not overwrite:
        return (
            f"{own.id} is confirmed in the project already, at least in part, and stays as it is. "
            "Import over it with --overwrite."
        )
    scheme = own.scheme if older is None else older.scheme
    correction = _correction(own, labels, confirmed, scheme)
    correction = _over_work(project, own, correction) if older is None else _over(older, correction)
    project.save_labels(own, correction.labels, correction.scheme, model=source)
    path = project.save_correction(own, correction)
    notes = tuple(note for note in case.notes if note.startswith("Labels were read as"))
    return ImportedCase(own.id, path.parent.parent, float(correction.confirmed.mean()), labels.scheme, notes)


def whole_slices(mask: Mask) -> tuple[ConfirmedSlice, ...]:
    """Return the slices that lie in `mask` (Z, Y, X) as a whole; of another plane than axial those that add voxels."""
    slices: list[ConfirmedSlice] = []
    covered = np.zeros(mask.shape, bool)
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        adds = mask.all(axis=others) & ~covered.all(axis=others)
        found = [ConfirmedSlice(axis, int(index)) for index in np.flatnonzero(adds)]
        for confirmed in found:
            covered[plane(confirmed)] = True
        slices += found
    return tuple(slices)


def _labels_of(case: Case) -> Labels:
    if case.labels is not None:
        return case.labels
    if case.label_paths:  # what was wrong with them is the last thing that was noted
        raise InputError(f"{case.id} cannot be imported: {case.notes[-1]}")
    raise InputError(f"{case.id} has no labels, so there is nothing to confirm.")


def _confirmed(case: Case, labels: Labels) -> Mask:
    """Return where the labels are known."""
    confirmed = np.ones(case.geometry.shape, bool)
    if labels.unknown is not None:
        confirmed &= ~labels.unknown
    bare = {*without_mask(case)}
    for index, path in enumerate(case.paths.get(case.grid_channel, ()) if bare else ()):
        confirmed[index] &= path not in bare
    if not confirmed.any():
        raise InputError(f"{case.id} cannot be imported: its data set marks every voxel as not known.")
    return confirmed


def _same_exam(project: Project, case: Case) -> Case | None:
    """Return the case of the project whose images these are in other files, as after an export; None without one.

    A case that lies where the project knows it is found by its place, and is None here.
    """
    if project.find(case) is not None:
        return None
    for folder in project.case_folders():
        source = read_state(folder).source
        if case.id not in (source.id, folder.name) or source.shape != case.geometry.shape:
            continue
        try:
            own = source.read(project.folder)
        except BrainsegError:  # its files are out of reach, so that nothing can be compared
            continue
        shared = [name for name in case.channels if name in own.channels]
        same = (np.array_equal(case.channels[name].data, own.channels[name].data) for name in shared)
        if shared and own.geometry.same_grid(case.geometry) and all(same):
            return own
    return None


def _correction(case: Case, labels: Labels, confirmed: Mask, scheme: LabelScheme) -> Correction:
    """Return the labels as a correction in `scheme`, or in their own where that cannot hold a class of theirs."""
    values = np.asarray(labels.volume.data, np.uint8)
    try:
        values = labels.scheme.convert(values, scheme)
    except LabelError:
        scheme = labels.scheme
    return Correction(case.id, values, confirmed, scheme, whole_slices(confirmed))


def _over_work(project: Project, case: Case, correction: Correction) -> Correction:
    """Return the correction with the newest labels of the project where it confirms nothing."""
    work = None if correction.confirmed.all() else project.latest_labels(case)
    if work is None:
        return correction
    labels, version = work
    try:
        around = scheme_by_id(version.scheme_id).convert(labels, correction.scheme)
    except LabelError:
        return correction
    return replace(correction, labels=np.where(correction.confirmed, correction.labels, around).astype(np.uint8))


def _over(older: Correction, new: Correction) -> Correction:
    """Return what the project holds with `new` in its place where that is confirmed; nothing else of it is lost.

    Raises:
        LabelError: The scheme of the imported labels cannot hold a class that was confirmed before.
    """

    def converted(labels: LabelArray) -> LabelArray:
        return older.scheme.convert(labels, new.scheme)

    confirmed = older.confirmed | new.confirmed
    return replace(
        older,
        labels=np.where(new.confirmed, new.labels, converted(older.labels)).astype(np.uint8),
        confirmed=confirmed,
        scheme=new.scheme,
        slices=tuple(sorted({*older.slices, *whole_slices(confirmed)})),
        predicted=None if older.predicted is None else converted(older.predicted),
        when=now(),
        who=user_name(),
    )
