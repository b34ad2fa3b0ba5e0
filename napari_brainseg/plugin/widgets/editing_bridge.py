"""`EditingBridge`: the one gateway through which every change of the working labels layer becomes an `Edit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_brainseg.annotation.editing import Absorbed, LabelEditor
from napari_brainseg.annotation.edits import Edit, EditHistory, merge_edits
from napari_brainseg.annotation.run_ledger import RunLedger, Window
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.volume import Spacing
from napari_brainseg.plugin.widgets.edit_place import is_shown, show_edit
from napari_brainseg.plugin.widgets.held_labels import HeldLabels
from napari_brainseg.plugin.widgets.label_guard import LabelGuard
from napari_brainseg.plugin.widgets.layer_watch import OUTSIDE, LayerWatch
from napari_brainseg.plugin.widgets.working_data import integers, make_editable


def _as_it_is(labels: LabelArray) -> LabelArray:
    return labels


class EditingBridge(HeldLabels):
    """Hold the working layer, and tell of its changes whoever made them.

    Attributes:
        changed: A change as it happens, also in the middle of a stroke (`Edit`).
        edited: A whole step: a stroke, a run, an undo (`Edit`).
        history_changed: Undo or redo became another.
        working_changed: Another layer is the working one, or None is.
        leaving: The working layer is about to be let go; its labels can still be read here.
    """

    changed = Signal(object)
    edited = Signal(object)
    history_changed = Signal()
    working_changed = Signal(object)
    leaving = Signal()

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(viewer, parent)
        self.history = EditHistory()
        self._watch: LayerWatch | None = None
        self._guard: LabelGuard | None = None
        self._stroke: list[Edit] | None = None
        self._busy = False
        # napari must not be given other data while it is telling of a change, so that waits for the event loop.
        self._tidy = QTimer(self)
        self._tidy.setSingleShot(True)
        self._tidy.timeout.connect(self._on_tidy)
        viewer.layers.events.removed.connect(self._on_layer_removed)
        viewer.layers.selection.events.active.connect(self._on_active_changed)

    # -- the working layer

    @property
    def labels(self) -> LabelArray | None:
        """The working labels, read-only uint8 (Z, Y, X), after looking for changes that nothing has told of.

        They follow later changes: what goes to a thread or is kept must be a copy.
        """
        self.sync()
        return None if self._editor is None else self._editor.labels

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

    def attach(self, layer: Labels, scheme: LabelScheme, spacing: Spacing | None = None) -> None:
        """Make `layer` the working one; the history of an earlier one is forgotten.

        Args:
            layer: A three-dimensional labels layer (Z, Y, X) of the viewer.
            scheme: What its values mean.
            spacing: mm along (Z, Y, X), or None where unknown.
        """
        self._let_go()
        self._layer, self._spacing = layer, spacing
        make_editable(layer)
        self._editor = LabelEditor(layer.data, scheme)
        layer.n_edit_dimensions = 2
        self._guard = LabelGuard(layer, len(scheme.classes), self.refuse_class)
        self._watch = watch = LayerWatch(layer, self)
        watch.touched.connect(self.sync)
        watch.replaced.connect(self._on_replaced)
        watch.stroke_began.connect(self.begin_stroke)
        watch.stroke_ended.connect(self._on_stroke_ended)
        self.working_changed.emit(layer)
        self.history_changed.emit()
        self._tell_of_foreign(0)

    def detach(self) -> None:
        """Let the working layer go and leave it as it is, with nothing of ours connected."""
        if self._layer is not None:
            self._let_go()
            self.working_changed.emit(None)
            self.history_changed.emit()

    def close(self) -> None:
        """Detach and disconnect from the viewer."""
        self.detach()
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self._viewer.layers.selection.events.active.disconnect(self._on_active_changed)

    # -- changes

    def sync(self, source: str = OUTSIDE) -> None:
        """Compare the layer with what is known of it, and take over what has changed."""
        layer, editor = self._layer, self._editor
        if layer is None or editor is None or self._busy or layer.data.shape != editor.labels.shape:
            return
        absorbed = editor.absorb(integers(layer.data), source)
        if absorbed.refused:
            self._refresh()
            self._say_refused(absorbed.refused)
        if absorbed.edit is not None:
            self._take(absorbed.edit)

    def apply(self, change: LabelArray | Edit, source: str) -> Edit | None:
        """Make a programme's change as one step: whole labels, or an edit. Locked classes stay as they are.

        Args:
            change: uint8 labels of the working shape in program values, or an `Edit` of the working labels.
            source: What makes the change, in words that fit after "undid": `model run lgg 1.0`.

        Returns:
            The step that was made, or None when nothing changed.

        Raises:
            LabelError: The labels do not fit, or hold values outside the scheme.
        """
        if self._editor is None:
            return None
        self.end_stroke()
        self.sync()
        if isinstance(change, Edit):
            absorbed = self._editor.change_at(change.indices, change.after, source)
        else:
            absorbed = self._editor.change_to(change, source)
        return self._make(absorbed)

    def paint(self, indices: NDArray[np.integer], values: NDArray[np.integer], source: str) -> Edit | None:
        """Give voxels their values as part of the running stroke, or as a step of its own where none is running.

        Args:
            indices: Flat positions in the C-order labels, each once.
            values: One program value per voxel.
            source: What makes the change.
        """
        if self._editor is None:
            return None
        return self._make(self._editor.change_at(indices, values, source))

    def begin_stroke(self) -> None:
        """Gather the changes from now on into one step."""
        self.end_stroke()
        self.sync()
        self._stroke = []

    def end_stroke(self, source: str | None = None) -> None:
        """Make one step of the changes since `begin_stroke`; harmless when there was none."""
        if self._stroke is None:
            return
        self.sync(source or (self._stroke[-1].source if self._stroke else OUTSIDE))
        parts, self._stroke = self._stroke, None
        step = merge_edits(parts, source or parts[-1].source) if parts else None
        if step is not None:
            self._finish(step)

    def undo(self) -> Edit | None:
        """Take the last step back, go to the slice that changes and say what was undone."""
        self.end_stroke()
        self.sync()
        return self._step_back(self.history.next_undo, "undo")

    def redo(self) -> Edit | None:
        """Make the step that was last undone again, go to its slice and say so."""
        self.end_stroke()
        self.sync()
        return self._step_back(self.history.next_redo, "redo")

    # -- a model run that delivers while a person edits

    def begin_run(self) -> None:
        """From now on what a person changes is kept from a model run, until `finish_run` or `take_back_run`."""
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
            self._finish(step)
        self.history_changed.emit()
        return step

    def _pause_stroke(self) -> None:
        """Make a step of a stroke so far; what is drawn of it from now on becomes another."""
        if self._stroke is not None:
            self.end_stroke()
            self._stroke = []

    # -- locks

    def set_locked(self, values: Iterable[int]) -> None:
        """Lock these classes and no others: nothing paints them or paints over them."""
        if self._editor is not None:
            self.sync()
            self._editor.locked = frozenset(values)

    # -- inside

    def _let_go(self) -> None:
        if self._layer is None:
            return
        self.end_stroke()
        self.sync()
        self.leaving.emit()
        self._tidy.stop()
        if self._watch is not None:
            self._watch.close()
            self._watch.deleteLater()
        if self._guard is not None:
            self._guard.close()
        self._layer = self._editor = self._watch = self._guard = self._spacing = self._run = None
        self.history.clear()
        self._set_dirty(False)

    def _step_back(self, step: Edit | None, what: str) -> Edit | None:
        if step is None or self._editor is None:
            self._say(f"Nothing to {what}.")
            return None
        locked = self._editor.locked_in(step)
        if locked:
            names = ", ".join(self._editor.scheme.class_of(v).name for v in locked)
            self._say(f"Unlock {names} to {what} {step.source}.")
            return None
        change = self.history.undo() if what == "undo" else self.history.redo()
        edit = change if self._run is None or change is None else self._run.step(step, change, what)
        if edit is not None:
            self._write(edit)
            show_edit(self._viewer, self._layer, edit)
            self._changed(edit)
            self.edited.emit(edit)
        self.history_changed.emit()
        self._say(f"{'Undid' if what == 'undo' else 'Made again'}: {step.source}, {step.where()}.")
        return edit

    def _make(self, change: Absorbed) -> Edit | None:
        if change.refused:
            self._say_refused(change.refused)
        if change.edit is not None:
            self._write(change.edit)
            self._take(change.edit)
        return change.edit

    def _write(self, edit: Edit) -> None:
        if self._layer is None or self._editor is None:
            return
        self._editor.write(self._layer.data, edit)
        self._refresh()

    def _refresh(self) -> None:
        if self._layer is None:
            return
        self._busy = True
        try:
            self._layer.refresh(extent=False)
        finally:
            self._busy = False

    def _take(self, edit: Edit) -> None:
        if self._run is not None:
            self._run.touch(edit)
        self._changed(edit)
        if self._stroke is None:
            self._finish(edit)
        else:
            self._stroke.append(edit)

    def _changed(self, edit: Edit) -> None:
        self._revision += 1
        self._set_dirty(True)
        self.changed.emit(edit)
        if self._editor is not None and edit.after.max() > len(self._editor.scheme.classes):
            self._tell_of_foreign(edit.busiest(0))

    def _finish(self, step: Edit) -> None:
        self.history.push(step if self._run is None else self._run.keep(step))
        self.edited.emit(step)
        self.history_changed.emit()

    def _on_stroke_ended(self, tool: str) -> None:
        self.end_stroke(tool)

    def _on_replaced(self) -> None:
        self.sync("replaced data")
        self._tidy.start(0)

    def _on_tidy(self) -> None:
        """Bring data that somebody put in the layer into the one form that is edited."""
        layer, editor = self._layer, self._editor
        if layer is None or editor is None:
            return
        if layer.data.shape != editor.labels.shape:
            layer.data = editor.labels.copy()
            self._say(f"{layer.name} was given data of another shape; its labels have been put back.")
        else:
            make_editable(layer)

    def _on_layer_removed(self, event: Any) -> None:
        if self._layer is not None and event.value is self._layer:
            self.detach()

    def _on_active_changed(self) -> None:
        # A stroke whose layer is no longer the active one never hears of the button's release.
        if self._stroke is not None and self._viewer.layers.selection.active is not self._layer:
            self.end_stroke()
