"""Strokes with a mouse as napari's canvas would pass them on, for tests of editing."""

import numpy as np
from napari.utils._test_utils import read_only_mouse_event
from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks, mouse_release_callbacks


def drag(layer, points, button=1):
    """Press, move and release the mouse over voxels (Z, Y, X), as napari's canvas would."""

    def event(kind, voxel, dragging):
        return read_only_mouse_event(
            kind,
            is_dragging=dragging,
            button=button,
            position=tuple(layer.data_to_world(voxel)),
            dims_displayed=[1, 2],
        )

    mouse_press_callbacks(layer, event("mouse_press", points[0], False))
    for point in points[1:]:
        mouse_move_callbacks(layer, event("mouse_move", point, True))
    mouse_release_callbacks(layer, event("mouse_release", points[-1], False))


def assert_one_truth(bridge):
    """The bridge's copy, its counts and the layer are one."""
    np.testing.assert_array_equal(bridge.labels, bridge.layer.data)
    np.testing.assert_array_equal(bridge.counts, np.bincount(bridge.layer.data.reshape(-1), minlength=256))
