"""`Confirmations`: which slices of the open case a person has confirmed, and what is true there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, Mask, mask_of, plane
from napari_brainseg.annotation.edits import Edit
from napari_brainseg.annotation.prediction import Prediction
from napari_brainseg.annotation.run_ledger import Window
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme

# A stroke on a confirmed slice is saved once the hand rests this long.
_REST_MS = 1000
# How the sources of a program's edits begin: they make no truth and count as no changes by a person.
PROGRAM = ("model run", "start from")


class WorkingLabels(Protocol):
    """What is needed of the editing bridge."""

    edited: Any
    leaving: Any

    @property
    def layer(self) -> Any:
        """The working layer."""

    @property
    def scheme(self) -> LabelScheme | None:
        """What its values mean."""


class Confirmations(QObject):
    """The confirmed slices of one case, in whatever plane they were shown.

    The confirmed labels are kept apart from the working layer: a person's edits on a confirmed slice change them, a
    model's run does not.

    Signals:
        changed(): Slices were confirmed or taken back, or a person changed slices.
        shown_changed(): Another slice or plane is shown.
        said(str): What happened, in words.
        correction_made(object, object): The case and its `Correction`, to be saved.
    """

    changed = Signal()
    shown_changed = Signal()
    said = Signal(str)
    correction_made = Signal(object, object)

    def __init__(self, viewer: Any, bridge: WorkingLabels, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._bridge = viewer, bridge
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self._make_correction)
        self._case: Case | None = None
        self._scheme: LabelScheme | None = None
        self._truth: LabelArray | None = None
        self._mask: Mask | None = None
        self._changed: tuple[Mask, ...] = ()
        self._content: tuple[Mask, ...] = ()
        self._slices: set[ConfirmedSlice] = set()
        self._taken_back: set[ConfirmedSlice] = set()
        self._prediction: Prediction | None = None
        bridge.edited.connect(self._on_edited)
        bridge.leaving.connect(self.save_what_rests)
        self._dims_events: tuple[Any, ...] = (
            viewer.dims.events.point,
            viewer.dims.events.order,
            viewer.dims.events.ndisplay,
        )
        self._tell_shown: Callable[[Any], None] = lambda _event: self.shown_changed.emit()
        for event in self._dims_events:
            event.connect(self._tell_shown)

    def begin(self, case: Case, scheme: LabelScheme) -> None:
        """Start with a case of which nothing is confirmed."""
        self._forget()
        self._case, self._scheme = case, scheme
        shape = case.geometry.shape
        self._truth = np.zeros(shape, np.uint8)
        self._mask = np.zeros(shape, bool)
        self._changed = tuple(np.zeros(n, bool) for n in shape)
        seen = np.asarray(case.channels[case.grid_channel].data) != 0
        self._content = tuple(seen.any(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3))
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
        if self._truth is None or self._mask is None or correction.is_empty:
            return
        if not self._slices:
            self._scheme = correction.scheme
        if self._taken_back:
            kept = mask_of(set(correction.slices) - self._taken_back, correction.confirmed.shape)
            correction = replace(correction, confirmed=correction.confirmed & kept)
        older = correction.confirmed & ~self._mask
        labels = np.where(older, correction.labels, np.uint8(0)).astype(np.uint8)
        self._truth = np.where(older, correction.scheme.convert(labels, self._current_scheme), self._truth)
        newer, self._mask = bool(self._slices), self._mask | older
        self._slices |= set(correction.slices) - self._taken_back
        if self._prediction is None and correction.predicted is not None:
            self._prediction = Prediction(correction.predicted, correction.scheme, correction.model)
        if newer:
            self._make_correction()
        self.changed.emit()

    def end(self) -> None:
        """Let go of the case."""
        self._forget()
        self.changed.emit()

    def close(self) -> None:
        """Save what rests and disconnect from the viewer; harmless when repeated."""
        self.save_what_rests()
        if self._dims_events:
            self._bridge.edited.disconnect(self._on_edited)
            self._bridge.leaving.disconnect(self.save_what_rests)
        for event in self._dims_events:
            event.disconnect(self._tell_shown)
        self._dims_events = ()

    @property
    def case(self) -> Case | None:
        """The case whose slices are confirmed, or None."""
        return self._case

    @property
    def mask(self) -> Mask | None:
        """The confirmed voxels (Z, Y, X), or None without a case."""
        return self._mask

    @property
    def slices(self) -> tuple[ConfirmedSlice, ...]:
        """The confirmed slices, sorted."""
        return tuple(sorted(self._slices))

    @property
    def shown(self) -> ConfirmedSlice | None:
        """The slice of the working layer that is shown, or None in 3-D, outside the layer or without one."""
        layer, dims = self._bridge.layer, self._viewer.dims
        if layer is None or self._mask is None or dims.ndisplay != 2:
            return None
        offset = dims.ndim - layer.ndim
        axes = [axis - offset for axis in dims.not_displayed if axis >= offset]
        if len(axes) != 1:
            return None
        index = round(float(layer.world_to_data(dims.point)[axes[0]]))
        return ConfirmedSlice(axes[0], index) if 0 <= index < layer.data.shape[axes[0]] else None

    @property
    def axis(self) -> int:
        """The axis along which slices are counted now: that of the plane shown."""
        shown = self.shown
        return 0 if shown is None else shown.axis

    @property
    def total(self) -> int:
        """How many slices along the shown axis hold anything at all."""
        if self._mask is None:
            return 0
        content = self._content[self.axis]
        return int(content.sum()) or len(content)

    @property
    def count_text(self) -> str:
        """How many slices of the shown plane are confirmed: `7 of 137 slices`."""
        return f"{len(self.confirmed_along(self.axis))} of {self.total} slices"

    def confirmed_along(self, axis: int) -> frozenset[int]:
        """Return the indices of the slices confirmed in this plane."""
        return frozenset(s.index for s in self._slices if s.axis == axis)

    def changed_along(self, axis: int) -> frozenset[int]:
        """Return the indices of the slices that a person changed."""
        return frozenset(np.flatnonzero(self._changed[axis]).tolist()) if self._changed else frozenset()

    def is_confirmed(self) -> bool:
        """Whether the shown slice is confirmed."""
        return self.shown in self._slices

    def confirm_slice(self) -> bool:
        """Confirm the slice shown; return whether it is, and say why where it is not."""
        shown, layer, scheme = self.shown, self._bridge.layer, self._bridge.scheme
        if shown is None or scheme is None or self._truth is None or self._mask is None:
            self.said.emit(self._why_not_shown())
            return False
        labels = np.asarray(layer.data[plane(shown)])
        foreign = scheme.foreign_values(labels)
        if foreign:
            self.said.emit(
                f"{shown.describe().capitalize()} holds the value {foreign[0]}, which {scheme.title} does not have. "
                "Paint over it before confirming."
            )
            return False
        try:
            self._take_scheme(scheme)
        except LabelError as error:
            self.said.emit(str(error))
            return False
        self._truth[plane(shown)] = labels
        self._mask[plane(shown)] = True
        self._slices.add(shown)
        self._taken_back.discard(shown)
        self._after_change(f"{shown.describe().capitalize()} confirmed")
        return True

    def take_back(self) -> bool:
        """Take the confirmation of the slice shown back; return whether there was one."""
        shown = self.shown
        if shown is None or self._mask is None:
            self.said.emit(self._why_not_shown())
            return False
        if shown not in self._slices:
            self.said.emit(f"{shown.describe().capitalize()} was not confirmed.")
            return False
        self._slices.remove(shown)
        self._taken_back.add(shown)
        # Voxels that a slice of another plane confirms stay confirmed.
        self._mask = mask_of(self._slices, self._mask.shape)
        self._after_change(f"{shown.describe().capitalize()} taken back")
        return True

    def go_to(self, index: int) -> None:
        """Show the slice `index` of the plane shown."""
        layer, axis = self._bridge.layer, self.axis
        if layer is None:
            return
        offset = self._viewer.dims.ndim - layer.ndim
        corner = [float(index) if a == axis else 0.0 for a in range(layer.ndim)]
        self._viewer.dims.set_point(axis + offset, float(layer.data_to_world(corner)[axis]))

    def set_prediction(self, labels: LabelArray, scheme: LabelScheme, model: str, slice: int | None = None) -> None:
        """Remember what a model gave, in its own scheme, so that a correction knows what was changed.

        Args:
            labels: uint8 (Z, Y, X), program values of `scheme`.
            scheme: What they mean.
            model: Name and version of the model.
            slice: The only slice along Z that was predicted; what is known of the others stays. None for all.
        """
        new = Prediction(labels.copy(), scheme, model)
        new = new if slice is None else new.at(slice)
        self._prediction = new if self._prediction is None else new.over(self._prediction)

    def forget_prediction(self) -> None:
        """The person goes on from labels that no model gave."""
        self._prediction = None

    def keep_confirmed(self, labels: LabelArray, scheme: LabelScheme, window: Window | None = None) -> LabelArray:
        """Return `labels` (Z, Y, X) of `scheme` with the confirmed voxels as they were confirmed.

        Args:
            labels: Those of the whole case, or of `window`.
            scheme: What they mean.
            window: Where they lie.

        Raises:
            LabelError: `scheme` cannot hold a class that was confirmed.
        """
        if self._mask is None or self._truth is None or self._scheme is None or not self._slices:
            return labels
        mask, known = self._mask[window or ...], self._truth[window or ...]
        truth = self._scheme.convert(np.where(mask, known, np.uint8(0)), scheme)
        return np.where(mask, truth, labels).astype(np.uint8)

    def correction(self) -> Correction | None:
        """Return what is confirmed now, or None without a case."""
        layer = self._bridge.layer
        if self._case is None or self._scheme is None or self._truth is None or self._mask is None:
            return None
        same = layer is not None and self._bridge.scheme == self._scheme
        around = np.asarray(layer.data) if same else self._truth
        labels = np.where(self._mask, self._truth, around).astype(np.uint8)
        # A value of no class may still lie where nobody confirmed; it must not keep the rest from being saved.
        labels[labels > len(self._scheme.classes)] = 0
        predicted = None if self._prediction is None else self._prediction.beside(labels, self._scheme)
        return Correction(
            case_id=self._case.id,
            labels=labels,
            confirmed=self._mask.copy(),
            scheme=self._scheme,
            slices=self.slices,
            predicted=predicted,
            model="" if self._prediction is None else self._prediction.model,
            taken_back=tuple(sorted(self._taken_back)),
        )

    def save(self) -> None:
        """Offer the present state for saving, as after choosing another project."""
        if self._slices:
            self._make_correction()

    def save_what_rests(self) -> None:
        """Offer a stroke on a confirmed slice for saving, if the hand has not rested for long enough yet."""
        if self._timer.isActive():
            self._make_correction()

    def forget_taken_back(self) -> None:
        """Let another project keep the slices that were taken back while this one was open."""
        self._taken_back = set()

    def _forget(self) -> None:
        self.save_what_rests()
        self._case = self._truth = self._mask = self._prediction = None
        self._changed, self._content, self._slices = (), (), set()
        self._taken_back = set()

    @property
    def _current_scheme(self) -> LabelScheme:
        if self._scheme is None:
            raise LabelError("No case is open.")
        return self._scheme

    def _take_scheme(self, scheme: LabelScheme) -> None:
        if scheme != self._scheme and self._truth is not None:
            self._truth = self.keep_confirmed(np.zeros_like(self._truth), scheme)
            self._scheme = scheme

    def _why_not_shown(self) -> str:
        if self._bridge.layer is None or self._mask is None:
            return "There are no working labels yet. Segment the case, or start from labels, then confirm slices."
        return "No single slice of the labels is shown. Switch to the 2-D view of the case to confirm slices."

    def _after_change(self, what: str) -> None:
        self.changed.emit()
        self.said.emit(f"{what}: {self.count_text} confirmed.")
        self._make_correction()  # last: that it cannot be saved is what should be read

    def _make_correction(self) -> None:
        self._timer.stop()
        correction = self.correction()
        if correction is not None:
            self.correction_made.emit(self._case, correction)

    def _on_edited(self, edit: Edit) -> None:
        if self._mask is None or self._truth is None:
            return
        if not any(words in edit.source for words in PROGRAM):
            for axis, touched in enumerate(self._changed):
                touched[edit.positions(axis)] = True
        # Undoing or redoing a run is a person's act again: what is confirmed stays what the screen shows.
        by_person = not edit.source.startswith(PROGRAM)
        confirmed = self._mask.reshape(-1)[edit.indices]
        if by_person and confirmed.any() and self._bridge.scheme == self._scheme:
            self._truth.reshape(-1)[edit.indices[confirmed]] = edit.after[confirmed]
            self._timer.start()
        self.changed.emit()
