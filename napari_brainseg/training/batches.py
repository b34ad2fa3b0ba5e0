"""Training data in memory: prepared slices of many cases, drawn in batches; whole cases for validation."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brainseg.base.errors import InputError, TrainingError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.reading import CaseFiles, find_cases, read_case
from napari_brainseg.model_store.preprocessing import Preprocessing, prepare


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A case as the network sees it: images float16 (C, Z, Y, X) and labels uint8 (Z, Y, X) on the same crop."""

    id: str
    images: NDArray[np.float16]
    labels: LabelArray


@dataclass(frozen=True, eq=False)
class SliceSet:
    """Slices of many cases, one size: images float16 (N, C, H, W), labels uint8 (N, H, W), and the case of each."""

    images: Tensor
    labels: Tensor
    case_ids: tuple[str, ...]

    def batches(self, size: int, empty_share: float, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the indices of one epoch's batches: every slice with tumour, and a fresh draw of empty ones.

        Args:
            size: Slices a batch; a last incomplete batch is left out, unless it is the only one.
            empty_share: Empty slices drawn, as a share of those with tumour.
            generator: Source of chance.
        """
        with_tumour = self.labels.flatten(1).any(1)
        full, empty = torch.nonzero(with_tumour)[:, 0], torch.nonzero(~with_tumour)[:, 0]
        drawn = empty[torch.randperm(len(empty), generator=generator)[: round(empty_share * len(full))]]
        order = torch.cat([full, drawn])
        order = order[torch.randperm(len(order), generator=generator)]
        for start in range(0, max(1, len(order) - size + 1), size):
            yield order[start : start + size]


def prepare_labelled(case: Case, channels: Sequence[str], scheme: LabelScheme, settings: Preprocessing) -> PreparedCase:
    """Preprocess a case and its labels for a model; raise `InputError` when it has none that can be read."""
    if case.labels is None and case.label_paths:  # what was wrong with them is the last thing that was noted
        raise InputError(f"{case.id} cannot be learned from: {case.notes[-1]}")
    if case.labels is None:
        raise InputError(f"{case.id} has no labels to learn from. Add them or leave the case out.")
    images, box = prepare(case, channels, settings)
    labels = case.labels.scheme.convert(np.asarray(case.labels.volume.data[box], np.uint8), scheme)
    return PreparedCase(case.id, images.astype(np.float16), np.ascontiguousarray(labels))


def read_labelled(
    folder: Path, case_ids: Sequence[str], prepared: Callable[[Case], PreparedCase]
) -> Generator[Progress, None, list[PreparedCase]]:
    """Read and prepare the cases with these ids from a folder; raise `TrainingError` naming absent ones."""
    files: dict[str, CaseFiles] = {found.id: found for found in find_cases(folder)}
    absent = [c for c in case_ids if c not in files]
    if absent:
        raise TrainingError(f"{folder} lacks {len(absent)} cases of the split, {absent[0]} among them.")
    cases = []
    for index, case_id in enumerate(case_ids):
        yield Progress(index, len(case_ids), f"reading {case_id}")
        cases.append(prepared(read_case(files[case_id])))
    return cases


def fitted(array: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    """Crop or zero-pad the last two axes to `size` about the middle."""
    for axis, target in zip((-2, -1), size, strict=True):
        current = array.shape[axis]
        if current > target:
            start = (current - target) // 2
            array = array.take(range(start, start + target), axis)
        elif current < target:
            before = (target - current) // 2
            pads = [(0, 0)] * array.ndim
            pads[axis] = (before, target - current - before)
            array = np.pad(array, pads)
    return array


def slice_set(cases: Sequence[PreparedCase], size: tuple[int, int]) -> SliceSet:
    """Stack the slices of cases to one size (H, W), leaving out slices without any image."""
    images, labels, ids = [], [], []
    for case in cases:
        seen = (case.images != 0).any(axis=(0, 2, 3))
        images.append(torch.from_numpy(fitted(case.images[:, seen], size).swapaxes(0, 1).copy()))
        labels.append(torch.from_numpy(fitted(case.labels[seen], size).copy()))
        ids.extend([case.id] * int(seen.sum()))
    return SliceSet(torch.cat(images), torch.cat(labels), tuple(ids))
