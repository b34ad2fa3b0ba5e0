"""What is asked for is held against what napari really paints."""

import itertools

import numpy as np
import pytest
from strokes import drag

from napari_brainseg.plugin.widgets.asked_voxels import AskedVoxels

SHAPE = (6, 30, 40)


@pytest.fixture
def layer(viewer):
    return viewer.add_labels(np.zeros(SHAPE, np.uint8), scale=(3.0, 1.0, 1.0))


@pytest.fixture
def asked(viewer, layer):
    """A set of the flat positions that were asked for, while `wanted` is on."""

    class Asked:
        wanted = True
        voxels = np.zeros(0, int)
        calls = 0

        def add(self, voxels):
            self.voxels = np.union1d(self.voxels, voxels)

        def count(self):
            self.calls += 1

    log = Asked()
    watch = AskedVoxels(layer, viewer.dims, lambda: log.wanted)
    watch.asked.connect(log.add)
    watch.painted.connect(log.count)
    log.watch = watch
    return log


def draw(layer, what, value):
    if what == "paint":
        layer.paint((2.2, 14.6, 20.0), value)
    elif what == "edge":
        layer.paint((5, 1, 39), value)
    else:
        layer.paint_polygon([(2, 3, 4), (2, 3, 19), (2, 17, 25), (2, 20, 2)], value)


@pytest.mark.parametrize(
    ("what", "order", "dimensions"),
    [
        ("polygon", (0, 1, 2), 2),
        *itertools.product(("paint", "edge"), ((0, 1, 2), (1, 0, 2), (2, 0, 1)), (2, 3)),
    ],
)
def test_voxels_that_have_the_value_are_those_that_napari_paints(layer, viewer, asked, what, order, dimensions):
    viewer.dims.order = order
    layer.n_edit_dimensions = dimensions
    layer.brush_size = 9
    draw(layer, what, 2)
    painted = np.flatnonzero(layer.data)
    assert asked.voxels.size == 0, "nothing had the value"

    draw(layer, what, 2)

    np.testing.assert_array_equal(asked.voxels, painted)
    assert asked.calls == 2


def test_a_fill_asks_for_the_region_that_has_the_value(layer, asked):
    layer.data[2, 10:18, 15:25] = 1
    layer.data[3, 10:18, 15:25] = 1
    layer.data[2, 0, 0] = 1

    layer.fill((2, 14, 20), 1)

    region = np.zeros(SHAPE, bool)
    region[2, 10:18, 15:25] = True
    np.testing.assert_array_equal(asked.voxels, np.flatnonzero(region))


def test_the_mouse_asks_too_and_another_value_for_nothing(layer, asked):
    layer.mode, layer.brush_size, layer.selected_label = "paint", 1, 1
    layer.data[2, 5, 3:12] = 1
    layer.data[2, 9, 7] = 2
    asked.wanted = False
    drag(layer, [(2, 5, 3), (2, 5, 11)])
    assert asked.voxels.size == asked.calls == 0
    asked.wanted = True

    drag(layer, [(2, 5, 3), (2, 5, 11)])
    drag(layer, [(2, 9, 7)])

    np.testing.assert_array_equal(asked.voxels, [np.ravel_multi_index((2, 5, x), SHAPE) for x in range(3, 12)])


def test_closing_gives_napari_s_own_methods_back(layer, asked):
    assert layer.paint.__name__ == "call"

    asked.watch.close()

    assert layer.paint.__func__ is type(layer).paint
    layer.paint((2, 5, 5), 1)
    layer.paint((2, 5, 5), 1)
    assert asked.calls == 0
