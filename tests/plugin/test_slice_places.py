"""Where to look next in the open case: found in a thread, walked through, kept to what is confirmed and changed."""

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_brainseg.cases.case import BRATS_CHANNELS, Case, Naming
from napari_brainseg.cases.labels import BRATS2017, BRATS2024
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.plugin.widgets import slice_places
from napari_brainseg.plugin.widgets.confirmations import Confirmations
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.slice_places import SlicePlaces

SHAPE = (12, 20, 20)
GAP = 6
ED = 2


class Workplace:
    """A tumour on slices 2 to 9 that is missing on slice 6, 2 mm thick."""

    def __init__(self):
        labels = np.zeros(SHAPE, np.uint8)
        labels[2:10, 5:15, 5:15] = ED
        labels[GAP] = 0
        geometry = Geometry(SHAPE, (2.0, 1.0, 1.0))
        images = {"flair": Volume(np.ones(SHAPE, np.float32), geometry)}
        self.case = Case("a", images, BRATS_CHANNELS, geometry, None, BRATS2017, Naming.BRATS_2017)
        self.viewer = ViewerModel()
        self.layer = self.viewer.add_layer(Labels(labels, scale=(2.0, 1.0, 1.0)))
        self.bridge = EditingBridge(self.viewer)
        self.confirmations = Confirmations(self.viewer, self.bridge)
        self.confirmations.begin(self.case, BRATS2017)
        self.places = SlicePlaces(self.viewer, self.bridge, self.confirmations)
        self.said, self.looked, self.changes = [], [], []
        self.places.said.connect(self.said.append)
        self.places.looked.connect(lambda case, outlook: self.looked.append((case, outlook)))
        self.places.changed.connect(lambda: self.changes.append(self.order))

    @property
    def order(self):
        return [place.index for place in self.places.places]

    @property
    def shown(self):
        return round(self.viewer.dims.point[0] / 2)

    def attach(self):
        self.bridge.attach(self.layer, BRATS2017, (2.0, 1.0, 1.0))

    def answer(self, model="one 1", **doubts):
        """Return what a model gave: the labels as they are, unsure in so many voxels of the slices `at_<index>`."""
        doubt = np.zeros(SHAPE, np.float16)
        for name, count in doubts.items():
            doubt[int(name.removeprefix("at_"))].reshape(-1)[:count] = 1
        labels = np.array(self.layer.data)
        return Segmentation.for_case(
            self.case, labels, BRATS2017, model=model, uncertainty=doubt, uncertainty_name="entropy"
        )

    def close(self):
        self.places.close()
        self.confirmations.close()
        self.bridge.close()


@pytest.fixture
def workplace(qapp, monkeypatch):
    monkeypatch.setattr(slice_places, "REST_MS", 20)
    made = Workplace()
    yield made
    made.close()


@pytest.fixture
def looked_at(workplace, qtbot):
    workplace.attach()
    qtbot.waitUntil(lambda: bool(workplace.order))
    return workplace


def test_says_that_there_are_no_labels_yet(workplace):
    workplace.places.go_next()

    assert workplace.said == ["There are no working labels yet. Segment the case, or start from labels."]
    assert workplace.places.here is None


def test_n_goes_to_the_slice_that_was_left_out_and_says_why(looked_at):
    looked_at.places.go_next()

    assert looked_at.shown == GAP
    assert looked_at.said == [f"Slice {GAP}: no oedema here, but on the slices around it."]
    assert looked_at.places.here.index == GAP


def test_n_goes_on_shift_n_back_and_the_round_begins_again(looked_at):
    order, seen = looked_at.order, []
    for _ in order:
        looked_at.places.go_next()
        seen.append(looked_at.shown)
    assert seen == order
    assert looked_at.places.next_places == []

    looked_at.places.go_back()
    assert looked_at.shown == order[-2]
    looked_at.places.go_next()
    assert looked_at.shown == order[-1]
    looked_at.places.go_next()
    assert looked_at.shown == order[0]
    looked_at.places.go_back()
    assert looked_at.said[-1] == "There is no earlier place to look at."


def test_a_confirmed_slice_leaves_the_list_at_once_and_comes_back(looked_at):
    looked_at.places.go_next()
    before = looked_at.order

    assert looked_at.confirmations.confirm_slice()
    assert looked_at.order == before[1:]
    looked_at.places.go_back()
    assert looked_at.said[-1] == "There is no earlier place to look at."
    looked_at.places.go_next()
    assert looked_at.shown == before[1]

    looked_at.viewer.dims.set_point(0, 2.0 * GAP)
    looked_at.confirmations.take_back()
    assert looked_at.order == before


def test_a_slice_confirmed_in_another_plane_stays_a_place(looked_at):
    before = looked_at.order
    looked_at.viewer.dims.order = (1, 0, 2)

    assert looked_at.confirmations.confirm_slice()

    assert looked_at.order == before


def test_from_another_plane_or_3d_n_shows_the_axial_slice(looked_at):
    for change in ({"order": (1, 0, 2)}, {"ndisplay": 3}):
        looked_at.places.forget_answer()
        for name, value in change.items():
            setattr(looked_at.viewer.dims, name, value)
        looked_at.places.go_next()

        assert looked_at.viewer.dims.ndisplay == 2
        assert looked_at.viewer.dims.not_displayed == (0,)
        assert looked_at.shown == GAP


def test_a_corrected_slice_is_ranked_again_when_the_hand_rests(looked_at, qtbot):
    labels = np.array(looked_at.bridge.labels)
    labels[GAP] = labels[GAP + 1]

    looked_at.bridge.apply(labels, "brush")
    qtbot.waitUntil(lambda: len(looked_at.looked) == 2)

    assert "no oedema" not in " ".join(place.reason for place in looked_at.places.places)


def test_an_answer_ranks_by_doubt_and_what_a_person_changes_is_no_doubt_any_more(looked_at, qtbot):
    looked_at.places.take_answer(looked_at.answer(at_3=60, at_8=40), None)
    qtbot.waitUntil(lambda: looked_at.order[0] == 3)
    assert looked_at.places.places[0].reason == "unsure whether something was missed"

    labels = np.array(looked_at.bridge.labels)
    labels[3].reshape(-1)[:60] = ED
    looked_at.bridge.apply(labels, "brush")
    qtbot.waitUntil(lambda: looked_at.order[0] != 3)

    doubt = [p for p in looked_at.places.places if p.index == 8]
    assert doubt[0].reason == "unsure whether something was missed"


def test_the_answer_of_one_slice_replaces_that_slice_alone(looked_at, qtbot):
    looked_at.places.take_answer(looked_at.answer(at_3=60, at_8=40), None)
    qtbot.waitUntil(lambda: looked_at.order[0] == 3)

    looked_at.places.take_answer(looked_at.answer(at_0=400), 3)  # sure of slice 3 now; of the others it says nothing
    qtbot.waitUntil(lambda: looked_at.order[0] == 8)

    assert 0 not in looked_at.order


def test_one_slice_alone_says_nothing_of_the_others(looked_at, qtbot):
    before, changes = looked_at.order, len(looked_at.changes)

    looked_at.places.take_answer(looked_at.answer(at_1=400), 1)
    qtbot.wait(80)

    assert looked_at.order == before
    assert len(looked_at.changes) == changes


def test_where_another_model_answers_otherwise_is_a_place(looked_at, qtbot):
    first = looked_at.answer()
    other = np.array(first.labels)
    other[4, 15:19, 5:15] = ED
    looked_at.places.take_answer(replace(first, labels=other, model="two 1"), None)
    looked_at.places.take_answer(first, None)
    qtbot.waitUntil(lambda: looked_at.order[0] == 4)

    assert looked_at.places.places[0].reason == "two answers differ in 40 voxels, mostly oedema"


def test_an_answer_in_another_scheme_is_compared_by_what_it_means(looked_at, qtbot):
    answer = replace(looked_at.answer(at_3=60), scheme=BRATS2024)

    looked_at.places.take_answer(answer, None)

    qtbot.waitUntil(lambda: looked_at.order[0] == 3)


def test_work_that_goes_on_from_other_labels_forgets_the_answer(looked_at, qtbot):
    looked_at.places.take_answer(looked_at.answer(at_3=60), None)
    qtbot.waitUntil(lambda: looked_at.order[0] == 3)

    looked_at.places.forget_answer()

    qtbot.waitUntil(lambda: looked_at.order[0] == GAP)


def test_tells_volume_and_expected_error(looked_at):
    case, outlook = looked_at.looked[0]

    assert case is looked_at.case
    assert (outlook.voxels, outlook.ml) == (700, 1.4)
    # The slice that was left out is 100 voxels from either neighbour.
    assert outlook.expected_error == pytest.approx(100 / 700)


def test_letting_go_of_the_labels_empties_the_list(looked_at):
    looked_at.bridge.detach()

    assert looked_at.order == []
    assert looked_at.places.here is None


def test_nothing_is_looked_at_while_a_run_fills_the_labels_in(looked_at, qtbot):
    looked_at.bridge.begin_run()
    looked_at.places.forget_answer()
    qtbot.wait(80)
    assert len(looked_at.looked) == 1

    labels = np.array(looked_at.bridge.labels)
    labels[GAP] = labels[GAP + 1]
    looked_at.bridge.finish_run([((slice(None),) * 3, labels)], "model run one 1")
    qtbot.waitUntil(lambda: len(looked_at.looked) == 2)


def test_empty_labels_have_no_place(looked_at, qtbot):
    looked_at.bridge.apply(np.zeros(SHAPE, np.uint8), "brush")
    qtbot.waitUntil(lambda: looked_at.order == [])

    looked_at.places.go_next()

    assert looked_at.said[-1] == "No slice looks wrong that is not confirmed already."
