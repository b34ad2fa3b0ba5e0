from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.annotation.edits import Edit, EditHistory
from napari_brainseg.cases.case import BRATS_CHANNELS, Case, Naming
from napari_brainseg.cases.labels import BRATS2017, BRATS2023, LGG
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.plugin.widgets.confirmations import Confirmations
from napari_brainseg.plugin.widgets.confirmed_strip import ConfirmedStrip, StripState, follow
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge

SHAPE = (6, 8, 10)


class Bridge(QObject):
    edited = Signal(object)
    leaving = Signal()

    def __init__(self, layer, scheme):
        super().__init__()
        self.layer, self.scheme = layer, scheme
        self.history, self.filling = EditHistory(), False

    @property
    def settled(self):
        return None if self.layer is None else self.layer.data

    def paint(self, where, value, source="brush"):
        before = self.layer.data.copy()
        self.layer.data[where] = value
        indices = np.flatnonzero(before != self.layer.data)
        after = self.layer.data.reshape(-1)[indices]
        edit = Edit(indices, before.reshape(-1)[indices], after, source, before.shape)
        self.history.push(edit)
        self.edited.emit(edit)

    def step(self, what):
        edit = getattr(self.history, what)()
        self.layer.data.reshape(-1)[edit.indices] = edit.after
        self.edited.emit(edit)


@pytest.fixture
def case():
    image = np.ones(SHAPE, np.float32)
    image[0] = 0  # the lowest slice holds nothing
    geometry = Geometry(SHAPE, (2.0, 1.0, 1.0))
    return Case("a", {"flair": Volume(image, geometry)}, BRATS_CHANNELS, geometry, None, BRATS2017, Naming.BRATS_2017)


@pytest.fixture
def viewer():
    model = ViewerModel()
    model.add_layer(Labels(np.zeros(SHAPE, np.uint8), scale=(2.0, 1.0, 1.0)))
    return model


@pytest.fixture
def bridge(qapp, viewer):
    return Bridge(viewer.layers[0], BRATS2017)


@pytest.fixture
def confirmations(viewer, bridge, case):
    made = Confirmations(viewer, bridge)
    made.begin(case, BRATS2017)
    yield made
    made.close()


@pytest.fixture
def corrections(confirmations):
    made = []
    confirmations.correction_made.connect(lambda _case, correction: made.append(correction))
    return made


def test_confirms_the_axial_slice_shown(confirmations, viewer, bridge, corrections):
    bridge.paint(np.s_[3, 2:4, 2:4], 2)
    viewer.dims.set_point(0, 6.0)  # mm; slices are 2 mm apart

    assert confirmations.confirm_slice()

    expected = np.zeros(SHAPE, bool)
    expected[3] = True
    np.testing.assert_array_equal(confirmations.mask, expected)
    assert confirmations.slices == (ConfirmedSlice(0, 3),)
    assert confirmations.count_text == "1 of 5 slices"
    np.testing.assert_array_equal(corrections[-1].labels, bridge.layer.data)


def test_confirms_in_whatever_plane_is_shown(confirmations, viewer):
    viewer.dims.order = (2, 0, 1)
    viewer.dims.set_point(2, 7.0)

    confirmations.confirm_slice()

    assert confirmations.slices == (ConfirmedSlice(2, 7),)
    assert confirmations.mask[:, :, 7].all()
    assert confirmations.mask.sum() == SHAPE[0] * SHAPE[1]
    assert confirmations.count_text == "1 of 10 slices"


def test_taking_back_keeps_what_another_plane_confirms(confirmations, viewer, corrections):
    viewer.dims.set_point(0, 4.0)
    confirmations.confirm_slice()
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_point(1, 5.0)
    confirmations.confirm_slice()

    assert confirmations.take_back()

    assert confirmations.slices == (ConfirmedSlice(0, 2),)
    assert confirmations.mask[2].all()
    assert confirmations.mask.sum() == SHAPE[1] * SHAPE[2]
    np.testing.assert_array_equal(corrections[-1].confirmed, confirmations.mask)


def test_taking_back_what_was_not_confirmed_says_so(confirmations, corrections):
    said = []
    confirmations.said.connect(said.append)

    assert not confirmations.take_back()

    assert "was not confirmed" in said[0]
    assert corrections == []


def test_painting_on_a_confirmed_slice_keeps_it_confirmed_and_is_saved(
    confirmations, viewer, bridge, corrections, qtbot
):
    viewer.dims.set_point(0, 6.0)
    confirmations.confirm_slice()

    bridge.paint(np.s_[3, 1, 1], 3)

    assert confirmations.is_confirmed()
    qtbot.waitUntil(lambda: len(corrections) == 2, timeout=5000)
    assert corrections[-1].labels[3, 1, 1] == 3
    assert confirmations.changed_along(0) == {3}
    assert confirmations.changed_along(1) == {1}


def test_closing_saves_a_stroke_that_still_rests(confirmations, viewer, bridge, corrections):
    confirmations.confirm_slice()
    bridge.paint(np.s_[:, 1, 1], 1)

    confirmations.end()

    shown = corrections[-1].slices[0].index
    assert corrections[-1].labels[shown, 1, 1] == 1


def test_a_model_run_changes_no_truth(confirmations, viewer, bridge):
    viewer.dims.set_point(0, 6.0)
    bridge.paint(np.s_[3, 1, 1], 2)
    confirmations.confirm_slice()

    bridge.paint(np.s_[:], 1, source="model run lgg 1")

    assert confirmations.correction().labels[3, 1, 1] == 2
    assert confirmations.changed_along(0) == {3}
    kept = confirmations.keep_confirmed(np.ones(SHAPE, np.uint8), BRATS2017)
    np.testing.assert_array_equal(kept[3], confirmations.correction().labels[3])
    assert (np.delete(kept, 3, axis=0) == 1).all()


def test_starting_from_other_labels_makes_no_truth(confirmations, viewer, bridge):
    viewer.dims.set_point(0, 6.0)
    confirmations.confirm_slice()

    bridge.paint(np.s_[3, 1, 1], 2, source="start from the case's labels")

    assert confirmations.correction().labels[3, 1, 1] == 0
    assert confirmations.changed_along(0) == frozenset()


def test_a_layer_let_go_is_saved_as_it_was(confirmations, viewer, bridge, corrections):
    confirmations.confirm_slice()
    bridge.paint(np.s_[:, 1, 1], 1)

    bridge.leaving.emit()
    bridge.layer = None
    confirmations.end()

    assert len(corrections) == 2
    assert (corrections[-1].labels[:, 1, 1] == 1).all()


def test_restoring_keeps_what_was_confirmed_meanwhile(confirmations, viewer, bridge, corrections):
    viewer.dims.set_point(0, 6.0)
    bridge.paint(np.s_[3], 1)
    confirmations.confirm_slice()
    mask = mask_of([ConfirmedSlice(0, 3), ConfirmedSlice(0, 4)], SHAPE)

    confirmations.restore(Correction("a", np.full(SHAPE, 2, np.uint8), mask, BRATS2017,
                                     (ConfirmedSlice(0, 3), ConfirmedSlice(0, 4))))  # fmt: skip

    assert (corrections[-1].labels[3] == 1).all()
    assert (corrections[-1].labels[4] == 2).all()
    assert len(confirmations.slices) == 2


def test_an_undone_run_counts_as_no_change_by_a_person(confirmations, bridge):
    bridge.paint(np.s_[:], 1, source="model run lgg 1")
    bridge.step("undo")
    bridge.step("redo")

    assert confirmations.changed_along(0) == frozenset()


def test_a_foreign_value_is_not_confirmed(confirmations, viewer, bridge):
    said = []
    confirmations.said.connect(said.append)
    viewer.dims.set_point(0, 6.0)
    bridge.paint(np.s_[3, 1, 1], 9)

    assert not confirmations.confirm_slice()

    assert said == ["Axial slice 3 holds the value 9, which BraTS 2017 does not have. Paint over it before confirming."]
    assert confirmations.slices == ()


def test_a_foreign_value_elsewhere_does_not_reach_the_correction(confirmations, viewer, bridge):
    bridge.paint(np.s_[5, 1, 1], 9)
    viewer.dims.set_point(0, 6.0)

    confirmations.confirm_slice()

    assert confirmations.correction().labels[5, 1, 1] == 0


@pytest.mark.parametrize("nothing", ["3-D view", "no layer", "no case"])
def test_without_a_slice_it_says_what_to_do(confirmations, viewer, bridge, nothing):
    said = []
    confirmations.said.connect(said.append)
    if nothing == "3-D view":
        viewer.dims.ndisplay = 3
    elif nothing == "no layer":
        bridge.layer = None
    else:
        confirmations.end()

    assert not confirmations.confirm_slice()
    assert not confirmations.take_back()
    assert len(said) == 2
    assert said[0] == said[1]
    assert said[0].endswith("confirm slices.")


def test_begins_again_with_what_the_project_holds(confirmations, case):
    mask = np.zeros(SHAPE, bool)
    mask[2] = True
    labels = np.full(SHAPE, 2, np.uint8)
    stored = Correction("a", labels, mask, BRATS2017, (ConfirmedSlice(0, 2),), labels, "brats 1")

    confirmations.begin(case, BRATS2017)
    confirmations.restore(stored)

    assert confirmations.slices == (ConfirmedSlice(0, 2),)
    kept = confirmations.keep_confirmed(np.zeros(SHAPE, np.uint8), BRATS2017)
    assert (kept[2] == 2).all()
    assert kept.sum() == 2 * SHAPE[1] * SHAPE[2]
    assert confirmations.correction().model == "brats 1"


def test_another_scheme_maps_by_meaning_or_is_refused(confirmations, viewer, bridge, case):
    viewer.dims.set_point(0, 6.0)
    bridge.paint(np.s_[3, 1, 1], 3)
    confirmations.confirm_slice()
    bridge.scheme = BRATS2023

    viewer.dims.set_point(0, 8.0)
    assert confirmations.confirm_slice()
    assert confirmations.correction().scheme == BRATS2023
    assert confirmations.correction().labels[3, 1, 1] == 3

    said = []
    confirmations.said.connect(said.append)
    lgg = np.zeros(SHAPE, np.uint8)
    confirmations.begin(case, LGG)
    confirmations.restore(Correction("a", lgg + 1, lgg == 0, LGG, (ConfirmedSlice(0, 0),)))
    bridge.scheme = BRATS2017
    assert not confirmations.confirm_slice()
    assert "BraTS 2017 cannot hold FLAIR abnormality" in said[-1]


def test_the_prediction_gives_the_diff(confirmations, viewer, bridge):
    confirmations.set_prediction(np.zeros(SHAPE, np.uint8), BRATS2017, "brats 1")
    viewer.dims.set_point(0, 6.0)
    bridge.paint(np.s_[3, 1, 1:3], 3)
    bridge.paint(np.s_[4, 1, 1], 3)
    confirmations.confirm_slice()

    changed = confirmations.correction().changed
    assert changed.sum() == 2
    assert changed[3, 1, 1:3].all()


def test_the_strip_follows_and_goes_to_a_slice(confirmations, viewer, bridge, qtbot):
    strip = ConfirmedStrip()
    qtbot.addWidget(strip)
    strip.resize(60, 14)
    follow(strip, confirmations)
    viewer.dims.set_point(0, 6.0)
    bridge.paint(np.s_[4, 1, 1], 1)

    confirmations.confirm_slice()

    assert strip.state == StripState(6, frozenset({3}), frozenset({4}), 3)
    assert strip.describe(3) == "slice 3: confirmed"
    assert strip.describe(4) == "slice 4: changed, not confirmed"
    assert strip.describe(0) == "slice 0: not seen yet, not confirmed"
    strip.slice_requested.emit(strip.slice_at(51))
    assert strip.state.here == 5
    image = strip.grab().toImage()
    confirmed, changed = (image.pixelColor(x * image.width() // 60, image.height() // 2) for x in (35, 45))
    assert confirmed.green() > confirmed.blue() > confirmed.red()
    assert changed.blue() > changed.red()


def test_closing_disconnects_from_the_viewer(confirmations, viewer):
    heard = []
    confirmations.shown_changed.connect(lambda: heard.append(1))
    viewer.dims.set_point(0, 6.0)
    assert heard
    heard.clear()
    confirmations.close()

    viewer.dims.set_point(0, 8.0)

    assert heard == []


def test_with_the_real_bridge_and_viewer(make_napari_viewer, case, qtbot):
    viewer = make_napari_viewer()
    layer = viewer.add_labels(np.zeros(SHAPE, np.uint8), scale=(2.0, 1.0, 1.0))
    bridge = EditingBridge(viewer)
    bridge.attach(layer, BRATS2017, (2.0, 1.0, 1.0))
    confirmations = Confirmations(viewer, bridge)
    confirmations.begin(case, BRATS2017)
    viewer.dims.set_point(0, 6.0)
    layer.data_setitem(tuple(np.array([[3, 2, 2], [3, 2, 3]]).T), 2)
    bridge.sync()
    assert confirmations.confirm_slice()

    layer.data_setitem(tuple(np.array([[3, 4, 4]]).T), 1)
    bridge.sync()
    assert confirmations.correction().labels[3, 4, 4] == 1
    bridge.undo()

    assert confirmations.is_confirmed()
    assert confirmations.correction().labels[3].sum() == 4
    bridge.apply(confirmations.keep_confirmed(np.full(SHAPE, 3, np.uint8), BRATS2017), "model run brats 1")
    np.testing.assert_array_equal(confirmations.correction().labels[3], layer.data[3])
    assert (layer.data[2] == 3).all()
    confirmations.close()
    bridge.close()


def test_a_slice_taken_back_is_not_confirmed_by_what_the_project_held(confirmations, viewer, corrections):
    viewer.dims.set_point(0, 6.0)
    confirmations.confirm_slice()
    confirmations.take_back()

    slices = (ConfirmedSlice(0, 2), ConfirmedSlice(0, 3))
    confirmations.restore(Correction("a", np.ones(SHAPE, np.uint8), mask_of(slices, SHAPE), BRATS2017, slices))

    assert corrections[1].taken_back == (ConfirmedSlice(0, 3),)
    assert confirmations.slices == (ConfirmedSlice(0, 2),)
    assert not confirmations.mask[3].any()


def test_a_prediction_in_another_scheme_is_kept_by_meaning(confirmations, viewer, bridge):
    bridge.scheme = BRATS2023
    confirmations.set_prediction(np.full(SHAPE, 3, np.uint8), BRATS2023, "brats 1")
    viewer.dims.set_point(0, 6.0)

    confirmations.confirm_slice()

    correction = confirmations.correction()
    assert correction.scheme is BRATS2023
    assert (correction.predicted == 3).all()
    assert correction.model == "brats 1"


def test_going_on_from_other_labels_forgets_the_prediction(confirmations):
    confirmations.set_prediction(np.full(SHAPE, 2, np.uint8), BRATS2017, "brats 1")

    confirmations.forget_prediction()

    assert confirmations.correction().predicted is None
    assert confirmations.correction().model == ""


def test_the_changed_case_is_the_one_that_is_saved(confirmations, case, viewer):
    saved = []
    confirmations.correction_made.connect(lambda case, _correction: saved.append(case))
    spaced = replace(case, notes=("another",))

    confirmations.update_case(spaced)
    confirmations.confirm_slice()

    assert saved == [spaced]
    assert confirmations.case is spaced
