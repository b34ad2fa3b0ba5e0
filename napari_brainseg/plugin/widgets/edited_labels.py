"""`EditedLabels`: turns every change of the working layer, whoever makes it, into an `Edit`; undo and redo."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_brainseg.annotation.editing import Absorbed, LabelEditor
from napari_brainseg.annotation.edits import Edit, EditHistory, merge_edits
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.volume import Spacing
from napari_brainseg.plugin.widgets.asked_voxels import AskedVoxels
from napari_brainseg.plugin.widgets.edit_place import show_edit
from napari_brainseg.plugin.widgets.held_labels import HeldLabels
from napari_brainseg.plugin.widgets.label_guard import LabelGuard
from napari_brainseg.plugin.widgets.layer_watch import OUTSIDE, LayerWatch
from napari_brainseg.plugin.widgets.working_data import integers, make_editable


class EditedLabels(HeldLabels):
    """Hold the working layer, and tell of its changes whoever made them; `EditingBridge` adds model runs.

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
        self._asked: AskedVoxels | None = None
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
        self._asked = asked = AskedVoxels(layer, self._viewer.dims, lambda: self.filling, self)
        asked.asked.connect(self.hold)
        asked.painted.connect(lambda: self.end_hold(watch.tool))
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

    def hold(self, indices: NDArray[np.integer]) -> None:
        """Keep voxels from a model run that fills in, because a person paints over them with the value they have.

        Args:
            indices: Flat positions in the C-order labels, each once.
        """
        if self._run is not None:
            self.sync()
            self._run.hold(indices)

    def end_hold(self, source: str) -> None:
        """Make a step of voxels that were held; a stroke that goes on has them in its own."""
        if self._run is not None and self._run.holding and self._stroke is None:
            self._finish(None, source)

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
        source = source or (parts[-1].source if parts else OUTSIDE)
        self._finish(merge_edits(parts, source) if parts else None, source)

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
        if self._asked is not None:
            self._asked.close()
            self._asked.deleteLater()
        if self._guard is not None:
            self._guard.close()
        self._layer = self._editor = self._watch = self._guard = self._asked = self._spacing = self._run = None
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
        if change is not None:
            self.kept.emit(change)
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
            self._finish(edit, edit.source)
        else:
            self._stroke.append(edit)

    def _changed(self, edit: Edit) -> None:
        self._revision += 1
        self._set_dirty(True)
        self.changed.emit(edit)
        if self._editor is not None and edit.after.max() > len(self._editor.scheme.classes):
            self._tell_of_foreign(edit.busiest(0))

    def _finish(self, step: Edit | None, source: str) -> None:
        """Remember a step; None for one that went over voxels without changing them on screen."""
        kept = step if self._run is None else self._run.keep(step, source)
        if kept is None:
            return
        self.history.push(kept)
        if step is None and (kept.before != kept.after).any():
            self._revision += 1
            self._set_dirty(True)
        self.kept.emit(kept)
        if step is not None:
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
