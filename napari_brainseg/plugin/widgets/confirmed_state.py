"""`ConfirmedState`: what is known of the open case: which slices are seen, changed and confirmed, what is protected."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.confirmed_labels import ConfirmedLabels
from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, Mask
from napari_brainseg.annotation.edits import EditHistory
from napari_brainseg.annotation.person_changes import changed_by_person
from napari_brainseg.annotation.prediction import PredictionHistory
from napari_brainseg.annotation.work_time import WorkTime
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.plugin.widgets.seen_slices import SeenSlices
from napari_brainseg.plugin.widgets.shown_slice import ShownSlice


class WorkingLabels(Protocol):
    """What is needed of the editing bridge."""

    edited: Any
    leaving: Any
    history: EditHistory

    @property
    def layer(self) -> Any:
        """The working layer."""

    @property
    def scheme(self) -> LabelScheme | None:
        """What its values mean."""

    @property
    def settled(self) -> LabelArray | None:
        """Its labels without what a model run that is not over has delivered."""

    @property
    def filling(self) -> bool:
        """Whether a model run is filling them in."""


class ConfirmedState(QObject):
    """The slices of one case as others read them; `Confirmations` changes them.

    Attributes:
        seen: The slices that were looked at (`SeenSlices`).

    Signals:
        changed(): Slices were confirmed or taken back, or a person changed slices.
        shown_changed(): Another slice or plane is shown.
        said(str): What happened, in words.
        contradicted(str): The project holds other labels of slices that were confirmed here; in words.
        correction_made(object, object): The case and its `Correction`, to be saved.
    """

    changed = Signal()
    shown_changed = Signal()
    said = Signal(str)
    contradicted = Signal(str)
    correction_made = Signal(object, object)

    def __init__(self, viewer: Any, bridge: WorkingLabels, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._case: Case | None = None
        self._kept: ConfirmedLabels | None = None
        self._changed: tuple[Mask, ...] = ()
        self._content: tuple[Mask, ...] = ()
        self._last: tuple[ConfirmedSlice, ...] = ()
        self._predictions = PredictionHistory()
        self._work, self._strokes = WorkTime(), 0
        self._earlier: tuple[float, int] = (0.0, 0)
        self._where = ShownSlice(viewer, lambda: bridge.layer, self)
        self.seen = SeenSlices(self._where, self)

    @property
    def case(self) -> Case | None:
        """The case whose slices are confirmed, or None."""
        return self._case

    @property
    def mask(self) -> Mask | None:
        """The confirmed voxels (Z, Y, X), or None without a case."""
        return None if self._kept is None else self._kept.mask

    @property
    def scheme(self) -> LabelScheme | None:
        """What the values of the confirmed labels mean, or None without a case."""
        return None if self._kept is None else self._kept.scheme

    @property
    def slices(self) -> tuple[ConfirmedSlice, ...]:
        """The confirmed slices, sorted."""
        return () if self._kept is None else tuple(sorted(self._kept.slices))

    @property
    def last(self) -> tuple[ConfirmedSlice, ...]:
        """What was confirmed at one go the last time and still is."""
        return tuple(s for s in self._last if self._kept is not None and s in self._kept.slices)

    @property
    def shown(self) -> ConfirmedSlice | None:
        """The slice of the working layer that is shown, or None in 3-D, outside the layer or without one."""
        return None if self._kept is None else self._where.slice

    @property
    def axis(self) -> int:
        """The axis along which slices are counted now: that of the plane shown."""
        shown = self.shown
        return 0 if shown is None else shown.axis

    @property
    def length(self) -> int:
        """How many slices there are along the shown axis."""
        return 0 if self._kept is None else self._kept.mask.shape[self.axis]

    @property
    def total(self) -> int:
        """How many slices along the shown axis hold anything at all."""
        return int(self._content[self.axis].sum()) or self.length if self._content else 0

    @property
    def count_text(self) -> str:
        """How many slices of the shown plane are confirmed, empty ones left out: `7 of 137 slices`."""
        confirmed = list(self.confirmed_along(self.axis))
        full = self._content[self.axis] if self._content else np.zeros(0, bool)
        count = int(full[confirmed].sum()) if full.any() else len(confirmed)
        return f"{count} of {self.total} slices"

    def confirmed_along(self, axis: int) -> frozenset[int]:
        """Return the indices of the slices confirmed in this plane."""
        return frozenset(s.index for s in self.slices if s.axis == axis)

    def changed_along(self, axis: int) -> frozenset[int]:
        """Return the indices of the slices that a person changed."""
        return frozenset(np.flatnonzero(self._changed[axis]).tolist()) if self._changed else frozenset()

    def seen_unchanged(self) -> tuple[ConfirmedSlice, ...]:
        """Return the slices of the plane shown that were seen, left unchanged and are not confirmed yet."""
        axis = self.axis
        left = self.seen.along(axis) - self.changed_along(axis) - self.confirmed_along(axis)
        return tuple(ConfirmedSlice(axis, index) for index in sorted(left))

    def is_confirmed(self) -> bool:
        """Whether the shown slice is confirmed."""
        return self.shown in self.slices

    def protected_mask(self) -> Mask | None:
        """Return the voxels, bool (Z, Y, X), that a new model's answer must leave alone; None without a case.

        They are what is confirmed, what a person was the last to change, and what differs from the model's answer that
        the person started from, as after opening a project again. A stroke that was undone protects nothing.
        """
        if self._kept is None:
            return None
        labels, scheme, mask = self._bridge.settled, self._bridge.scheme, self._kept.mask.copy()
        if labels is None or scheme is None or labels.shape != mask.shape:
            return mask
        mask |= changed_by_person(self._bridge.history.steps, mask.shape)
        predicted = self.predicted()
        return mask if predicted is None else mask | (predicted != labels)

    def predicted(self) -> LabelArray | None:
        """Return what models gave, uint8 (Z, Y, X) in the working scheme, and the working labels where none ran.

        None where that is not known, or where the working scheme cannot hold it.
        """
        labels, scheme, now = self._bridge.settled, self._bridge.scheme, self._predictions.now
        return None if labels is None or scheme is None or now is None else now.beside(labels, scheme)

    def correction(self) -> Correction | None:
        """Return what is confirmed now, or None without a case."""
        layer, kept = self._bridge.layer, self._kept
        if self._case is None or kept is None:
            return None
        same = layer is not None and self._bridge.scheme == kept.scheme
        labels = kept.within(np.asarray(layer.data) if same else None)
        now = self._predictions.now
        return Correction(
            case_id=self._case.id,
            labels=labels,
            confirmed=kept.mask,
            scheme=kept.scheme,
            slices=self.slices,
            predicted=None if now is None else now.beside(labels, kept.scheme),
            model="" if now is None else now.model,
            seconds=self._earlier[0] + self._work.seconds,
            strokes=self._earlier[1] + self._strokes,
            taken_back=tuple(sorted(kept.taken_back)),
        )
