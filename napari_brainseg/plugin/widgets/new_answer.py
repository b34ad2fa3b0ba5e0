"""`NewAnswer`: what a new model says of the open case: where it differs from the working labels, and taking it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_brainseg.annotation.corrections import Mask
from napari_brainseg.annotation.edits import Edit, flat_indices
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.plugin.layers import difference_layer, difference_values, identity_of
from napari_brainseg.plugin.widgets.case_layers import CaseLayers
from napari_brainseg.plugin.widgets.confirmations import Confirmations
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.working_labels import WorkingLabels

# The labels are compared again once the hand rests this long.
REST_MS = 200


@dataclass(frozen=True, eq=False)
class _Difference:
    """The answer beside the working labels, all (Z, Y, X) in their scheme.

    Attributes:
        labels: A copy of the working labels.
        answer: What the model says.
        offered: Where the two differ and nothing forbids to change it.
        locked: Where a locked class forbids it.
        scheme: What the values mean.
    """

    labels: LabelArray
    answer: LabelArray
    offered: Mask
    locked: Mask
    scheme: LabelScheme


class NewAnswer(QObject):
    """Offers a model's answer for what nobody confirmed or changed by hand; the rest it never touches.

    Signals:
        changed(): Another number of voxels differs, or the layer of the difference came or went.
        taken(object): The `Segmentation` whose answer was taken for the whole case.
        said(str): What was taken, or why nothing was.
    """

    changed = Signal()
    taken = Signal(object)
    said = Signal(str)

    def __init__(
        self,
        viewer: Any,
        layers: CaseLayers,
        working: WorkingLabels,
        confirmations: Confirmations,
        bridge: EditingBridge,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._layers, self._working = viewer, layers, working
        self._confirmations, self._bridge = confirmations, bridge
        self._answer: Segmentation | None = None
        self._name = ""
        self._layer: Any = None
        self.voxels: int | None = None
        self.problem = ""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self.refresh)
        confirmations.changed.connect(self._on_changed)
        bridge.working_changed.connect(self._on_changed)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def offered(self) -> bool:
        """Whether there is an answer for the open case."""
        return self._answer is not None

    @property
    def layer(self) -> Any:
        """The layer that shows the difference, or None."""
        return self._layer

    @property
    def confirmations(self) -> Confirmations:
        """What is protected, and which slice is shown."""
        return self._confirmations

    def offer(self, answer: Segmentation, name: str) -> None:
        """Compare an answer for the open case with the working labels from now on.

        Args:
            answer: In whatever scheme.
            name: The model as people see it.
        """
        self._answer, self._name = answer, name
        self.refresh()

    def forget(self) -> None:
        """Offer nothing, and take the layer away; harmless when repeated."""
        self._timer.stop()
        self._answer, self.voxels, self.problem = None, None, ""
        self._remove_layer()
        self.changed.emit()

    def show_difference(self, shown: bool) -> None:
        """Add the layer of the difference, or take it away."""
        if not shown:
            self._remove_layer()
        elif self._layer is None and (found := self._compare()) is not None:
            self._add_layer(found)
        self.changed.emit()

    def take_slices(self, axis: int, first: int, last: int) -> int:
        """Take the answer for the slices `first` to `last` (included) along `axis`; return how many voxels changed."""
        ends = sorted((first, last))
        return self._take(axis, range(ends[0], ends[1] + 1))

    def take_all(self) -> int:
        """Take the answer for the whole case; return how many voxels changed."""
        return self._take(0, None)

    def refresh(self) -> None:
        """Compare again."""
        self._timer.stop()
        if self._bridge.filling:  # the end of a run is told as an edit
            return
        found = self._compare()
        self.voxels = None if found is None else int(np.count_nonzero(found.offered))
        if self._layer is not None:
            self._draw(found)
        self.changed.emit()

    def close(self) -> None:
        """Take the layer away and disconnect from the viewer."""
        self.forget()
        self._confirmations.changed.disconnect(self._on_changed)
        self._bridge.working_changed.disconnect(self._on_changed)
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    def _compare(self) -> _Difference | None:
        """Compare the answer with the working labels; None where there is one of them alone, or they cannot be."""
        self.problem = ""
        labels, scheme, answer = self._bridge.labels, self._bridge.scheme, self._answer
        if labels is None or scheme is None or answer is None or answer.labels.shape != labels.shape:
            return None
        try:
            wanted = answer.scheme.convert(answer.labels, scheme)
        except LabelError as error:
            self.problem = f"{error} So the answer of {self._name} cannot be taken into these labels."
            return None
        offered = wanted != labels
        protected = self._confirmations.protected_mask()
        if protected is not None:
            offered &= ~protected
        locked = np.isin(np.arange(256), list(self._bridge.locked))
        held = locked[labels] | locked[wanted] if locked.any() else np.zeros(labels.shape, bool)
        return _Difference(labels.copy(), wanted, offered & ~held, held, scheme)

    def _take(self, axis: int, chosen: range | None) -> int:
        if self._bridge.filling:
            self.said.emit("A model is filling in the labels. Take the new answer once it is done.")
            return 0
        # A stroke that is being drawn is a person's: it must be a step before what is protected is asked for.
        self._bridge.end_stroke()
        found, answer = self._compare(), self._answer
        if found is None or answer is None:
            return 0
        inside = found.offered if chosen is None else _within(found.offered, axis, chosen)
        where = "the case" if chosen is None else "1 slice" if len(chosen) == 1 else f"{len(chosen)} slices"
        if not inside.any():
            have = "has" if chosen is None or len(chosen) == 1 else "have"
            self.said.emit(f"Nothing to take: {where} {have} the answer of {self._name} wherever nothing is protected.")
            return 0
        step = _step(found, inside, f"model run {self._name}")
        self._bridge.apply(step, step.source)
        self._working.took_over(step.source, answer.model)
        self._remember(found, axis, chosen)
        self.said.emit(f"{step.voxels:,} voxels of {where} taken from {self._name}.")
        if chosen is None:
            self.taken.emit(answer)
        self.refresh()
        return step.voxels

    def _remember(self, found: _Difference, axis: int, chosen: range | None) -> None:
        """Tell what the model gave, so that only what a person changes from now on counts as theirs."""
        model = "" if self._answer is None else self._answer.model
        # What a lock kept is neither a person's change nor what the model gave.
        given = np.where(found.locked, found.labels, found.answer)
        if axis == 0:
            self._confirmations.set_prediction(given, found.scheme, model, chosen)
            return
        # Predictions are known by axial slice; in another plane the answer goes into what is known.
        known = self._confirmations.predicted()
        if known is not None and chosen is not None:
            where = _within(np.ones(known.shape, bool), axis, chosen)
            self._confirmations.set_prediction(np.where(where, given, known), found.scheme, model)

    def _add_layer(self, found: _Difference) -> None:
        case = self._layers.case
        if case is None:
            return
        values = difference_values(found.answer, found.offered, found.scheme)
        tuple_ = difference_layer(values, found.scheme, case.geometry.spacing, case.id, self._name)
        active = self._viewer.layers.selection.active
        self._layer = self._layers.add([tuple_])[0]
        # New layers become active; the labels are what the next stroke is for.
        self._viewer.layers.selection.active = active

    def _draw(self, found: _Difference | None) -> None:
        """Bring the layer up to date; it is made anew where the working labels have another scheme now."""
        identity = identity_of(self._layer)
        if found is not None and identity is not None and identity.scheme_id == found.scheme.id:
            self._layer.data = difference_values(found.answer, found.offered, found.scheme)
            return
        self._remove_layer()
        if found is not None:
            self._add_layer(found)

    def _remove_layer(self) -> None:
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _on_changed(self) -> None:
        if self._answer is not None:
            self._timer.start()

    def _on_removed(self, event: Any) -> None:
        if self._layer is not None and event.value is self._layer:
            self._layer = None
            self.changed.emit()


def _step(found: _Difference, inside: Mask, source: str) -> Edit:
    """Return the edit that takes the answer wherever `inside` is true."""
    depth, rows, columns = found.labels.shape
    shape = (depth, rows, columns)
    places = flat_indices(np.flatnonzero(inside), shape)
    return Edit(places, found.labels[inside], found.answer[inside], source, shape)


def _within(mask: NDArray[np.bool_], axis: int, chosen: range) -> Mask:
    """Return a mask (Z, Y, X) that is true in some slices along an axis alone."""
    where = tuple(slice(chosen.start, chosen.stop) if a == axis else slice(None) for a in range(3))
    inside = np.zeros_like(mask)
    inside[where] = mask[where]
    return inside
