"""`EditingBridge`: the one gateway through which every change of the working labels layer becomes an `Edit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_brainseg.annotation.edits import Edit
from napari_brainseg.annotation.run_ledger import RunLedger, Window
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.plugin.widgets.edit_place import is_shown
from napari_brainseg.plugin.widgets.edited_labels import EditedLabels


def _as_it_is(labels: LabelArray) -> LabelArray:
    return labels


class EditingBridge(EditedLabels):
    """The working labels and their changes, also while a model run delivers into them."""

    @property
    def settled(self) -> LabelArray | None:
        """The labels without what a model run that is not over has delivered: what is worth saving."""
        labels = self.labels
        return labels if self._run is None else self._run.without

    @property
    def edited_in_run(self) -> bool:
        """Whether a person has changed the labels while a run was filling them in."""
        self.sync()
        return self._run is not None and self._run.touched

    def begin_run(self) -> None:
        """From now on what a person paints is kept from a model run, until `finish_run` or `take_back_run`."""
        self.sync()
        if self._editor is not None:
            self._run = RunLedger(self._editor)

    def deliver(self, parts: Sequence[tuple[Window, LabelArray]], source: str) -> int:
        """Show what a run says of windows (Z, Y, X), except where a person or a lock says otherwise.

        Args:
            parts: Windows and their labels, uint8 program values.
            source: What runs: `model run lgg 1.0`.

        Returns:
            How many voxels were left as they are because their class is locked.
        """
        self.sync()
        refused, edits = 0, list[Edit]()
        for window, labels in parts:
            if self._run is None:
                break
            answer = self._run.answer(window, labels, source)
            refused += answer.refused
            # At once, since the next window may overlap this one.
            edits += self._write_run(answer.edit)
        self._show_run(edits)
        return refused

    def finish_run(self, parts: Sequence[tuple[Window, LabelArray]], source: str) -> Edit | None:
        """Deliver a run's last word and make one step of all that it changed; return the step."""
        refused = self.deliver(parts, source)
        if refused:
            self._say_refused(refused)
        return self._end_run(source)

    def take_back_run(self, source: str, keep: Callable[[LabelArray], LabelArray] = _as_it_is) -> Edit | None:
        """Take back all that a run delivered, whatever is locked; what a person changed stays.

        Args:
            source: What is left of the run is called, as a step.
            keep: Returns the labels to go back to, from those without the run: with slices confirmed meanwhile.

        Returns:
            What is left of the run, as a step, or None.
        """
        self._pause_stroke()
        back = None if self._run is None else self._run.way_back(keep(self._run.without))
        self._show_run(self._write_run(back))
        return self._end_run(source)

    def _write_run(self, edit: Edit | None) -> list[Edit]:
        """Write what a run changes, which is no step and nothing to save before the run is over; return what was."""
        if edit is None or self._layer is None or self._editor is None:
            return []
        self._editor.write(self._layer.data, edit)
        return [edit]

    def _show_run(self, edits: Sequence[Edit]) -> None:
        if any(is_shown(self._viewer, self._layer, edit) for edit in edits):
            self._refresh()
        for edit in edits:
            self.changed.emit(edit)

    def _end_run(self, source: str) -> Edit | None:
        self._pause_stroke()
        run, self._run = self._run, None
        step = None if run is None else run.difference(source)
        self.history.drop_unchanged()
        if step is not None:
            self._revision += 1
            self._set_dirty(True)
            self._finish(step, step.source)
        self.history_changed.emit()
        return step

    def _pause_stroke(self) -> None:
        """Make a step of a stroke so far; what is drawn of it from now on becomes another."""
        if self._stroke is not None:
            self.end_stroke()
            self._stroke = []
