import numpy as np
import pytest
from strokes import drag

from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.plugin.layers import LayerIdentity, Role, identity_of, labels_layer
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.split_layers import SplitBy, SplitLayers

SHAPE = (4, 30, 30)
SPACING = (2.0, 1.0, 1.0)


@pytest.fixture
def bridge(viewer):
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:3, 5:25, 5:25] = 2
    labels[1:3, 10:20, 10:20] = 3
    labels[1:3, 13:17, 13:17] = 1
    data, attributes, _ = labels_layer(
        labels, BRATS2017, SPACING, LayerIdentity("case", Role.WORKING, "segmentation", scheme_id="brats2017")
    )
    bridge = EditingBridge(viewer)
    bridge.attach(viewer.add_labels(data, **attributes), BRATS2017, SPACING)
    viewer.dims.set_current_step(0, 2)
    yield bridge
    bridge.close()


@pytest.fixture
def split(bridge):
    split = SplitLayers(bridge._viewer, bridge)
    yield split
    split.close()


def part(split, name):
    return next(layer for layer in split.layers if layer.name == name)


def stroke(layer, mode, *voxels):
    layer.mode = mode
    layer.brush_size = 1
    drag(layer, list(voxels))


def assert_one_truth(bridge, split):
    """Every part shows the working labels, and the bridge knows no other."""
    labels = bridge.layer.data
    np.testing.assert_array_equal(bridge.labels, labels)
    names = {c.name: (c.value,) for c in BRATS2017.classes}
    if split.by is SplitBy.REGION:
        names = {r.name: r.values for r in BRATS2017.regions}
    for layer in split.layers:
        np.testing.assert_array_equal(layer.data, np.isin(labels, names[layer.name]))


@pytest.mark.parametrize(("by", "names"), [(SplitBy.CLASS, ["NCR", "ED", "ET"]), (SplitBy.REGION, ["WT", "TC", "ET"])])
def test_each_part_is_a_layer_in_its_place_and_colour(bridge, split, by, names):
    split.split(by)
    assert [layer.name for layer in split.layers] == names
    assert not bridge.layer.visible
    for layer in split.layers:
        assert tuple(layer.scale) == SPACING
        identity = identity_of(layer)
        assert (identity.role, identity.case_id) == (Role.SPLIT, "case")
    enhancing = part(split, "ET")
    np.testing.assert_allclose(enhancing.colormap.map(1), bridge.layer.colormap.map(3))
    assert_one_truth(bridge, split)
    assert not bridge.dirty


REGION_STROKES = [  # part, tool, voxel, label before, label after
    ("WT", "paint", (2, 2, 2), 0, 2),
    ("WT", "paint", (2, 15, 15), 1, 1),
    ("WT", "erase", (2, 15, 15), 1, 0),
    ("WT", "erase", (2, 6, 6), 2, 0),
    ("TC", "paint", (2, 2, 2), 0, 1),
    ("TC", "paint", (2, 6, 6), 2, 1),
    ("TC", "paint", (2, 11, 11), 3, 3),
    ("TC", "erase", (2, 15, 15), 1, 2),
    ("TC", "erase", (2, 11, 11), 3, 2),
    ("ET", "paint", (2, 2, 2), 0, 3),
    ("ET", "paint", (2, 15, 15), 1, 3),
    ("ET", "erase", (2, 11, 11), 3, 1),
]


def test_painting_in_a_region_edits_the_labels_inner_over_outer(bridge, split):
    split.split(SplitBy.REGION)
    whole = bridge.layer.data.copy()
    for name, tool, voxel, before, after in REGION_STROKES:
        assert bridge.layer.data[voxel] == before
        expected = whole.copy()
        expected[voxel] = after
        stroke(part(split, name), tool, voxel)
        np.testing.assert_array_equal(bridge.layer.data, expected, f"{tool} in {name}")
        assert_one_truth(bridge, split)
        if before != after:
            bridge.undo()


def test_painting_in_a_class_takes_the_voxels_from_the_others(bridge, split):
    split.split(SplitBy.CLASS)
    stroke(part(split, "ED"), "paint", (2, 11, 11))
    assert bridge.layer.data[2, 11, 11] == 2
    stroke(part(split, "ET"), "erase", (2, 12, 12))
    assert bridge.layer.data[2, 12, 12] == 0
    assert_one_truth(bridge, split)


def test_a_stroke_in_a_part_is_one_step_and_undo_restores_all_parts(bridge, split):
    edited, changed = [], []
    bridge.edited.connect(edited.append)
    bridge.changed.connect(changed.append)
    split.split(SplitBy.REGION)
    before = bridge.layer.data.copy()
    stroke(part(split, "TC"), "paint", (2, 2, 2), (2, 2, 10), (2, 8, 10))
    assert [e.source for e in edited] == ["brush in TC"]
    assert len(changed) == 3
    assert bridge.counts[1] == np.count_nonzero(bridge.layer.data == 1)
    bridge.undo()
    np.testing.assert_array_equal(bridge.layer.data, before)
    assert_one_truth(bridge, split)
    bridge.redo()
    assert_one_truth(bridge, split)


def test_undo_and_redo_keys_are_ours_on_the_parts_too(bridge, split):
    split.split(SplitBy.REGION)
    layer = part(split, "WT")
    before = bridge.layer.data.copy()
    stroke(layer, "paint", (2, 2, 2))
    layer.keymap[next(k for k in layer.keymap if str(k) == "Ctrl+Z")](layer)
    np.testing.assert_array_equal(bridge.layer.data, before)
    layer.keymap[next(k for k in layer.keymap if str(k) == "Ctrl+Shift+Z")](layer)
    assert bridge.layer.data[2, 2, 2] == 2


def test_locks_hold_in_the_parts(bridge, split):
    split.split(SplitBy.REGION)
    bridge.set_locked({3})
    before = bridge.layer.data.copy()
    stroke(part(split, "WT"), "erase", (2, 11, 11))
    stroke(part(split, "ET"), "paint", (2, 2, 2))
    np.testing.assert_array_equal(bridge.layer.data, before)
    assert_one_truth(bridge, split)
    assert bridge.undo() is None


def test_other_ways_of_changing_a_part_are_edits_too(bridge, split, qtbot):
    split.split(SplitBy.CLASS)
    layer = part(split, "ET")
    layer.data[0, 0, 0:4] = 7  # any value but 0 means painted
    layer.refresh()
    assert bridge.layer.data[0, 0, 0:4].tolist() == [3] * 4
    layer.data = np.zeros(SHAPE, np.int32)
    assert bridge.counts[3] == 0
    qtbot.waitUntil(lambda: layer.data.dtype == np.uint8)
    assert_one_truth(bridge, split)
    layer.data = np.zeros((1, 2, 3), np.uint8)
    qtbot.waitUntil(lambda: layer.data.shape == SHAPE)
    assert_one_truth(bridge, split)


def test_a_part_is_drawn_anew_when_another_one_changes_it(bridge, split, qtbot):
    split.split(SplitBy.REGION)
    drawn = []
    part(split, "ET").events.set_data.connect(drawn.append)
    stroke(part(split, "WT"), "erase", (2, 11, 11))
    qtbot.waitUntil(lambda: len(drawn) == 1)


def test_a_programme_s_change_is_shown_in_the_parts(bridge, split):
    split.split(SplitBy.REGION)
    bridge.apply(np.random.default_rng(0).integers(0, 4, SHAPE).astype(np.uint8), "model run")
    assert_one_truth(bridge, split)


def test_no_other_label_than_0_and_1_can_be_selected_in_a_part(bridge, split):
    split.split(SplitBy.CLASS)
    layer = part(split, "ET")
    layer.selected_label = 3
    assert layer.selected_label == 1


def test_joining_loses_nothing_and_leaves_nothing(bridge, split):
    names = [layer.name for layer in bridge._viewer.layers]
    split.split(SplitBy.REGION)
    stroke(part(split, "WT"), "paint", (2, 2, 2))
    expected = bridge.layer.data.copy()
    split.join()
    assert split.by is None
    assert [layer.name for layer in bridge._viewer.layers] == names
    assert bridge.layer.visible
    assert bridge._viewer.layers.selection.active is bridge.layer
    np.testing.assert_array_equal(bridge.layer.data, expected)
    assert bridge.undo() is not None


def test_splitting_otherwise_joins_first(bridge, split):
    split.split(SplitBy.CLASS)
    split.split(SplitBy.REGION)
    assert [layer.name for layer in split.layers] == ["WT", "TC", "ET"]
    assert len(bridge._viewer.layers) == 4


def test_deleting_the_working_layer_ends_the_split(bridge, split):
    split.split(SplitBy.CLASS)
    bridge._viewer.layers.remove(bridge.layer)
    assert split.by is None
    assert len(bridge._viewer.layers) == 0


def test_deleting_parts_deletes_no_labels(bridge, split):
    split.split(SplitBy.CLASS)
    before = bridge.layer.data.copy()
    bridge._viewer.layers.remove(part(split, "ED"))
    stroke(part(split, "ET"), "paint", (2, 2, 2))
    assert_one_truth(bridge, split)
    bridge.undo()
    for layer in split.layers:
        bridge._viewer.layers.remove(layer)
    assert split.by is None
    assert bridge.layer.visible
    np.testing.assert_array_equal(bridge.layer.data, before)
    assert not bridge.history.next_undo


def test_clearing_the_viewer_while_split_is_quiet(bridge, split):
    split.split(SplitBy.REGION)
    bridge._viewer.layers.clear()
    assert split.by is None
    assert bridge.layer is None
