"""`RunLedger`: keeps what a model run delivers into labels apart from what a person does to them meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.annotation.editing import Absorbed, LabelEditor, changed_voxels
from napari_brainseg.annotation.edits import Edit, Indices, flat_indices
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.cases.volume import Shape

Window = tuple[slice, slice, slice]

# What the model has not answered yet; no scheme has such a class.
_UNANSWERED = 255


class RunLedger:
    """Two sets of labels while a run goes on: those on screen, and those without the run, as if it had never begun.

    A voxel that a person changes after the run began, or paints over with the value that it has already, is the
    person's: the model's answer for it is noted, not shown.
    The steps that can be undone are kept in terms of the labels without the run, so that it can be taken back whole.

    Args:
        editor: The labels on screen when the run begins; it makes the edits, which others write, and knows the locks.
    """

    def __init__(self, editor: LabelEditor) -> None:
        self._editor = editor
        self._without = editor.labels.copy()
        self._mine = np.zeros(self._without.shape, bool)
        self._answers = np.full(self._without.shape, _UNANSWERED, np.uint8)
        self._acts: list[tuple[Edit, str]] = []
        self._held: list[Indices] = []

    @property
    def without(self) -> LabelArray:
        """The labels without the run, read-only uint8 (Z, Y, X)."""
        view = self._without.view()
        view.flags.writeable = False
        return view

    @property
    def touched(self) -> bool:
        """Whether a person has changed anything since the run began."""
        return bool(self._mine.any())

    def answer(self, window: Window, answers: LabelArray, source: str) -> Absorbed:
        """Note the model's answers, uint8 (z, y, x) of a window; return what they change, as far as locks allow."""
        self._answers[window] = answers
        shown = self._editor.labels[window]
        wanted = (answers != shown) & ~self._mine[window]
        shape = self._mine.shape
        corner = [window[axis].indices(shape[axis])[0] for axis in range(len(shape))]
        places = tuple(along + start for along, start in zip(np.nonzero(wanted), corner, strict=True))
        return self._editor.change_at(np.ravel_multi_index(places, shape), answers[wanted], source)

    def touch(self, edit: Edit) -> None:
        """Leave the voxels of an edit, which may be part of a stroke, to the person."""
        self._mine.reshape(-1)[edit.indices] = True

    def hold(self, indices: NDArray[np.integer]) -> None:
        """Leave voxels to the person who paints over them, now as the value that they have; the next step has them."""
        held = flat_indices(indices, self._shape)
        self._mine.reshape(-1)[held] = True
        self._held.append(held)

    @property
    def holding(self) -> bool:
        """Whether voxels are held that no step has yet."""
        return any(held.size for held in self._held)

    def keep(self, step: Edit | None, source: str) -> Edit | None:
        """Return a person's whole step in terms of the labels without the run, for the history.

        Args:
            step: What it changed on screen, or None where it only went over voxels that have the value already.
            source: What made it.
        """
        indices = _all_of([*([] if step is None else [step.indices]), *self._held], self._shape)
        self._held = []
        if not indices.size:
            return None
        flat = self._without.reshape(-1)
        after = self._editor.labels.reshape(-1)[indices]
        kept = Edit(indices, flat[indices], after, source, self._shape)
        flat[indices] = after
        self._acts.append((kept, "made"))
        return kept

    def step(self, step: Edit, change: Edit, what: str) -> Edit | None:
        """Undo or redo a step of the history; return what that changes on screen, or None.

        Where the person's last act is taken back by this, the voxels are the model's again.

        Args:
            step: As the history holds it.
            change: What undoing or redoing it does to the labels without the run.
            what: `undo` or `redo`.
        """
        self._without.reshape(-1)[change.indices] = change.after
        mine, last = self._mine.reshape(-1), self._acts[-1] if self._acts else None
        takes_back, does = ("made", "undone") if what == "undo" else ("undone", "made")
        if last is not None and last[0] is step and last[1] == takes_back:
            self._acts.pop()
            mine[step.indices] = False
            for other, _ in self._acts:
                mine[other.indices] = True
        else:
            self._acts.append((step, does))
            mine[step.indices] = True
        answers = self._answers.reshape(-1)[change.indices]
        own = mine[change.indices] | (answers == _UNANSWERED)
        return self._editor.change_at(change.indices, np.where(own, change.after, answers), change.source).edit

    def way_back(self, labels: LabelArray) -> Edit | None:
        """Return the edit from what is on screen to `labels`, uint8 (Z, Y, X); locks keep nothing of a run."""
        return self._edit(self._editor.labels, labels, "taking the run back")

    def difference(self, source: str) -> Edit | None:
        """Return the step from the labels without the run to those on screen, or None where they are the same."""
        return self._edit(self._without, self._editor.labels, source)

    def _edit(self, before: LabelArray, after: LabelArray, source: str) -> Edit | None:
        indices = changed_voxels(after, before)
        if not indices.size:
            return None
        values = before.reshape(-1)[indices], after.reshape(-1)[indices]
        return Edit(flat_indices(indices, self._shape), *values, source, self._shape)

    @property
    def _shape(self) -> Shape:
        depth, rows, columns = self._without.shape
        return depth, rows, columns


def _all_of(parts: Sequence[Indices], shape: Shape) -> Indices:
    if len(parts) == 1:
        return parts[0]
    return flat_indices(np.unique(np.concatenate(parts)), shape) if parts else flat_indices(np.zeros(0, int), shape)
