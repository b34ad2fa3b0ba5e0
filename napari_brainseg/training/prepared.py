"""Labelled cases, read and preprocessed as a network sees them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import InputError, TrainingError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.reading import CaseFiles, OpenOptions, find_cases, read_case
from napari_brainseg.model_store.preprocessing import Preprocessing, prepare


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A case as the network sees it: images float16 (C, Z, Y, X) and labels uint8 (Z, Y, X) on the same crop."""

    id: str
    images: NDArray[np.float16]
    labels: LabelArray


Preparing = Callable[[], PreparedCase]


def prepare_labelled(case: Case, channels: Sequence[str], scheme: LabelScheme, settings: Preprocessing) -> PreparedCase:
    """Preprocess a case and its labels for a model; raise `InputError` when it has none that can be read."""
    if case.labels is None and case.label_paths:  # what was wrong with them is the last thing that was noted
        raise InputError(f"{case.id} cannot be learned from: {case.notes[-1]}")
    if case.labels is None:
        raise InputError(f"{case.id} has no labels to learn from. Add them or leave the case out.")
    images, box = prepare(case, channels, settings)
    labels = case.labels.scheme.convert(np.asarray(case.labels.volume.data[box], np.uint8), scheme)
    return PreparedCase(case.id, images.astype(np.float16), np.ascontiguousarray(labels))


def find_labelled(folder: Path, case_ids: Sequence[str]) -> list[CaseFiles]:
    """Return the files of the cases with these ids in a folder; raise `TrainingError` naming absent ones."""
    files: dict[str, CaseFiles] = {found.id: found for found in find_cases(folder)}
    absent = [c for c in case_ids if c not in files]
    if absent:
        raise TrainingError(f"{folder} lacks {len(absent)} cases of the split, {absent[0]} among them.")
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
