"""`LiveRun`: a model run on its way into the working labels, which fill in while a person goes on editing them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer

from napari_brainseg.annotation.edits import EditHistory
from napari_brainseg.annotation.run_ledger import Window
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.inference.delivery import Delivery
from napari_brainseg.plugin.layers import Role
from napari_brainseg.plugin.widgets.case_layers import CaseLayers
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.working_labels import NewLabels, WorkingLabels

# Deliveries that arrive sooner than this after the last were drawn wait and are drawn together …
_PAUSE_MS = 60
# … and so long that drawing takes no more than a fifth of the window's time.
_SHARE = 4


@dataclass(frozen=True)
class RunTarget:
    """Where a run's labels go.

    Attributes:
        case: The case.
        scheme: What the model's labels mean.
        model: Its name and version.
        name: Name of the layer, where one is made.
        in_place: Into the working layer there is; else into one of their own.
        slice: Only this slice along Z is meant; None for all.
    """

    case: Case
    scheme: LabelScheme
    model: str
    name: str
    in_place: bool
    slice: int | None = None

    @property
    def source(self) -> str:
        """What the run is called as a step."""
        return f"model run {self.model}"


@dataclass(frozen=True, eq=False)
class _Before:
    """What a run found that makes a layer of its own: for the case that it is taken back."""

    layer: Any
    data: LabelArray | None
    history: EditHistory
    active: Any
    references: tuple[Any, ...]


class LiveRun(QObject):
    """Shows deliveries in the working layer, and makes one step of the run or takes all of it back.

    The layer of a first run, or of one that does not replace, is made with the first labels that arrive.
    """

    def __init__(
        self,
        viewer: Any,
        layers: CaseLayers,
        working: WorkingLabels,
        bridge: EditingBridge,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._layers, self._working, self._bridge = viewer, layers, working, bridge
        self._target: RunTarget | None = None
        self._layer: Any = None
        self._before: _Before | None = None
        self._waiting: list[Delivery] = []
        self._stopped = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._draw)
        bridge.leaving.connect(self._on_leaving)

    def begin(self, target: RunTarget) -> None:
        """A run was asked for: what is painted from now on is kept from it."""
        self.take_back()
        self._target, self._stopped = target, False
        if target.in_place and self._bridge.layer is not None:
            self._layer = self._bridge.layer
            self._bridge.begin_run()

    def deliver(self, delivery: Delivery) -> None:
        """Draw labels now, or together with what arrives meanwhile."""
        if self._target is None or self._stopped:
            return
        self._waiting.append(delivery)
        if not self._timer.isActive():
            self._draw()

    def finish(self, result: Segmentation) -> NewLabels | None:
        """Put the result in the place of what was delivered, as one step together with it; return what it was.

        Raises:
            LabelError: The scheme of the working layer cannot hold a class of the result, or one that was confirmed.
        """
        if self._target is None:
            return None
        target = replace(self._target, scheme=result.scheme, model=result.model)
        self._forget_waiting()
        scheme = self._bridge.scheme if self._layer is not None else target.scheme
        # Before a layer is made, so that labels that cannot be held leave everything as it was.
        parts = [self._part((slice(None),) * 3, result.labels, target, scheme or target.scheme)]
        if self._layer is None:
            self._open(target)
        was_saved = self._before is not None and not self._bridge.dirty
        self._bridge.finish_run(parts, target.source)
        if was_saved:
            # What a model gave anew is no work of a person; that a layer of theirs has changed is.
            self._bridge.mark_saved()
        self._end()
        self._working.took_over(target.source, target.model)
        return NewLabels(result.labels, result.scheme, target.source, target.model, target.name, target.slice)

    def take_back(self) -> bool:
        """Take back what was delivered; harmless when no run is under way.

        Returns:
            Whether a person has changed the labels meanwhile, which stays.
        """
        target, layer, before = self._target, self._layer, self._before
        self._end()
        if target is None or layer is None:
            return False
        edited = self._settle(target)
        if before is None or edited:
            return edited
        self._viewer.layers.remove(layer)
        for reference in before.references:
            reference.visible = True
        if before.layer is not None and before.layer in self._viewer.layers:
            self._working.work_on(before.layer)
            if before.data is not None and np.array_equal(before.layer.data, before.data):
                self._bridge.history = before.history
                self._bridge.history_changed.emit()
        if before.active in self._viewer.layers:
            self._viewer.layers.selection.active = before.active
        return False

    def _draw(self) -> None:
        """Bring what waits into the layer and give the window time before the next."""
        waiting, self._waiting = self._waiting, []
        target = self._target
        if target is None or self._stopped or not waiting:
            return
        start = time.perf_counter()
        if self._layer is None:
            self._open(target)
        scheme = self._bridge.scheme or target.scheme
        try:
            parts = [self._part(d.window, d.labels, target, scheme) for d in waiting]
        except LabelError:
            # The result may still fit; if it does not, it says so.
            self._stopped = True
            return
        self._bridge.deliver(parts, target.source)
        self._timer.start(max(_PAUSE_MS, round(1000 * _SHARE * (time.perf_counter() - start))))

    def _part(
        self, window: Window, labels: LabelArray, target: RunTarget, scheme: LabelScheme
    ) -> tuple[Window, LabelArray]:
        """Return a window and its labels in the layer's scheme, of the slice that is meant, with what was confirmed."""
        if target.slice is not None:
            first, last, _ = window[0].indices(target.case.geometry.shape[0])
            wanted = max(first, min(target.slice, last - 1)), max(first, min(target.slice + 1, last))
            labels, window = labels[wanted[0] - first : wanted[1] - first], (slice(*wanted), *window[1:])
        converted = target.scheme.convert(labels, scheme)
        return window, self._working.keep_confirmed(converted, scheme, window)

    def _open(self, target: RunTarget) -> None:
        """Make the layer that fills in."""
        former, bridge = self._bridge.layer, self._bridge
        references = tuple(layer for layer in self._layers.ours(Role.REFERENCE) if layer.visible)
        data = None if former is None else np.array(former.data)
        self._before = _Before(former, data, bridge.history, self._viewer.layers.selection.active, references)
        bridge.history = EditHistory()
        empty = np.zeros(target.case.geometry.shape, np.uint8)
        new = NewLabels(empty, target.scheme, target.source, target.model, target.name)
        self._layer = self._working.begin(target.case, new)
        bridge.begin_run()

    def _settle(self, target: RunTarget) -> bool:
        """Take the deliveries out of the working layer; return whether a person has changed it meanwhile."""
        edited = self._bridge.edited_in_run
        left = self._bridge.take_back_run(f"{target.source}, as far as confirmed", self._keep_confirmed)
        return edited or left is not None

    def _keep_confirmed(self, labels: LabelArray) -> LabelArray:
        scheme = self._bridge.scheme
        try:
            return labels if scheme is None else self._working.keep_confirmed(labels, scheme)
        except LabelError:  # confirmed in another layer, whose classes this one cannot hold
            return labels

    def _end(self) -> None:
        self._forget_waiting()
        self._target = self._layer = self._before = None

    def _forget_waiting(self) -> None:
        self._timer.stop()
        self._waiting = []

    def _on_leaving(self) -> None:
        """Leave a layer that is no longer worked on without what was delivered; the result will get one of its own."""
        if self._target is not None and self._layer is not None and self._bridge.filling:
            self._settle(self._target)
            self._forget_waiting()
            self._layer, self._before, self._stopped = None, None, True
