"""Labelled cases, read and preprocessed as a network sees them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import InputError, TrainingError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.attaching import without_mask
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.reading import CaseFiles, OpenOptions, find_cases, read_case
from napari_brainseg.cases.volume import Shape, Spacing
from napari_brainseg.model_store.planes import PLANES, turned, turned_shape, usable
from napari_brainseg.model_store.preprocessing import Box, Preprocessing, prepare


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A case as the network sees it: images float16 (C, Z, Y, X) and labels uint8 (Z, Y, X) on the same crop.

    `spacing` is in mm along (Z, Y, X), or None where it is unknown; `box` is where the crop lies in the case, and
    `shape` that of the whole case; both None where the images are the whole of it.
    """

    id: str
    images: NDArray[np.float16]
    labels: LabelArray
    spacing: Spacing | None = None
    box: Box | None = None
    shape: Shape | None = None


Preparing = Callable[[], PreparedCase]


def prepare_labelled(case: Case, channels: Sequence[str], scheme: LabelScheme, settings: Preprocessing) -> PreparedCase:
    """Preprocess a case and its labels for a model; raise `InputError` when it has none that can be read."""
    if case.labels is None and case.label_paths:  # what was wrong with them is the last thing that was noted
        raise InputError(f"{case.id} cannot be learned from: {case.notes[-1]}")
    if case.labels is None:
        raise InputError(f"{case.id} has no labels to learn from. Add them or leave the case out.")
    if case.labels.unknown is not None:  # as background they would teach what nobody has said
        raise InputError(
            f"{case.id} cannot be learned from: its data set marks voxels as not known. Import the folder as "
            "corrections of a project and fine-tune, or leave the case out."
        )
    bare = without_mask(case)
    if bare:
        have = f"and {len(bare) - 1} more of its slices have" if len(bare) > 1 else "has"
        raise InputError(f"{case.id} cannot be learned from: {bare[0].name} {have} no mask. Add what is missing.")
    elsewhere = [name for name in channels if name in case.off_grid]
    if elsewhere:
        raise InputError(
            f"{case.id} cannot be learned from: {', '.join(elsewhere)} lies on another grid than {case.grid_channel}. "
            "Resample it, or leave the case out."
        )
    images, box = prepare(case, channels, settings)
    labels = case.labels.scheme.convert(np.asarray(case.labels.volume.data[box], np.uint8), scheme)
    grid = case.geometry
    return PreparedCase(case.id, images.astype(np.float16), np.ascontiguousarray(labels), grid.spacing, box, grid.shape)


def seen_along(case: PreparedCase, plane: str) -> PreparedCase:
    """Return a case whose slices follow a plane; without any slice where pixels of that plane are far from square."""
    if case.spacing is None:
        return case if plane == "axial" else _without_slices(case)
    if plane not in usable(tuple(PLANES), case.spacing):
        return _without_slices(case)
    return replace(
        case,
        images=turned(case.images, plane),
        labels=turned(case.labels, plane),
        spacing=turned_shape(case.spacing, plane),
    )


def _without_slices(case: PreparedCase) -> PreparedCase:
    return replace(case, images=case.images[:, :0], labels=case.labels[:0])


def cases_by_id(folder: Path) -> dict[str, CaseFiles]:
    """Return the files of the cases in a folder by their ids.

    Raises:
        InputError: The folder holds no case, or two of one name, of which none could be chosen.
    """
    files: dict[str, CaseFiles] = {}
    for found in find_cases(folder):
        if found.id in files:
            places = f"{files[found.id].folder} and {found.folder}"
            raise InputError(f"{folder} holds {found.id} twice, in {places}. Move one of them away.")
        files[found.id] = found
    return files


def find_labelled(folder: Path, case_ids: Sequence[str]) -> list[CaseFiles]:
    """Return the files of the cases with these ids in a folder; raise `TrainingError` naming absent ones."""
    files = cases_by_id(folder)
    absent = [c for c in case_ids if c not in files]
    if absent:
        counted = absent[0] if len(absent) == 1 else f"{len(absent)} cases of the split, {absent[0]} among them"
        raise TrainingError(f"{folder} lacks {counted}. Choose another folder, or another split.")
    return [files[c] for c in case_ids]


def read_labelled(
    folder: Path, case_ids: Sequence[str], prepared: Callable[[Case], PreparedCase], options: OpenOptions | None = None
) -> Generator[Progress, None, list[PreparedCase]]:
    """Read and prepare the cases with these ids from a folder; raise `TrainingError` naming absent ones."""
    cases = []
    for index, files in enumerate(find_labelled(folder, case_ids)):
        yield Progress(index, len(case_ids), f"reading {files.id}")
        cases.append(prepared(read_case(files, options)))
    return cases
