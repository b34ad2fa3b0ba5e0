"""Corrected cases as a network sees them: images, labels where they are confirmed, and the pieces to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brainseg.annotation.corrections import Correction, Mask
from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.inference.pixel_size import Zoom, zoom_for
from napari_brainseg.inference.windows import Window, plan_windows
from napari_brainseg.model_store.preprocessing import Box, prepare, stacked
from napari_brainseg.model_store.store import ModelRecord


@dataclass(frozen=True, eq=False)
class CorrectedCase:
    """A case, prepared and cropped as its model wants it.

    Attributes:
        id: The case.
        images: float32 (C, z, y, x).
        labels: uint8 (z, y, x) in the model's scheme; 0 wherever nothing is confirmed.
        confirmed: bool (z, y, x).
        source: The case it was prepared from.
        box: Where in the case's grid it lies.
        axis: The axis along which the largest share of the slices is wholly confirmed; the first of equals.
    """

    id: str
    images: NDArray[np.float32]
    labels: LabelArray
    confirmed: Mask
    source: Case
    box: Box
    axis: int = 0


@dataclass(frozen=True, eq=False)
class Piece:
    """One slice (for a 2-D model) or window of a case that holds confirmed voxels."""

    case: CorrectedCase
    window: Window


def prepare_corrected(case: Case, correction: Correction, record: ModelRecord) -> CorrectedCase:
    """Prepare a corrected case for a model; labels of voxels that nobody confirmed are dropped here, unread.

    Raises:
        InputError: The case lacks every channel of the model, or the correction has another shape than the case.
        LabelError: The model's scheme cannot hold a confirmed class.
    """
    if correction.labels.shape != case.geometry.shape:
        raise InputError(
            f"The correction of {case.id} has the shape {correction.labels.shape}, the case {case.geometry.shape}. "
            "The case has changed since; put its old files back."
        )
    images, box = prepare(case, record.channels, record.preprocessing)
    confirmed = correction.confirmed[box]
    labels = np.where(confirmed, correction.labels[box], np.uint8(0)).astype(np.uint8)
    labels = correction.scheme.convert(labels, record.scheme)
    whole = [correction.confirmed.all(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]
    # By share: a case that is confirmed throughout was confirmed slice by slice, not in its longest direction.
    axis = max(range(3), key=lambda axis: float(whole[axis].mean()))
    return CorrectedCase(case.id, images, labels, confirmed, case, box, axis)


def pieces_of(case: CorrectedCase, record: ModelRecord) -> list[Piece]:
    """Return the slices, or for a 3-D model the overlapping windows, that hold confirmed voxels and any image."""
    depth, height, width = case.confirmed.shape
    if record.spatial_dims == 2:
        windows: list[Window] = [(slice(z, z + 1), slice(0, height), slice(0, width)) for z in range(depth)]
    else:
        windows = plan_windows(case.confirmed.shape, record.window or case.confirmed.shape)
    return [Piece(case, w) for w in windows if case.confirmed[w].any() and case.images[(slice(None), *w)].any()]


class DrawnPieces:
    """Draws pieces in random order, each once before any comes again."""

    def __init__(self, pieces: Sequence[Piece], chance: torch.Generator) -> None:
        self._pieces, self._chance = pieces, chance
        self._waiting: list[int] = []

    def draw(self, count: int) -> list[Piece]:
        """Return the next pieces."""
        while len(self._waiting) < count:
            self._waiting += torch.randperm(len(self._pieces), generator=self._chance).tolist()
        drawn, self._waiting = self._waiting[:count], self._waiting[count:]
        return [self._pieces[i] for i in drawn]


def by_zoom(pieces: Sequence[Piece], record: ModelRecord) -> list[tuple[Zoom, list[Piece]]]:
    """Return pieces in groups that a model sees as much enlarged, see `pixel_size`; those of one spacing are one."""
    groups: dict[Zoom, list[Piece]] = {}
    for piece in pieces:
        grid = piece.case.source.geometry
        groups.setdefault(zoom_for(record, grid.spacing, grid.shape), []).append(piece)
    return list(groups.items())


def batch_of(pieces: Sequence[Piece], record: ModelRecord) -> tuple[Tensor, Tensor, Tensor]:
    """Return images (N, C, *spatial), labels and confirmed mask (N, *spatial), zero-padded at the far ends."""
    size = [max(p.window[a].stop - p.window[a].start for p in pieces) for a in range(3)]
    if record.spatial_dims == 3 and record.window is not None:
        size = list(record.window)
    parts = []
    for piece in pieces:
        case, window = piece.case, piece.window
        pads = [(0, extent - (s.stop - s.start)) for extent, s in zip(size, window, strict=True)]
        if record.spatial_dims == 2:
            flat = stacked(case.images, [window[0].start], record.preprocessing.neighbours)[0]
            content = flat[:, None, window[1], window[2]]
        else:
            content = case.images[(slice(None), *window)]
        images = np.pad(content, [(0, 0), *pads])
        parts.append((images, np.pad(case.labels[window], pads), np.pad(case.confirmed[window], pads)))
    tensors = [torch.from_numpy(np.stack(group)) for group in zip(*parts, strict=True)]
    if record.spatial_dims == 2:
        return tensors[0][:, :, 0], tensors[1][:, 0], tensors[2][:, 0]
    return tensors[0], tensors[1], tensors[2]
