"""`SplitLayers`: the working labels as one layer per class or region, and back; there is one truth all the while."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.region_painting import PaintRule, class_rules, region_rules
from napari_brainseg.plugin.layers import (
    FOREIGN_COLOUR,
    METADATA_KEY,
    LayerIdentity,
    Role,
    identity_of,
)
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.mirror_layer import MirrorLayer


class SplitBy(StrEnum):
    """What the parts of a split are."""

    CLASS = "class"
    REGION = "region"


class SplitLayers(QObject):
    """Show and edit the working labels in parts.

    Attributes:
        changed: The labels were split or joined.
    """

    changed = Signal()

    def __init__(self, viewer: Any, bridge: EditingBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._bridge = viewer, bridge
        self._mirrors: list[MirrorLayer] = []
        self._by: SplitBy | None = None
        self._whole: Labels | None = None
        self._was_visible = True
        bridge.working_changed.connect(self._on_working_changed)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    @property
    def by(self) -> SplitBy | None:
        """What the labels are split by, or None while they are whole."""
        return self._by

    @property
    def layers(self) -> tuple[Labels, ...]:
        """The layers of the parts, outermost region or first class first."""
        return tuple(mirror.layer for mirror in self._mirrors)

    def value_of(self, part: Labels) -> int | None:
        """Return the class that is painted in a part, or None for a layer that is no part."""
        return next((mirror.rule.value for mirror in self._mirrors if mirror.layer is part), None)

    def split(self, by: SplitBy) -> None:
        """Show one layer per class or region in place of the working layer, which is hidden meanwhile."""
        self.join()
        layer, scheme = self._bridge.layer, self._bridge.scheme
        if layer is None or scheme is None:
            return
        self._by, self._whole, self._was_visible = by, layer, layer.visible
        # Hiding a layer takes the tool out of its hand.
        tool, selected = layer.mode, int(layer.selected_label)
        layer.visible = False
        for rule in class_rules(scheme) if by is SplitBy.CLASS else region_rules(scheme):
            part = self._add(layer, rule)
            part.mode = tool
            part.selected_label = min(selected, 1)
            self._mirrors.append(MirrorLayer(part, rule, self._bridge, self))
        in_hand = next((mirror for mirror in self._mirrors if mirror.rule.value == selected), self._mirrors[0])
        self._viewer.layers.selection.active = in_hand.layer
        self.changed.emit()

    def join(self) -> None:
        """Remove the parts and show the working layer again; harmless while nothing is split."""
        if self._by is None:
            return
        self._bridge.end_stroke()
        mirrors, self._mirrors, self._by = self._mirrors, [], None
        active = self._viewer.layers.selection.active
        in_hand = next((mirror for mirror in mirrors if mirror.layer is active), None)
        for mirror in mirrors:
            mirror.close()
            mirror.deleteLater()
            if mirror.layer in self._viewer.layers:
                self._viewer.layers.remove(mirror.layer)
        whole, self._whole = self._whole, None
        if whole is not None and whole in self._viewer.layers:
            whole.visible = self._was_visible
            self._viewer.layers.selection.active = whole
            if in_hand is not None:
                whole.selected_label = in_hand.rule.value if in_hand.layer.selected_label else 0
                if whole.visible:
                    whole.mode = str(in_hand.layer.mode)
        self.changed.emit()

    def close(self) -> None:
        """Join and disconnect."""
        self.join()
        self._bridge.working_changed.disconnect(self._on_working_changed)
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)

    def _add(self, whole: Labels, rule: PaintRule) -> Labels:
        identity = identity_of(whole)
        case_id = "" if identity is None else identity.case_id
        mine = LayerIdentity(case_id, Role.SPLIT, rule.name, scheme_id=None if identity is None else identity.scheme_id)
        labels = self._bridge.labels
        layer: Labels = self._viewer.add_labels(
            rule.mask(whole.data if labels is None else labels),
            name=rule.name,
            colormap={0: (0.0, 0.0, 0.0, 0.0), 1: self._colour(whole, rule), None: FOREIGN_COLOUR},
            opacity=whole.opacity,
            scale=whole.scale,
            translate=whole.translate,
            units=whole.units,
            axis_labels=whole.axis_labels,
            metadata={METADATA_KEY: mine},
        )
        layer.brush_size = whole.brush_size
        layer.contour = whole.contour
        return layer

    def _colour(self, whole: Labels, rule: PaintRule) -> tuple[float, ...]:
        # As on screen, which may be the colour-blind set; a class that is hidden there is shown here.
        red, green, blue, _ = whole.colormap.map(rule.value)
        return (float(red), float(green), float(blue), 1.0)

    def _on_working_changed(self, layer: Any) -> None:
        if layer is not self._whole:
            self.join()

    def _on_layer_removed(self, event: Any) -> None:
        for mirror in self._mirrors:
            if mirror.layer is event.value:
                self._mirrors.remove(mirror)
                mirror.close()
                mirror.deleteLater()
                break
        if self._by is not None and not self._mirrors:
            self.join()
