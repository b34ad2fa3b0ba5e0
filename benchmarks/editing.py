"""Painting on a 155 x 240 x 240 volume: what one move of the brush costs with the editing gateway and live volumes.

The alternative is napari's own painting with every volume counted again from the whole array after each move, as a
script connected to the paint event would do it. A ratio above 1 means that brainseg is quicker. Drawing is left out.
"""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import QCoreApplication

from benchmarks.timing import compared, in_turn
from napari_brainseg.annotation.volumes import measure_volumes
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.plugin.layers import LayerIdentity, Role, labels_layer
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge

SHAPE = (155, 240, 240)
MOVES = 40


def _layer(viewer: ViewerModel) -> object:
    labels = np.zeros(SHAPE, np.uint8)
    labels[60:100, 80:140, 90:160] = 2
    labels[70:90, 95:125, 110:140] = 1
    identity = LayerIdentity("bench", Role.WORKING, "segmentation", scheme_id=BRATS2017.id)
    data, attributes, _ = labels_layer(labels, BRATS2017, (1.0, 1.0, 1.0), identity)
    layer = viewer.add_labels(data, **attributes)
    layer.selected_label, layer.brush_size, layer.mode = 3, 10, "paint"
    return layer


def _paint(layer: object, after_each: object) -> None:
    for move in range(MOVES):
        layer.paint((80, 90 + move, 100 + move), 1 + move % 3)
        after_each()


def run() -> None:
    """Print the time of a stroke of forty moves, and of one move."""
    application = QCoreApplication.instance() or QCoreApplication([])
    viewer = ViewerModel()
    ours = _layer(viewer)
    bridge = EditingBridge(viewer)
    bridge.attach(ours, BRATS2017, (1.0, 1.0, 1.0))
    plain = _layer(ViewerModel())
    mine, theirs = in_turn(
        lambda: _paint(ours, bridge.volumes),
        lambda: _paint(plain, lambda: measure_volumes(np.bincount(plain.data.ravel(), minlength=256), BRATS2017, 1.0)),
    )
    print(compared(f"a stroke of {MOVES} moves", mine, theirs, "counting again"))
    print(f"one move with live volumes: {1000 * sorted(mine)[len(mine) // 2] / MOVES:.1f} ms")
    bridge.close()
    del application
