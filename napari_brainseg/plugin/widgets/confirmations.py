"""`Confirmations`: what a person confirms of the open case, takes back and changes, and when that is saved."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer

from napari_brainseg.annotation.confirmed_labels import ConfirmedLabels
from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, along_axes, describe_slices
from napari_brainseg.annotation.edits import Edit
from napari_brainseg.annotation.person_changes import PROGRAM, changed_by_person, is_by_program
from napari_brainseg.annotation.prediction import Prediction, PredictionHistory
from napari_brainseg.annotation.run_ledger import Window
from napari_brainseg.annotation.work_time import WorkTime
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.plugin.widgets.confirmed_state import ConfirmedState, WorkingLabels

# A stroke on a confirmed slice is saved once the hand rests this long.
_REST_MS = 1000
_STEPPING = ("undo of", "redo of")
NONE_SEEN = "No slice was seen and left unchanged yet. Look at each for a moment, with the labels shown."


class Confirmations(ConfirmedState):
    """Confirms slices of one case, in whatever plane they are shown, and takes them back.

    The confirmed labels are kept apart from the working layer: a person's edits on a confirmed slice change them, a
    model's run does not.

    Attributes:
        clock: Seconds that never go back, by which the time of work is measured.
    """

    def __init__(self, viewer: Any, bridge: WorkingLabels, parent: QObject | None = None) -> None:
        super().__init__(viewer, bridge, parent)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self._make_correction)
        self._closed = False
        self.clock = time.monotonic
        self._where.changed.connect(self._on_shown_changed)
        bridge.edited.connect(self._on_edited)
        bridge.leaving.connect(self._on_leaving)

    def begin(self, case: Case, scheme: LabelScheme) -> None:
        """Start with a case of which nothing is confirmed."""
        self._forget()
        shape = case.geometry.shape
        self._case, self._kept = case, ConfirmedLabels(shape, scheme)
        self._changed = tuple(np.zeros(n, bool) for n in shape)
        self._content = along_axes(np.asarray(case.channels[case.grid_channel].data) != 0)
        self.seen.forget()
        self.changed.emit()

    def update_case(self, case: Case) -> None:
        """Go on with the same case after a channel was resampled, or its spacing or labels have changed."""
        self._case = case

    def restore(self, correction: Correction) -> None:
        """Take over what a project holds of the case; slices that were confirmed meanwhile stay as they are.

        The working labels are not touched; `keep_confirmed` puts what is confirmed into labels.

        Raises:
            LabelError: The present scheme cannot hold a class that was confirmed.
        """
        if self._kept is None or correction.is_empty:
            return
        meanwhile = bool(self._kept.slices)
        others = self._kept.restore(correction)
        seconds, strokes = self._earlier
        self._earlier = max(seconds, correction.seconds), max(strokes, correction.strokes)
        if self._predictions.now is None and correction.predicted is not None:
            self._predictions.now = Prediction(correction.predicted, correction.scheme, correction.model)
        if meanwhile:
            self._make_correction()
        self.changed.emit()
        if others:
            self.contradicted.emit(
                f"The project holds other labels of {describe_slices(others)}; what you confirmed now counts."
            )

    def end(self) -> None:
        """Let go of the case."""
        self._forget()
        self.changed.emit()

    def close(self) -> None:
        """Save what rests and disconnect from the viewer; harmless when repeated."""
        self.save_what_rests()
        if not self._closed:
            self._bridge.edited.disconnect(self._on_edited)
            self._bridge.leaving.disconnect(self._on_leaving)
        self._closed = True
        self._where.close()
        self.seen.stop()

    # -- confirming and taking back

    def confirm_slice(self) -> bool:
        """Confirm the slice shown; return whether it is, and say why where it is not."""
        shown = self.shown
        return self._confirm(() if shown is None else (shown,))

    def confirm_range(self, first: int, last: int) -> bool:
        """Confirm the slices `first` to `last` (included) of the plane shown."""
        return self._confirm(self._range(first, last))

    def confirm_seen(self) -> bool:
        """Confirm the slices of the plane shown that were seen and left unchanged."""
        slices = self.seen_unchanged()
        if self.shown is not None and not slices:
            self.said.emit(NONE_SEEN)
            return False
        return self._confirm(slices)

    def confirm_case(self) -> bool:
        """Confirm every slice of the plane shown, and with that the whole case."""
        return self._confirm(self._range(0, self.length - 1))

    def take_back(self) -> bool:
        """Take the confirmation of the slice shown back; return whether there was one."""
        shown = self.shown
        return self._take_back(() if shown is None else (shown,))

    def take_back_range(self, first: int, last: int) -> bool:
        """Take the slices `first` to `last` (included) of the plane shown back."""
        return self._take_back(self._range(first, last))

    def take_back_last(self) -> bool:
        """Take back what was confirmed at one go the last time."""
        return self._take_back(self.last)

    def take_back_case(self) -> bool:
        """Take back everything that is confirmed, in whatever plane."""
        if self._kept is None or not self._kept.mask.any():
            self.said.emit(self._why_not_shown() if self._kept is None else "Nothing is confirmed.")
            return False
        self._kept.take_back_all()
        self._after_change("Everything taken back")
        return True

    def go_to(self, index: int) -> None:
        """Show the slice `index` of the plane shown."""
        self._where.go_to(self.axis, index)

    # -- predictions, and labels on their way into the layer

    def set_prediction(
        self, labels: LabelArray, scheme: LabelScheme, model: str, slice: int | range | None = None
    ) -> None:
        """Remember what a model gave, in its own scheme, so that a correction knows what was changed.

        Args:
            labels: uint8 (Z, Y, X), program values of `scheme`.
            scheme: What they mean.
            model: Name and version of the model.
            slice: The only slice, or slices, along Z that were predicted; what is known of the others stays. None for
                all.
        """
        new = Prediction(labels.copy(), scheme, model)
        self._predictions.add(new if slice is None else new.at(slice))
        self.seen.forget()

    def forget_prediction(self) -> None:
        """The person goes on from labels that no model gave."""
        self._predictions.now = None
        self.seen.forget()

    def keep_confirmed(self, labels: LabelArray, scheme: LabelScheme, window: Window | None = None) -> LabelArray:
        """Return `labels` (Z, Y, X) of `scheme` with the confirmed voxels as they were confirmed.

        Args:
            labels: Those of the whole case, or of `window`.
            scheme: What they mean.
            window: Where they lie.

        Raises:
            LabelError: `scheme` cannot hold a class that was confirmed.
        """
        return labels if self._kept is None else self._kept.kept_in(labels, scheme, window)

    def save(self) -> None:
        """Offer the present state for saving, as after choosing another project."""
        if self._kept is not None and self._kept.mask.any():
            self._make_correction()

    def save_what_rests(self) -> None:
        """Offer a stroke on a confirmed slice for saving, if the hand has not rested for long enough yet."""
        if self._timer.isActive():
            self._make_correction()

    def forget_taken_back(self) -> None:
        """Let another project keep the slices that were taken back while this one was open."""
        if self._kept is not None:
            self._kept.taken_back = set()

    # -- inside

    def _forget(self) -> None:
        self.save_what_rests()
        self._case = self._kept = None
        self._changed = self._content = self._last = ()
        self._predictions = PredictionHistory()
        self._work, self._strokes, self._earlier = WorkTime(), 0, (0.0, 0)
        self.seen.forget()

    def _range(self, first: int, last: int) -> tuple[ConfirmedSlice, ...]:
        if self.shown is None:
            return ()
        ends = sorted((first, last))
        axis, inside = self.axis, range(max(0, ends[0]), min(ends[1] + 1, self.length))
        return tuple(ConfirmedSlice(axis, index) for index in inside)

    def _confirm(self, slices: Iterable[ConfirmedSlice]) -> bool:
        slices, layer, scheme = tuple(slices), self._bridge.layer, self._bridge.scheme
        if not slices or layer is None or scheme is None or self._kept is None:
            self.said.emit(self._why_not_shown())
            return False
        if len(slices) > 1 and self._bridge.filling:
            self.said.emit("A model is filling in the labels. Confirm several slices once it is done.")
            return False
        try:
            self._kept.confirm(slices, np.asarray(layer.data), scheme)
        except LabelError as error:
            self.said.emit(str(error))
            return False
        self._last = slices
        self._after_change(f"{describe_slices(slices).capitalize()} confirmed")
        return True

    def _take_back(self, slices: Iterable[ConfirmedSlice]) -> bool:
        slices = tuple(slices)
        if self._kept is None or (not slices and self.shown is None):
            self.said.emit(self._why_not_shown())
            return False
        gone = tuple(sorted(self._kept.slices & set(slices)))
        if not gone:
            self.said.emit(f"{describe_slices(slices).capitalize() or 'No slice'} was not confirmed.")
            return False
        self._kept.take_back(gone)
        self._after_change(f"{describe_slices(gone).capitalize()} taken back")
        return True

    def _why_not_shown(self) -> str:
        if self._bridge.layer is None or self._kept is None:
            return "There are no working labels yet. Segment the case, or start from labels, then confirm slices."
        return "No single slice of the labels is shown. Switch to the 2-D view of the case to confirm slices."

    def _after_change(self, what: str) -> None:
        self._act()
        self.changed.emit()
        self.said.emit(f"{what}: {self.count_text} confirmed.")
        self._make_correction()  # last: that it cannot be saved is what should be read

    def _make_correction(self) -> None:
        self._timer.stop()
        correction = self.correction()
        if correction is not None:
            self.correction_made.emit(self._case, correction)

    def _act(self) -> None:
        self._work.act(self.clock())

    def _on_shown_changed(self) -> None:
        if self._kept is not None:
            self._act()
            self.seen.look()
        self.shown_changed.emit()

    def _on_leaving(self) -> None:
        self.save_what_rests()
        self._predictions.forget_steps()

    def _on_edited(self, edit: Edit) -> None:
        if self._kept is None:
            return
        self._predictions.follow(edit.source)
        if not is_by_program(edit.source):
            self._act()
            self._mark_changed(edit)
        # Undoing or redoing a run is a person's act again: what is confirmed stays what the screen shows.
        by_person = not edit.source.startswith(PROGRAM)
        if by_person and self._bridge.scheme == self._kept.scheme and self._kept.follow(edit):
            self._timer.start()
        self.changed.emit()

    def _mark_changed(self, edit: Edit) -> None:
        """Note which slices a person changed; those of an undone stroke are the model's again."""
        if edit.source.startswith(_STEPPING) and self._kept is not None:
            mask = changed_by_person(self._bridge.history.steps, self._kept.mask.shape)
            self._changed = along_axes(mask)
            return
        self._strokes += 1
        for axis, touched in enumerate(self._changed):
            touched[edit.positions(axis)] = True
