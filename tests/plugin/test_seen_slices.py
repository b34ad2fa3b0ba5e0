"""Half a second with the labels on screen, in a viewer."""

import numpy as np
import pytest
from napari.layers import Labels

from napari_brainseg.plugin.layers import METADATA_KEY, LayerIdentity, Role
from napari_brainseg.plugin.widgets.seen_slices import LONG_ENOUGH_MS, SeenSlices
from napari_brainseg.plugin.widgets.shown_slice import ShownSlice


@pytest.fixture
def layer(viewer):
    layer = viewer.add_labels(np.zeros((6, 8, 10), np.uint8), scale=(2.0, 1.0, 1.0))
    viewer.dims.set_current_step(0, 2)
    return layer


@pytest.fixture
def seen(viewer, layer):
    where = ShownSlice(viewer, lambda: layer)
    seen = SeenSlices(where)
    where.changed.connect(seen.look)
    yield seen
    seen.stop()
    where.close()


def test_a_slice_is_seen_after_half_a_second_and_not_in_passing(seen, viewer, qtbot):
    seen.look()
    qtbot.wait(LONG_ENOUGH_MS // 3)
    assert seen.along(0) == frozenset()
    viewer.dims.set_current_step(0, 3)
    qtbot.wait(LONG_ENOUGH_MS // 3)
    viewer.dims.set_current_step(0, 4)

    with qtbot.waitSignal(seen.changed, timeout=5 * LONG_ENOUGH_MS):
        pass

    assert seen.along(0) == {4}
    assert seen.along(1) == frozenset()


def test_it_counts_in_the_plane_shown(seen, viewer, qtbot):
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_current_step(1, 5)
    qtbot.waitUntil(lambda: seen.along(1) == {5}, timeout=5 * LONG_ENOUGH_MS)
    assert seen.along(0) == frozenset()


def test_hidden_labels_are_not_seen_before_they_are_back(seen, viewer, layer, qtbot):
    layer.visible = False
    seen.look()
    qtbot.wait(2 * LONG_ENOUGH_MS)
    assert seen.along(0) == frozenset()

    part = Labels(np.zeros((6, 8, 10), np.uint8), metadata={METADATA_KEY: LayerIdentity("a", Role.SPLIT, "ET")})
    viewer.add_layer(part)  # the labels are split: their parts are drawn in their place
    qtbot.waitUntil(lambda: seen.along(0) == {2}, timeout=5 * LONG_ENOUGH_MS)


def test_in_3d_nothing_is_seen(seen, viewer, qtbot):
    viewer.dims.ndisplay = 3
    seen.look()
    qtbot.wait(2 * LONG_ENOUGH_MS)
    assert seen.along(0) == seen.along(1) == seen.along(2) == frozenset()


def test_other_labels_have_not_been_seen(seen, qtbot):
    seen.look()
    qtbot.waitUntil(lambda: seen.along(0) == {2}, timeout=5 * LONG_ENOUGH_MS)
    seen.forget()
    assert seen.along(0) == frozenset()
    qtbot.waitUntil(lambda: seen.along(0) == {2}, timeout=5 * LONG_ENOUGH_MS)
