"""`WorkingLabels`: which labels layer is the working one, how labels get into it, and what one can start from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.run_ledger import Window
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.case import Labels as CaseLabels
from napari_brainseg.cases.labels import LabelArray, LabelScheme, scheme_by_id
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.plugin.layers import METADATA_KEY, LayerIdentity, Role, identity_of, labels_layer
from napari_brainseg.plugin.widgets.case_layers import CaseLayers
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge


@dataclass(frozen=True)
class StartFrom:
    """One thing that work can start from.

    Attributes:
        kind: `reference`, `layer`, `file` or `empty`.
        layer: The labels layer, of the kind `layer`.
        path: The file, of the kind `file`, once it is chosen.
        labels: What was read from it.
    """

    kind: str
    layer: Any = None
    path: Path | None = None
    labels: CaseLabels | None = None


@dataclass(frozen=True, eq=False)
class NewLabels:
    """Labels on their way into the working layer.

    Attributes:
        labels: uint8 (Z, Y, X), program values of `scheme`.
        scheme: What they mean.
        source: What made them, in words that fit after "undid": `model run lgg 1.0`.
        model: The model's name and version, or empty.
        name: Name of the layer, where a new one is made.
        slice: Only this slice along Z is meant; None for all.
    """

    labels: LabelArray
    scheme: LabelScheme
    source: str
    model: str = ""
    name: str = "segmentation"
    slice: int | None = None


class Keep(Protocol):
    """Puts what a person confirmed into labels: those of the whole case, or of a window of it."""

    def __call__(self, labels: LabelArray, scheme: LabelScheme, window: Window | None = None) -> LabelArray:
        """Return `labels`, program values of `scheme`, with the confirmed voxels as they were confirmed."""


def _keep_nothing(labels: LabelArray, scheme: LabelScheme, window: Window | None = None) -> LabelArray:
    return labels


class WorkingLabels(QObject):
    """Exactly one labels layer of a case is the working one; the bridge is attached to it.

    Whatever comes into it, the voxels that a person confirmed stay as they are: `keep_confirmed` puts them in.

    Signals:
        began(str): Work goes on from other labels: what they are, as `NewLabels.source` says it.
    """

    began = Signal(str)

    def __init__(self, layers: CaseLayers, bridge: EditingBridge, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layers, self._bridge, self._viewer = layers, bridge, viewer
        self._unsaved: set[str] = set()  # ids of layers that were let go with changes that are not saved
        self.keep_confirmed: Keep = _keep_nothing
        bridge.leaving.connect(self._on_leaving)

    def put(self, new: NewLabels, *, in_place: bool) -> Any:
        """Put labels into the working layer as one undo step or, not `in_place`, into a new working layer.

        Raises:
            LabelError: The scheme cannot hold a class of the new labels, or one that was confirmed.
        """
        case = self._layers.case
        if case is None:
            return None
        scheme = self._bridge.scheme
        if not in_place or scheme is None or self._bridge.layer is None:
            layer = self.begin(case, new)
            self.began.emit(new.source)
            return layer
        self._bridge.apply(self.keep_confirmed(new.scheme.convert(new.labels, scheme), scheme), new.source)
        return self.took_over(new.source, new.model)

    def took_over(self, source: str, model: str) -> Any:
        """Say that the working layer holds other labels now, those of a model or (empty) not; return the layer."""
        self._stamp(self._bridge.layer, model=model, made=datetime.now(UTC).isoformat(timespec="seconds"))
        self.began.emit(source)
        return self._bridge.layer

    def work_on(self, layer: Any) -> None:
        """Make another labels layer of the open case the working one."""
        case, identity = self._layers.case, identity_of(layer)
        if case is None or identity is None or identity.scheme_id is None or layer is self._bridge.layer:
            return
        self._set_aside()
        self._stamp(layer, role=Role.WORKING)
        layer.visible = True
        self._attach(layer, case, identity)

    def resume(self, case: Case) -> None:
        """Go on with the working layer of a case that was read again; harmless where it has none."""
        for former in self._layers.ours(Role.WORKING)[:-1]:
            self._stamp(former, role=Role.LABELS)
            former.visible = False
        for layer in self._layers.ours(Role.WORKING):
            identity = identity_of(layer)
            if identity is not None and identity.scheme_id is not None and layer is not self._bridge.layer:
                self._attach(layer, case, identity)

    def respace(self, case: Case) -> None:
        """Tell the bridge of a spacing that was entered."""
        if self._bridge.layer is not None:
            self._bridge.set_spacing(case.geometry.spacing)

    def options(self) -> list[tuple[str, StartFrom]]:
        """Return what work can start from, in words, the likeliest first."""
        case = self._layers.case
        if case is None:
            return []
        found = [] if case.labels is None else [("the case's labels", StartFrom("reference"))]
        found += [(f"layer {layer.name}", StartFrom("layer", layer)) for layer in self._candidates(case)]
        return [*found, ("empty labels", StartFrom("empty")), ("a file …", StartFrom("file"))]

    def start_from(self, option: StartFrom, *, in_place: bool) -> None:
        """Begin with the labels of `option`; a file must have been read.

        Raises:
            LabelError: A layer holds values that the case's scheme does not have.
        """
        case = self._layers.case
        if case is None:
            return
        identity = None if option.layer is None else identity_of(option.layer)
        if identity is not None and identity.role is Role.LABELS:
            self.work_on(option.layer)
            self.show_confirmed()
            self.began.emit(f"start from {option.layer.name}")
            return
        self.put(self._labels_of(case, option), in_place=in_place)

    def show_confirmed(self) -> bool:
        """Let the working layer show what was confirmed, as a step that can be undone; return whether it did not.

        Raises:
            LabelError: Its scheme cannot hold a class that was confirmed.
        """
        labels, scheme = self._bridge.labels, self._bridge.scheme
        if labels is None or scheme is None:
            return False
        confirmed = self.keep_confirmed(np.array(labels), scheme)
        return self._bridge.apply(confirmed, "start from what was confirmed") is not None

    def _labels_of(self, case: Case, option: StartFrom) -> NewLabels:
        if option.kind == "reference" and case.labels is not None:
            labels = np.array(case.labels.volume.data, np.uint8)
            return NewLabels(labels, case.labels.scheme, "start from the case's labels")
        if option.labels is not None and option.path is not None:
            labels = np.array(option.labels.volume.data, np.uint8)
            return NewLabels(labels, option.labels.scheme, f"start from {option.path.name}")
        if option.kind == "layer":
            values = case.scheme.from_either(np.asarray(option.layer.data))
            return NewLabels(values, case.scheme, f"start from {option.layer.name}")
        return NewLabels(np.zeros(case.geometry.shape, np.uint8), case.scheme, "start from empty labels")

    def begin(self, case: Case, new: NewLabels) -> Any:
        """Make a working layer of its own for labels, with what was confirmed in them, and return it."""
        labels = np.array(self.keep_confirmed(new.labels, new.scheme), np.uint8)
        self._set_aside()
        name = free_name(new.name, [layer.name for layer in self._viewer.layers])
        identity = LayerIdentity(case.id, Role.WORKING, new.name, scheme_id=new.scheme.id, model=new.model)
        target = Segmentation.empty(case)
        tuple_ = labels_layer(labels, new.scheme, case.geometry.spacing, identity, name=name, target=target)
        layer = self._layers.add([tuple_])[0]
        self._bridge.attach(layer, new.scheme, case.geometry.spacing)
        for other in self._layers.ours(Role.REFERENCE):
            other.visible = False
        self._viewer.layers.selection.active = layer
        return layer

    def _attach(self, layer: Any, case: Case, identity: LayerIdentity) -> None:
        self._bridge.attach(layer, scheme_by_id(str(identity.scheme_id)), case.geometry.spacing)
        if identity.layer_id in self._unsaved:
            self._unsaved.discard(identity.layer_id)
            self._bridge.mark_unsaved()
        self._viewer.layers.selection.active = layer

    def _on_leaving(self) -> None:
        identity = identity_of(self._bridge.layer)
        if identity is not None and self._bridge.dirty:
            self._unsaved.add(identity.layer_id)

    def _set_aside(self) -> None:
        former = self._bridge.layer
        self._bridge.detach()
        if former is not None and former in self._viewer.layers:
            self._stamp(former, role=Role.LABELS)
            former.visible = False

    def _candidates(self, case: Case) -> list[Any]:
        return [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Labels) and layer is not self._bridge.layer and _can_start(layer, case)
        ]

    def _stamp(self, layer: Any, **facts: Any) -> None:
        identity = identity_of(layer)
        if identity is not None:
            layer.metadata = {**layer.metadata, METADATA_KEY: replace(identity, **facts)}


def free_name(name: str, taken: list[str]) -> str:
    """Return `name`, with a number where it is taken."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name} {number}", number + 1
    return free


def _can_start(layer: Any, case: Case) -> bool:
    identity = identity_of(layer)
    if identity is not None:
        return identity.case_id == case.id and identity.role is Role.LABELS
    scale = case.geometry.spacing or (1.0, 1.0, 1.0)
    on_grid = tuple(layer.data.shape) == case.geometry.shape and bool(np.allclose(layer.scale, scale, atol=1e-3))
    return (
        on_grid
        and not np.any(layer.translate)
        and layer.rotate.shape == (3, 3)
        and np.allclose(layer.rotate, np.eye(3))
    )
