"""`Edit` and `EditHistory`: one change of the working labels, and the steps that can be undone."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.cases.volume import Shape

Indices = NDArray[np.uint32] | NDArray[np.int64]

HISTORY_BYTES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class Edit:
    """One change of the working labels.

    Attributes:
        indices: The changed voxels, flat positions in the C-order array (Z, Y, X), each once.
        before: uint8 values before the change, one per voxel.
        after: uint8 values after it, one per voxel.
        source: What made the change, in words that fit after "undid": `brush`, `model run lgg 1.0`.
        shape: (Z, Y, X) of the labels.
    """

    indices: Indices
    before: LabelArray
    after: LabelArray
    source: str
    shape: Shape

    @property
    def voxels(self) -> int:
        """How many voxels changed."""
        return int(self.indices.size)

    @property
    def nbytes(self) -> int:
        """The memory that the edit holds, in bytes."""
        return self.indices.nbytes + self.before.nbytes + self.after.nbytes

    @property
    def slices(self) -> tuple[int, int]:
        """First and last changed slice along Z, both included."""
        along = self.positions(0)
        return int(along.min()), int(along.max())

    def positions(self, axis: int) -> NDArray[np.intp]:
        """Return the index along `axis` (0 = Z, 1 = Y, 2 = X) of every changed voxel."""
        _, rows, columns = self.shape
        flat = self.indices
        if axis == 0:
            return np.asarray(flat // (rows * columns), np.intp)
        if axis == 1:
            return np.asarray((flat // columns) % rows, np.intp)
        return np.asarray(flat % columns, np.intp)

    def busiest(self, axis: int) -> int:
        """Return the index along `axis` that holds most of the changed voxels."""
        return int(np.bincount(self.positions(axis)).argmax())

    def inverted(self, source: str) -> Edit:
        """Return the edit that takes this one back."""
        return replace(self, before=self.after, after=self.before, source=source)

    def where(self) -> str:
        """Return in words which slices changed, counted from 0 as in napari's slider."""
        first, last = self.slices
        return f"slice {first}" if first == last else f"slices {first} to {last}"


def flat_indices(indices: NDArray[np.integer], shape: Shape) -> Indices:
    """Return `indices` in the smallest type that can hold every voxel of `shape`."""
    small = np.prod(shape, dtype=np.int64) < 2**32
    return indices.astype(np.uint32) if small else indices.astype(np.int64)


def merge_edits(parts: Sequence[Edit], source: str) -> Edit | None:
    """Join successive edits into one step; None when together they changed nothing.

    Args:
        parts: Edits of the same labels, in the order in which they were made.
        source: What the whole step is called.
    """
    if not parts:
        return None
    if len(parts) == 1:
        return replace(parts[0], source=source)
    indices = np.concatenate([p.indices for p in parts])
    before = np.concatenate([p.before for p in parts])
    after = np.concatenate([p.after for p in parts])
    voxels, first = np.unique(indices, return_index=True)
    last = indices.size - 1 - np.unique(indices[::-1], return_index=True)[1]
    changed = before[first] != after[last]
    if not changed.any():
        return None
    return Edit(voxels[changed], before[first][changed], after[last][changed], source, parts[0].shape)


class EditHistory:
    """The steps that can be undone and redone, the oldest forgotten once they hold more than `limit_bytes`."""

    def __init__(self, limit_bytes: int = HISTORY_BYTES) -> None:
        self._limit = limit_bytes
        self._undo: deque[Edit] = deque()
        self._redo: deque[Edit] = deque()

    def __len__(self) -> int:
        return len(self._undo)

    @property
    def steps(self) -> tuple[Edit, ...]:
        """What was done and not undone, the oldest first, as far as it is remembered."""
        return tuple(self._undo)

    @property
    def nbytes(self) -> int:
        """The memory that all steps hold, in bytes."""
        return sum(e.nbytes for e in self._undo) + sum(e.nbytes for e in self._redo)

    @property
    def next_undo(self) -> Edit | None:
        """The step that `undo` would take back."""
        return self._undo[-1] if self._undo else None

    @property
    def next_redo(self) -> Edit | None:
        """The step that `redo` would make again."""
        return self._redo[-1] if self._redo else None

    def push(self, edit: Edit) -> None:
        """Add a step; what had been undone can no longer be redone."""
        self._redo.clear()
        self._undo.append(edit)
        held = self.nbytes
        while held > self._limit and len(self._undo) > 1:
            held -= self._undo.popleft().nbytes

    def undo(self) -> Edit | None:
        """Return the edit that takes the last step back, and move that step to the redo side."""
        if not self._undo:
            return None
        edit = self._undo.pop()
        self._redo.append(edit)
        return edit.inverted(f"undo of {edit.source}")

    def redo(self) -> Edit | None:
        """Return the step that was last undone, to be made again."""
        if not self._redo:
            return None
        edit = self._redo.pop()
        self._undo.append(edit)
        return replace(edit, source=f"redo of {edit.source}")

    def drop_unchanged(self) -> None:
        """Drop the voxels that a step leaves as they are, and the steps that change none."""
        for steps in (self._undo, self._redo):
            kept = [_without_unchanged(step) for step in steps]
            steps.clear()
            steps.extend(step for step in kept if step.voxels)

    def clear(self) -> None:
        """Forget every step."""
        self._undo.clear()
        self._redo.clear()


def _without_unchanged(step: Edit) -> Edit:
    changed = step.before != step.after
    if changed.all():
        return step
    return replace(step, indices=step.indices[changed], before=step.before[changed], after=step.after[changed])
