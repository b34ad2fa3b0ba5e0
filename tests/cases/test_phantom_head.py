from __future__ import annotations

import numpy as np

from napari_brainseg.cases.phantom_head import add_head
from napari_brainseg.cases.smooth_field import Grid

GRID = Grid.centred((24, 60, 60), (8.0, 4.0, 4.0))


def test_brain_is_kept_and_the_head_lies_around_it():
    inside = np.zeros(GRID.shape, bool)
    inside[10:18, 25:35, 25:35] = True
    white = inside.astype(np.float32)
    head, skin = add_head({"white": white}, inside, GRID, np.random.default_rng(0))
    np.testing.assert_array_equal(head["white"], white)
    assert all(head[name][inside].max() == 0 for name in ("fat", "muscle", "bone", "csf"))
    assert all(f.min() >= 0 and f.max() <= 1 for f in head.values())
    # From outside to inside at the height of the forehead: air, scalp, bone, fluid.
    z = 14
    side = {name: head[name][z, 30, :30] for name in ("fat", "bone", "csf")}
    assert sum(f[0] for f in side.values()) == 0
    peaks = [int(np.argmax(side[name])) for name in ("fat", "bone", "csf")]
    assert peaks == sorted(peaks)
    assert skin[z, 30, 0] > 0 > skin[z, 30, 30]


def test_the_nose_is_in_front():
    _, skin = add_head({}, np.zeros(GRID.shape, bool), GRID, np.random.default_rng(0))
    low = int(np.argmin(np.abs(GRID.z + 58)))
    middle = skin[low, :, 30] < 0
    assert GRID.y[np.flatnonzero(middle)[0]] < -98
    beside = skin[low, :, 30 + 12] < 0
    assert np.flatnonzero(beside)[0] > np.flatnonzero(middle)[0]
