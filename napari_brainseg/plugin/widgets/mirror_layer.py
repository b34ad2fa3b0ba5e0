"""`MirrorLayer`: one class or region of the working labels as a layer of its own, in which painting edits the whole."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer

from napari_brainseg.annotation.editing import as_label_array, changed_voxels
from napari_brainseg.annotation.edits import Edit
from napari_brainseg.annotation.region_painting import PaintRule
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.plugin.widgets.asked_voxels import AskedVoxels
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.label_guard import LabelGuard
from napari_brainseg.plugin.widgets.layer_watch import LayerWatch
from napari_brainseg.plugin.widgets.working_data import integers, make_editable

# The data of every part change at once; drawing parts anew costs several ms each, so it waits for the next picture.
REDRAW_MS = 30


class MirrorLayer(QObject):
    """Pass what is painted in `layer` on to the bridge, and show there what the bridge makes of it.

    Args:
        layer: A labels layer whose data are `rule.mask` of the bridge's labels, 0 and 1.
        rule: Which labels it shows, and what painting in it means.
        bridge: The gateway to the working labels.
    """

    def __init__(self, layer: Labels, rule: PaintRule, bridge: EditingBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.layer, self.rule = layer, rule
        self._bridge = bridge
        self._mask = as_label_array(layer.data).copy()
        self._guard = LabelGuard(layer, 1)
        self._tidy = QTimer(self)
        self._tidy.setSingleShot(True)
        self._tidy.timeout.connect(self._on_tidy)
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.timeout.connect(self._on_redraw)
        self._watch = LayerWatch(layer, self)
        self._watch.touched.connect(self._on_touched)
        self._watch.replaced.connect(self._on_replaced)
        self._watch.stroke_began.connect(bridge.begin_stroke)
        self._watch.stroke_ended.connect(self._on_stroke_ended)
        # Voxels of the part that are painted once more are left to the person in the whole.
        self._asked = AskedVoxels(layer, bridge.dims, lambda: bridge.filling, self)
        self._asked.asked.connect(bridge.hold)
        self._asked.painted.connect(lambda: bridge.end_hold(self._name(self._watch.tool)))
        bridge.changed.connect(self._on_changed)
        for key, action in (("Control-Z", bridge.undo), ("Control-Shift-Z", bridge.redo)):
            layer.bind_key(key, lambda _layer, action=action: action() and None, overwrite=True)

    def close(self) -> None:
        """Let the layer go; harmless for one that the viewer no longer has."""
        self._tidy.stop()
        self._redraw.stop()
        self._bridge.changed.disconnect(self._on_changed)
        self._watch.close()
        self._asked.close()
        self._guard.close()

    def _on_touched(self, tool: str) -> None:
        """Turn the difference to the mask into labels of those voxels."""
        labels, data = self._bridge.labels, integers(self.layer.data)
        if labels is None or data.shape != self._mask.shape:
            return
        seen = as_label_array(data)
        indices = changed_voxels(seen, self._mask)
        if not indices.size:
            return
        wanted = seen.reshape(-1)[indices] != 0
        before = labels.reshape(-1)[indices]
        self._bridge.paint(indices, self.rule.relabel(before, wanted), self._name(tool))
        # `labels` is a view of what the bridge knows by now. What was refused goes back; any value but 0 becomes 1.
        truth = self.rule.mask(labels.reshape(-1)[indices])
        self._show(indices, truth, redraw=bool((truth != seen.reshape(-1)[indices]).any()))

    def _on_changed(self, edit: Edit) -> None:
        indices = edit.indices.astype(np.intp)
        shown = self.rule.mask(edit.after)
        self._show(indices, shown, redraw=bool((shown != self._mask.reshape(-1)[indices]).any()))

    def _show(self, indices: NDArray[np.intp], values: LabelArray, *, redraw: bool) -> None:
        self._mask.reshape(-1)[indices] = values
        self.layer.data.flat[indices] = values
        if redraw and not self._redraw.isActive():
            self._redraw.start(REDRAW_MS)

    def _on_redraw(self) -> None:
        self.layer.refresh(extent=False)

    def _name(self, tool: str) -> str:
        return f"{tool} in {self.rule.name}"

    def _on_stroke_ended(self, tool: str) -> None:
        self._bridge.end_stroke(self._name(tool))

    def _on_replaced(self) -> None:
        self._on_touched("replaced data")
        self._tidy.start(0)

    def _on_tidy(self) -> None:
        if self.layer.data.shape != self._mask.shape:
            self.layer.data = self._mask.copy()
        else:
            make_editable(self.layer)
