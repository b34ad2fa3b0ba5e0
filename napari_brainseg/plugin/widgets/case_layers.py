"""`CaseLayers`: the layers of the open case in the viewer, found by their identity and never by their name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_brainseg.annotation.region_painting import class_rules, region_rules
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.plugin.layers import (
    METADATA_KEY,
    TARGET_KEY,
    LayerData,
    LayerIdentity,
    Role,
    case_layers,
    hover_table,
    identity_of,
    label_colours,
    space,
)

Array = np.ndarray[Any, Any]

_READ_ONLY = (Role.CHANNEL, Role.REFERENCE, Role.PROBABILITY, Role.UNCERTAINTY, Role.DIFFERENCE)
# Files that are dropped together arrive as one reader call each; a case is made of them once no more come.
_SETTLE_MS = 250


class CaseLayers(QObject):
    """Adds, finds and removes the layers of one case, and hears of layers of ours that came by napari's own ways.

    Signals:
        strangers_appeared(object): Layers of ours, by napari's own ways, that belong to no open case.
        labels_changed(): A labels layer came or went.
    """

    strangers_appeared = Signal(object)
    labels_changed = Signal()

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._case: Case | None = None
        self._adding = False
        self._pending: list[Any] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.timeout.connect(self._tell_strangers)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def case(self) -> Case | None:
        """The case whose layers are shown, or None."""
        return self._case

    def take_what_is_there(self) -> None:
        """Hear of layers that were in the viewer before."""
        self._pending = [layer for layer in self._viewer.layers if identity_of(layer) is not None]
        if self._pending:
            self._timer.start()

    def ours(self, *roles: Role) -> list[Any]:
        """Return the layers of the open case with one of `roles` (any role when none is given), bottom first."""
        case_id = None if self._case is None else self._case.id
        known = [(layer, identity_of(layer)) for layer in self._viewer.layers]
        mine = [(layer, identity) for layer, identity in known if identity is not None and identity.case_id == case_id]
        return [layer for layer, identity in mine if not roles or identity.role in roles]

    def show(self, case: Case) -> None:
        """Show `case` in place of the one before; layers that show its channels already are kept.

        Labels and what else was made of the case stay only while it is the same exam, on the same grid.
        """
        former, self._case = self._case, case
        wanted = case_layers(case)
        kept = [(_match(self._viewer.layers, tuple_), tuple_) for tuple_ in wanted]
        mine = {id(layer) for layer, _ in kept if layer is not None}
        same = bool(mine) if former is None else same_exam(former, case)
        # Without the batch napari arranges all that it draws, and collects garbage, after every single layer.
        with self._viewer.layers.batched_update():
            for layer in list(self._viewer.layers):
                if identity_of(layer) is not None and id(layer) not in mine and not (same and _outlives(layer, case)):
                    self._viewer.layers.remove(layer)
            for layer, tuple_ in kept:
                if layer is None:
                    self.add([tuple_])
                else:
                    _take_over(layer, tuple_)
                    self._guard(layer)
            self.put_in_order()
        dims, camera = self._viewer.dims, self._viewer.scene.camera
        point, centre = np.array(dims.point), np.array(camera.center)
        for layer in self.ours():
            _set_space(layer, case)
            if TARGET_KEY in layer.metadata:
                layer.metadata = {**layer.metadata, TARGET_KEY: Segmentation.empty(case)}
        if same and former is not None:
            self._look_at(point, centre, _scale(case) / _scale(former))

    def add(self, layers: Iterable[LayerData]) -> list[Any]:
        """Add layers of the open case and return them, bottom first."""
        added = []
        self._adding = True
        try:
            for data, attributes, kind in layers:
                layer = self._viewer.add_layer(Layer.create(data, attributes, kind))
                self._guard(layer)
                added.append(layer)
        finally:
            self._adding = False
        self.labels_changed.emit()
        return added

    def forget(self) -> None:
        """Let go of the case; its layers stay where they are."""
        self._case = None

    def close(self) -> None:
        """Disconnect from the viewer."""
        self._timer.stop()
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        for layer in self._viewer.layers:
            if identity_of(layer) is not None:
                layer.events.editable.disconnect(self._on_editable)

    def _look_at(self, point: Array, centre: Array, growth: Array) -> None:
        """Look at the slice and the place that were at `point` and `centre` before voxels grew by `growth`."""
        dims, camera = self._viewer.dims, self._viewer.scene.camera
        if (growth == 1).all() or dims.ndim != point.size:
            return
        # Layers of a case lie at the origin: a voxel is where it was times what its size has changed by.
        grown = np.ones(dims.ndim)
        grown[-3:] = growth
        dims.set_point(range(dims.ndim), tuple(float(x) for x in point * grown))
        shown = list(dims.displayed)
        centre[-len(shown) :] *= grown[shown]
        camera.center = tuple(float(x) for x in centre)
        camera.zoom /= float(grown[shown[-1]])

    def _on_inserted(self, event: Any) -> None:
        layer = event.value
        identity = identity_of(layer)
        if self._adding:
            return
        if identity is not None and self._is_copy(layer, identity):
            if identity.role is Role.SPLIT and identity.scheme_id is not None:
                _make_whole(layer, identity)
            # The values of a difference are no labels to work on.
            labels = layer._type_string == "labels" and identity.role is not Role.DIFFERENCE
            role = Role.LABELS if labels else Role.COPY
            layer.metadata = {
                **layer.metadata,
                METADATA_KEY: replace(identity, layer_id=uuid4().hex, role=role, name=layer.name),
            }
        elif identity is not None:
            self._pending.append(layer)
            self._timer.start()
        self.labels_changed.emit()

    def _on_removed(self, event: Any) -> None:
        if event.value in self._pending:
            self._pending.remove(event.value)
        self.labels_changed.emit()

    def _is_copy(self, layer: Any, identity: LayerIdentity) -> bool:
        others = (identity_of(other) for other in self._viewer.layers if other is not layer)
        return any(other is not None and other.layer_id == identity.layer_id for other in others)

    def _tell_strangers(self) -> None:
        strangers = [layer for layer in self._pending if layer in self._viewer.layers]
        self._pending = []
        if strangers:
            self.strangers_appeared.emit(strangers)

    def _guard(self, layer: Any) -> None:
        identity = identity_of(layer)
        if identity is not None and identity.role in _READ_ONLY:
            layer.editable = False
            # napari makes layers editable again with a change between 2-D and 3-D.
            layer.events.editable.connect(self._on_editable)

    def _on_editable(self, event: Any) -> None:
        layer = event.source
        identity = identity_of(layer)
        if identity is not None and identity.role in _READ_ONLY and layer.editable:
            layer.editable = False

    def put_in_order(self) -> None:
        """Bring the layers of the case into one order: channels, maps, reference, labels, the difference on top."""
        ranks = {Role.CHANNEL: 0, Role.PROBABILITY: 1, Role.UNCERTAINTY: 2, Role.REFERENCE: 3, Role.DIFFERENCE: 6}
        expected = () if self._case is None else tuple(reversed(self._case.expected))

        def rank(layer: Any) -> tuple[int, int]:
            identity = identity_of(layer)
            if identity is None:
                return 4, 0
            return ranks.get(identity.role, 5), expected.index(identity.name) if identity.name in expected else 0

        target = sorted(self._viewer.layers, key=rank)
        for index, layer in enumerate(target):
            now = self._viewer.layers.index(layer)
            if now != index:
                self._viewer.layers.move(now, index)


def channel_files(case: Case) -> tuple[Path, ...]:
    """Return the files of the channels of `case`, each once."""
    return tuple(dict.fromkeys(path for paths in case.paths.values() for path in paths))


def same_exam(case: Case, other: Case) -> bool:
    """Return whether two cases are one exam, read twice: two patients may have one case id, but not one file."""
    if case.id != other.id:
        return False
    files, others = channel_files(case), channel_files(other)
    return bool(set(files) & set(others)) or not (files or others)


def largest_slice(labels: np.ndarray[Any, Any]) -> int | None:
    """Return the index along Z of the slice with most labelled voxels, or None where there are none."""
    areas = np.count_nonzero(labels, axis=(1, 2))
    return int(areas.argmax()) if areas.any() else None


def _match(layers: Sequence[Any], tuple_: LayerData) -> Any:
    data, attributes, _ = tuple_
    wanted: LayerIdentity = attributes["metadata"][METADATA_KEY]
    for layer in layers:
        identity = identity_of(layer)
        if identity is None or (identity.role, identity.name) != (wanted.role, wanted.name):
            continue
        same_files = bool(identity.source) and identity.source == wanted.source
        if layer.data is data or (wanted.role is Role.CHANNEL and same_files and layer.data.shape == data.shape):
            return layer
    return None


def _outlives(layer: Any, case: Case) -> bool:
    """Return whether a layer made of the case before is one of `case` too, which is the same exam."""
    identity = identity_of(layer)
    if identity is None or identity.case_id != case.id or identity.role in (Role.CHANNEL, Role.REFERENCE):
        return False
    return tuple(layer.data.shape) == case.geometry.shape


def _make_whole(layer: Any, identity: LayerIdentity) -> None:
    """Turn the copy of a part, which holds 0 and 1, into labels of the scheme that its identity names."""
    scheme = scheme_by_id(identity.scheme_id or "")
    rules = {rule.name: rule.value for rule in (*region_rules(scheme), *class_rules(scheme))}
    layer.data = (np.asarray(layer.data) > 0).astype(np.uint8) * np.uint8(rules[identity.name])
    layer.colormap = label_colours(scheme)
    layer.features = hover_table(scheme)


def _take_over(layer: Any, tuple_: LayerData) -> None:
    _, attributes, _ = tuple_
    wanted: LayerIdentity = attributes["metadata"][METADATA_KEY]
    layer.metadata = {**layer.metadata, METADATA_KEY: wanted}
    if wanted.role is Role.CHANNEL:
        layer.visible = attributes["visible"]


def _scale(case: Case) -> Array:
    return np.array(case.geometry.spacing or (1.0, 1.0, 1.0))


def _set_space(layer: Any, case: Case) -> None:
    wanted = space(case.geometry.spacing)
    layer.scale = wanted["scale"]
    layer.units = wanted["units"]
