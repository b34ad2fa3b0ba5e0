"""`LabelEditor`: notices what changed in the working labels, keeps the counts and enforces locked classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.annotation.edits import Edit, flat_indices
from napari_brainseg.annotation.volumes import label_counts
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.labels import LabelArray, LabelScheme

FOREIGN = 255
"""What a value that uint8 cannot hold becomes; no scheme has such a class."""


@dataclass(frozen=True, eq=False)
class Absorbed:
    """What `LabelEditor.absorb` found.

    Attributes:
        edit: The change that was let through, or None.
        refused: How many voxels were put back because their class, before or after, is locked.
    """

    edit: Edit | None
    refused: int = 0


@dataclass(frozen=True)
class ForeignValues:
    """Values that no class of the scheme has, found in the working labels.

    Attributes:
        voxels: How many voxels hold each of them.
        slice: The slice along Z, from 0, that the latest change put them in.
    """

    voxels: dict[int, int]
    slice: int


def as_label_array(data: NDArray[np.integer]) -> LabelArray:
    """Return whole numbers as C-ordered uint8; what uint8 cannot hold becomes `FOREIGN`. uint8 is not copied."""
    if data.dtype != np.uint8:
        data = np.where((data < 0) | (data > FOREIGN), FOREIGN, data).astype(np.uint8)
    return np.ascontiguousarray(data)


def changed_voxels(data: LabelArray, shadow: LabelArray) -> NDArray[np.intp]:
    """Return the flat positions at which two C-ordered uint8 arrays of one shape differ.

    Eight voxels are compared at a time, which takes about a millisecond for 240 x 240 x 155.
    """
    flat, old = data.reshape(-1), shadow.reshape(-1)
    whole = flat.size // 8 * 8
    words = np.flatnonzero(flat[:whole].view(np.uint64) != old[:whole].view(np.uint64))
    candidates = (words[:, np.newaxis] * 8 + np.arange(8)).reshape(-1)
    candidates = np.concatenate([candidates, np.arange(whole, flat.size)])
    return np.asarray(candidates[flat[candidates] != old[candidates]], np.intp)


class LabelEditor:
    """A uint8 copy of the working labels, by which every change of them becomes an `Edit`.

    Args:
        labels: Whole numbers (Z, Y, X); copied.
        scheme: What the values mean.
    """

    def __init__(self, labels: NDArray[np.integer], scheme: LabelScheme) -> None:
        self.scheme = scheme
        self._shadow = as_label_array(labels).copy()
        self._counts = label_counts(self._shadow)
        self._locked: frozenset[int] = frozenset()

    @property
    def labels(self) -> LabelArray:
        """The labels as they were last seen, uint8 (Z, Y, X); a read-only view."""
        view = self._shadow.view()
        view.flags.writeable = False
        return view

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many voxels hold each value, 0 to 255; kept up to date from edits."""
        return self._counts.copy()

    @property
    def foreign(self) -> dict[int, int]:
        """How many voxels hold each value that no class of the scheme has."""
        start = len(self.scheme.classes) + 1
        return {int(v) + start: int(self._counts[v + start]) for v in np.flatnonzero(self._counts[start:])}

    def foreign_slice(self) -> int | None:
        """Return the first slice along Z that holds a value outside the scheme, or None."""
        if not self.foreign:
            return None
        return int(np.flatnonzero((self._shadow > len(self.scheme.classes)).any(axis=(1, 2)))[0])

    @property
    def locked(self) -> frozenset[int]:
        """Classes whose voxels can neither be painted nor painted over."""
        return self._locked

    @locked.setter
    def locked(self, values: Iterable[int]) -> None:
        self._locked = frozenset(values)

    def absorb(self, data: NDArray[np.integer], source: str) -> Absorbed:
        """Compare `data` with the copy and take the change over; voxels of locked classes are put back in `data`.

        Args:
            data: The working labels as they are now, of the same shape; written to only where a lock was broken. Where
                they cannot be written, they must be given again as a copy that can.
            source: What made the change.
        """
        seen = as_label_array(data)
        indices = changed_voxels(seen, self._shadow)
        if not indices.size:
            return Absorbed(None)
        before, after = self._shadow.reshape(-1)[indices], seen.reshape(-1)[indices]
        refused = self._touches_lock(before) | self._touches_lock(after)
        if refused.any():
            if data.flags.writeable:
                data.flat[indices[refused]] = before[refused]
            indices, before, after = indices[~refused], before[~refused], after[~refused]
        edit = self._take_over(indices, before, after, source)
        return Absorbed(edit, int(refused.sum()))

    def write(self, data: NDArray[np.integer], edit: Edit) -> None:
        """Make `edit` in `data` and in the copy; for undo, redo and other edits that are known to be allowed."""
        data.flat[edit.indices.astype(np.intp)] = edit.after
        self._remember(edit)

    def change_to(self, labels: LabelArray, source: str) -> Absorbed:
        """Return the edit that turns the copy into `labels` as far as locks allow, without making it.

        Raises:
            LabelError: `labels` has another shape or holds values outside the scheme.
        """
        if labels.shape != self._shadow.shape:
            raise LabelError(
                f"Labels of {_size(labels.shape)} voxels do not fit the open case of {_size(self._shadow.shape)}."
            )
        if labels.max(initial=0) > len(self.scheme.classes):
            self.scheme.refuse_foreign(labels)
        wanted = as_label_array(labels)
        indices = changed_voxels(wanted, self._shadow)
        return self.change_at(indices, wanted.reshape(-1)[indices], source)

    def change_at(self, indices: NDArray[np.integer], values: NDArray[np.integer], source: str) -> Absorbed:
        """Return the edit that gives the voxels at flat `indices` (each once) their `values`, as far as locks allow."""
        indices = indices.astype(np.intp)
        before, after = self._shadow.reshape(-1)[indices], np.asarray(values, np.uint8)
        refused = (self._touches_lock(before) | self._touches_lock(after)) & (before != after)
        kept = (before != after) & ~refused
        if not kept.any():
            return Absorbed(None, int(refused.sum()))
        edit = Edit(flat_indices(indices[kept], self._shape), before[kept], after[kept], source, self._shape)
        return Absorbed(edit, int(refused.sum()))

    def locked_in(self, edit: Edit) -> tuple[int, ...]:
        """Return the locked classes that `edit` would paint or paint over."""
        involved = np.union1d(edit.before, edit.after)
        return tuple(int(v) for v in involved if int(v) in self._locked)

    @property
    def _shape(self) -> tuple[int, int, int]:
        depth, rows, columns = self._shadow.shape
        return depth, rows, columns

    def _touches_lock(self, values: LabelArray) -> NDArray[np.bool_]:
        table = np.zeros(256, bool)
        table[list(self._locked)] = True
        return np.asarray(table[values])

    def _take_over(self, indices: NDArray[np.intp], before: LabelArray, after: LabelArray, source: str) -> Edit | None:
        if not indices.size:
            return None
        edit = Edit(flat_indices(indices, self._shape), before, after, source, self._shape)
        self._remember(edit)
        return edit

    def _remember(self, edit: Edit) -> None:
        self._shadow.reshape(-1)[edit.indices] = edit.after
        self._counts += np.bincount(edit.after, minlength=256) - np.bincount(edit.before, minlength=256)


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(str(n) for n in shape)
