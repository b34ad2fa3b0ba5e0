"""Runs whose every step the test gives: labels that arrive while a person works."""

import queue
from types import SimpleNamespace

import numpy as np
import pytest
from case_files import CASE_SHAPE, TUMOUR_SLICE
from strokes import drag

import napari_brainseg.inference.engine
from napari_brainseg.annotation.journal import list_journals
from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.inference.delivery import Delivery
from napari_brainseg.plugin.layers import Role, identity_of
from napari_brainseg.plugin.widgets.segment_control import go_to_slice, shown_slice
from napari_brainseg.plugin.widgets.split_layers import SplitBy

WHOLE = (slice(0, CASE_SHAPE[0]), slice(0, CASE_SHAPE[1]), slice(0, CASE_SHAPE[2]))
VOXEL = (TUMOUR_SLICE, 15, 15)


def slab(z, value=2):
    """Labels of one slice, all of one value."""
    return Delivery(z, 10, f"slices {z} of 10", window=(slice(z, z + 1), *WHOLE[1:]), labels=_full(value)[:1])


def _full(value):
    return np.full(CASE_SHAPE, value, np.uint8)


class StandIn:
    """An engine that does what the test puts into it: a report, an error, or labels as the result."""

    def __init__(self):
        self.steps, self.asked, self.facts = queue.Queue(), [], {}

    def segment(self, case, model, settings, token):
        self.asked.append(settings)
        steps = self.steps
        while True:
            step = steps.get(timeout=20)
            if isinstance(step, Progress):
                yield step
            elif isinstance(step, Exception):
                raise step
            else:
                return Segmentation.for_case(case, step, BRATS2017, model="tiny 1", **self.facts)


@pytest.fixture
def engine(monkeypatch):
    stand_in = StandIn()
    monkeypatch.setattr(napari_brainseg.inference.engine, "segment", stand_in.segment)
    yield stand_in
    stand_in.steps.put(ModelError("The test is over."))


@pytest.fixture
def run(tiny_model, opened, engine, qtbot):
    """A workbench and what drives its run."""
    panel = opened.segment_panel

    def start():
        panel.task.start_button.click()
        assert panel.task.running

    def arrives(*deliveries):
        for delivery in deliveries:
            engine.steps.put(delivery)
            qtbot.waitUntil(lambda d=delivery: opened.bridge.layer is not None and _holds(opened, d), timeout=10_000)

    def ends(result):
        engine.steps.put(result)
        qtbot.waitUntil(lambda: not panel.task.running, timeout=10_000)

    def cancel():
        panel.task.cancel_button.click()
        assert not panel.task.running, "the form is free when the click returns"
        engine.steps.put(ModelError("Nobody reads this."))
        engine.steps = queue.Queue()
        qtbot.wait(50)

    def finished(labels):
        start()
        ends(labels)
        return opened.bridge.layer

    return SimpleNamespace(
        workbench=opened, start=start, arrives=arrives, ends=ends, cancel=cancel, finished=finished, panel=panel
    )


def _holds(workbench, delivery):
    """Whether labels of a delivery have been drawn, be it that some voxels were kept from it."""
    shown = workbench.bridge.layer.data[delivery.window]
    return np.count_nonzero(shown == delivery.labels) > shown.size // 2


def test_the_labels_fill_in_while_the_run_goes_on(run, engine):
    viewer = run.workbench.viewer
    go_to_slice(viewer, run.workbench.case, 4)
    before = (viewer.dims.point, viewer.scene.camera.center, viewer.scene.camera.zoom)
    run.start()
    run.arrives(slab(4))

    layer = run.workbench.bridge.layer
    assert run.panel.task.running
    assert engine.asked[0].start == 4
    assert (layer.data[4] == 2).all()
    assert not np.delete(layer.data, 4, axis=0).any()
    assert (viewer.dims.point, viewer.scene.camera.center, viewer.scene.camera.zoom) == before

    run.arrives(slab(5), slab(3))
    assert run.workbench.bridge.counts[2] == 3 * layer.data[0].size
    run.ends(_full(2))
    assert run.workbench.bridge.layer is layer
    assert (layer.data == 2).all()
    assert shown_slice(viewer, run.workbench.case) == 4


def test_overlapping_windows_keep_the_counts_true(run):
    run.finished(_full(0))
    run.start()
    window = (slice(2, 8), slice(5, 30), slice(5, 30))
    run.arrives(Delivery(1, 2, "", window=window, labels=_full(2)[window]))
    other = (slice(4, 10), slice(10, 40), slice(0, 20))
    run.arrives(Delivery(2, 2, "", window=other, labels=_full(3)[other]))
    bridge = run.workbench.bridge
    np.testing.assert_array_equal(bridge.counts[:4], np.bincount(bridge.layer.data.reshape(-1), minlength=4))


def test_what_is_painted_after_the_click_wins(run):
    layer = run.finished(_full(0))
    run.start()
    layer.paint(VOXEL, 3)
    run.arrives(slab(TUMOUR_SLICE))
    layer.paint((TUMOUR_SLICE, 30, 30), 0)
    painted = layer.data[TUMOUR_SLICE] != 2
    run.ends(_full(1))

    assert layer.data[VOXEL] == 3
    assert layer.data[TUMOUR_SLICE, 30, 30] == 0
    assert (layer.data[TUMOUR_SLICE][~painted] == 1).all()


def stroke(run, value, row=15):
    """Draw one with the mouse and return the voxels under it."""
    layer = run.workbench.bridge.layer
    go_to_slice(run.workbench.viewer, run.workbench.case, TUMOUR_SLICE)
    layer.mode, layer.brush_size, layer.selected_label = "paint", 3, value
    drag(layer, [(TUMOUR_SLICE, row, 10), (TUMOUR_SLICE, row, 20)])
    under = np.zeros(CASE_SHAPE, bool)
    under[TUMOUR_SLICE, row - 1 : row + 2, 10:21] = True
    under[TUMOUR_SLICE, row, 9:22] = True
    return under


@pytest.mark.parametrize("arrived", [False, True])
def test_what_is_painted_with_the_value_it_has_wins_too(run, arrived):
    layer = run.finished(_full(1))
    run.start()
    if arrived:
        run.arrives(slab(TUMOUR_SLICE))
    value = 2 if arrived else 1
    under = stroke(run, value)
    assert (layer.data[TUMOUR_SLICE] == value).all(), "nothing changes on screen"
    run.arrives(slab(TUMOUR_SLICE, 3))
    run.ends(_full(3))

    np.testing.assert_array_equal(layer.data, np.where(under, value, 3))


def test_undoing_such_a_stroke_gives_its_voxels_to_the_model(run):
    layer = run.finished(_full(1))
    run.start()
    stroke(run, 1)
    run.arrives(slab(TUMOUR_SLICE, 3))
    assert run.workbench.bridge.undo() is not None
    assert (layer.data[TUMOUR_SLICE] == 3).all()
    run.ends(_full(2))
    assert (layer.data == 2).all()
    assert run.workbench.bridge.history.next_redo is None, "there is nothing left in it"


def test_such_a_stroke_outlives_a_run_that_is_taken_back(run):
    layer = run.finished(_full(1))
    run.workbench.bridge.mark_saved()
    run.start()
    run.arrives(slab(TUMOUR_SLICE))
    under = stroke(run, 2)
    assert run.workbench.bridge.dirty
    run.cancel()

    np.testing.assert_array_equal(layer.data, np.where(under, 2, 1))
    run.workbench.bridge.undo()
    assert (layer.data == 1).all()


def test_such_a_stroke_in_a_part_of_a_split_counts_for_the_whole(run):
    whole = run.finished(_full(2))
    run.workbench.correct_panel.split.split(SplitBy.CLASS)
    part = run.workbench.correct_panel.split.layers[1]
    go_to_slice(run.workbench.viewer, run.workbench.case, TUMOUR_SLICE)
    run.start()
    part.brush_size = 1
    part.paint(VOXEL, 1)
    assert run.workbench.bridge.history.next_undo.source.endswith("in ED")
    run.arrives(slab(TUMOUR_SLICE, 3))
    run.ends(_full(3))

    assert whole.data[VOXEL] == 2
    assert np.count_nonzero(whole.data == 3) == whole.data.size - 1


def test_a_stroke_goes_on_while_labels_arrive(run, engine, qtbot):
    layer = run.finished(_full(0))
    run.workbench.viewer.layers.selection.active = layer
    run.start()
    run.workbench.bridge.begin_stroke()
    layer.paint((TUMOUR_SLICE, 10, 10), 3)
    run.arrives(slab(TUMOUR_SLICE))
    layer.paint((TUMOUR_SLICE, 10, 11), 3)
    run.workbench.bridge.end_stroke("brush")
    run.ends(_full(2))

    history = run.workbench.bridge.history
    assert (layer.data[TUMOUR_SLICE, 10, 10:12] == 3).all()
    run.workbench.bridge.undo()
    assert history.next_undo.source == "brush"
    run.workbench.bridge.undo()
    assert not layer.data.any()


def test_a_locked_class_is_held_against_the_run(run):
    labels = _full(0)
    labels[TUMOUR_SLICE, 10:20] = 2
    layer = run.finished(labels)
    run.workbench.bridge.set_locked({2})
    run.start()
    run.arrives(slab(TUMOUR_SLICE, 1))
    np.testing.assert_array_equal(layer.data[TUMOUR_SLICE] == 2, labels[TUMOUR_SLICE] == 2)
    run.ends(_full(2))
    np.testing.assert_array_equal(layer.data == 2, labels == 2)


def test_a_run_is_one_step_and_undoing_it_leaves_what_was_painted(run):
    layer = run.finished(_full(0))
    steps = len(run.workbench.bridge.history)
    run.start()
    layer.paint(VOXEL, 3)
    mine = layer.data.copy()
    run.arrives(slab(1), slab(2), slab(TUMOUR_SLICE))
    run.ends(_full(2))
    after = layer.data.copy()

    assert len(run.workbench.bridge.history) == steps + 2
    assert run.workbench.bridge.undo().source == "undo of model run tiny 1"
    np.testing.assert_array_equal(layer.data, mine)
    run.workbench.bridge.redo()
    np.testing.assert_array_equal(layer.data, after)
    run.workbench.bridge.undo()
    run.workbench.bridge.undo()
    assert not layer.data.any()


def test_undoing_a_stroke_while_the_run_goes_on_shows_the_model_s_answer(run):
    layer = run.finished(_full(0))
    run.start()
    layer.paint(VOXEL, 3)
    run.arrives(slab(TUMOUR_SLICE))
    run.workbench.bridge.undo()
    assert (layer.data[TUMOUR_SLICE] == 2).all()
    run.ends(_full(1))
    assert (layer.data == 1).all()


@pytest.mark.parametrize("ending", ["cancel", "error"])
def test_what_was_delivered_is_taken_back_and_what_was_painted_stays(run, ending):
    layer = run.finished(_full(1))
    run.workbench.bridge.mark_saved()
    run.start()
    run.arrives(slab(TUMOUR_SLICE), slab(2))
    layer.paint(VOXEL, 3)
    mine = layer.data == 3
    if ending == "cancel":
        run.cancel()
        assert run.panel.outcome.text() == "Cancelled. What you changed meanwhile stays."
    else:
        run.ends(ModelError("The model failed."))
        assert run.panel.error.text() == "The model failed."

    np.testing.assert_array_equal(layer.data, np.where(mine, 3, 1))
    run.workbench.bridge.undo()
    assert (layer.data == 1).all()


def test_a_cancelled_run_leaves_saved_labels_saved(run):
    layer = run.finished(_full(1))
    run.workbench.bridge.mark_saved()
    history = run.workbench.bridge.history.next_undo
    run.start()
    run.arrives(slab(TUMOUR_SLICE))
    assert not run.workbench.bridge.dirty
    assert run.workbench._unsaved() == ""
    run.cancel()

    assert (layer.data == 1).all()
    assert not run.workbench.bridge.dirty
    assert run.workbench.bridge.history.next_undo is history


def test_a_lock_does_not_keep_what_a_cancelled_run_delivered(run):
    layer = run.finished(_full(0))
    run.start()
    run.arrives(slab(TUMOUR_SLICE))
    run.workbench.bridge.set_locked({2})
    run.cancel()
    assert not layer.data.any()
    assert run.workbench.bridge.locked == {2}


def test_a_cancelled_first_run_leaves_no_layer(run):
    layers = list(run.workbench.viewer.layers)
    visible = [layer.visible for layer in layers]
    active = run.workbench.viewer.layers.selection.active
    run.start()
    run.arrives(slab(TUMOUR_SLICE))
    run.cancel()

    assert list(run.workbench.viewer.layers) == layers
    assert [layer.visible for layer in layers] == visible
    assert run.workbench.viewer.layers.selection.active is active
    assert run.workbench.bridge.layer is None


def test_a_cancelled_first_run_leaves_what_was_painted_in_its_layer(run):
    run.start()
    run.arrives(slab(TUMOUR_SLICE))
    layer = run.workbench.bridge.layer
    layer.paint(VOXEL, 3)
    mine = layer.data == 3
    run.cancel()
    assert run.workbench.bridge.layer is layer
    np.testing.assert_array_equal(layer.data, np.where(mine, 3, 0))
    assert run.workbench.bridge.dirty


def test_cancelling_a_layer_of_its_own_goes_back_to_the_former_with_its_history(run):
    former = run.finished(_full(1))
    former.paint(VOXEL, 3)
    painted = former.data.copy()
    step = run.workbench.bridge.history.next_undo
    run.panel.result_box.setCurrentIndex(1)
    run.start()
    run.arrives(slab(TUMOUR_SLICE))
    assert run.workbench.bridge.layer is not former
    run.cancel()

    assert run.workbench.bridge.layer is former
    assert run.workbench.layers.ours(Role.WORKING, Role.LABELS) == [former]
    np.testing.assert_array_equal(former.data, painted)
    assert former.visible
    assert run.workbench.bridge.dirty
    assert run.workbench.bridge.history.next_undo is step


def test_a_run_after_a_cancelled_one_starts_from_nothing(run, engine):
    layer = run.finished(_full(1))
    run.start()
    run.arrives(slab(TUMOUR_SLICE))
    late = engine.steps
    run.cancel()
    run.start()
    late.put(slab(2, 3))
    layer.paint(VOXEL, 0)
    run.arrives(slab(3))
    assert (layer.data[2] == 1).all(), "the first run has no say any more"
    run.ends(_full(2))
    assert (np.delete(layer.data, TUMOUR_SLICE, axis=0) == 2).all()
    assert layer.data[VOXEL] == 0


def test_a_slice_confirmed_meanwhile_stays_as_confirmed(run):
    layer = run.finished(_full(0))
    run.start()
    run.arrives(slab(TUMOUR_SLICE), slab(2))
    go_to_slice(run.workbench.viewer, run.workbench.case, TUMOUR_SLICE)
    assert run.workbench.confirmations.confirm_slice()
    run.arrives(slab(3))
    run.cancel()
    assert (layer.data[TUMOUR_SLICE] == 2).all()
    assert not np.delete(layer.data, TUMOUR_SLICE, axis=0).any()
    assert run.workbench.bridge.undo().source == "undo of model run tiny 1, as far as confirmed"


def test_saving_while_a_run_goes_on_saves_the_labels_without_it(run):
    layer = run.finished(_full(0))
    layer.paint(VOXEL, 3)
    mine = layer.data.copy()
    run.start()
    run.arrives(slab(2))
    np.testing.assert_array_equal(run.workbench.bridge.settled, mine)
    run.workbench.journal.flush()
    [journal], _ = list_journals(run.workbench.project_control.project.journal_folders())
    np.testing.assert_array_equal(journal.load(), mine)
    run.workbench.save_button.click()
    assert not run.workbench.bridge.dirty
    run.cancel()
    np.testing.assert_array_equal(layer.data, mine)
    assert not run.workbench.bridge.dirty


def test_labels_that_fill_in_are_not_exported(run):
    run.finished(_full(2))
    run.start()
    run.arrives(slab(2, 1))
    run.workbench.export_panel.labels_button.click()
    assert "filling in" in run.workbench.export_panel.error.text()


def test_a_layer_deleted_meanwhile_is_not_missed(run):
    layer = run.finished(_full(0))
    run.start()
    run.arrives(slab(2))
    run.workbench.viewer.layers.remove(layer)
    assert not layer.data.any()
    run.ends(_full(2))
    assert run.workbench.bridge.layer is not layer
    assert (run.workbench.bridge.layer.data == 2).all()


def test_closing_during_a_run_leaves_the_labels_as_they_were(run):
    layer = run.finished(_full(1))
    run.start()
    run.arrives(slab(2))
    layer.paint(VOXEL, 3)
    mine = layer.data == 3
    run.workbench.close_down()
    np.testing.assert_array_equal(layer.data, np.where(mine, 3, 1))


def test_one_slice_takes_nothing_of_the_others(run):
    layer = run.finished(_full(0))
    go_to_slice(run.workbench.viewer, run.workbench.case, 3)
    run.panel.slice_button.click()
    run.start()
    window = (slice(2, 6), *WHOLE[1:])
    run.arrives(Delivery(1, 2, "", window=(slice(3, 4), *WHOLE[1:]), labels=_full(1)[:1]))
    run.workbench.segment_control.live.deliver(Delivery(1, 2, "", window=window, labels=_full(2)[:4]))
    run.ends(_full(3))
    assert (layer.data[3] == 3).all()
    assert not np.delete(layer.data, 3, axis=0).any()


def test_the_form_is_free_at_once_while_the_model_loads(run, engine):
    run.start()  # nothing is yielded yet: the engine is inside its first step
    run.cancel()
    assert run.panel.task.start_button.isEnabled()
    run.start()
    run.ends(_full(2))
    assert (run.workbench.bridge.layer.data == 2).all()


def test_the_form_is_free_at_once_while_labels_arrive(run, engine):
    layer = run.finished(_full(0))
    run.start()
    for z in range(10):
        engine.steps.put(slab(z))
    run.arrives(slab(9))
    run.cancel()
    assert not layer.data.any()


def test_uncertainty_and_notes_are_shown_when_there_are_some(run, engine):
    run.panel.uncertainty.click()
    run.panel.flips.click()
    engine.facts = {
        "uncertainty": np.full(CASE_SHAPE, 0.5, np.float16),
        "uncertainty_name": "entropy",
        "variance": np.full(CASE_SHAPE, 0.1, np.float16),
        "notes": ("The memory ran out; the batch was halved.", "2 components were dropped."),
    }
    run.finished(_full(2))
    run.finished(_full(1))

    assert (engine.asked[0].uncertainty, engine.asked[0].flips) == ("entropy", True)
    maps = run.workbench.layers.ours(Role.UNCERTAINTY)
    assert [(layer.name, layer.visible, layer.editable) for layer in maps] == [
        ("variance", False, False),
        ("uncertainty", True, False),
    ]
    assert identity_of(maps[1]).name == "entropy"
    assert run.workbench.viewer.layers.selection.active is run.workbench.bridge.layer
    assert run.panel.notes.text() == "The memory ran out; the batch was halved.\n2 components were dropped."

    engine.facts = {}
    run.finished(_full(2))
    assert run.panel.notes.isHidden()


def test_nothing_is_added_that_was_not_asked_for(run, engine):
    engine.facts = {"uncertainty": np.full(CASE_SHAPE, 0.5, np.float16), "uncertainty_name": "entropy"}
    run.finished(_full(2))
    assert engine.asked[0].uncertainty == "entropy"  # it says where to look next
    assert not engine.asked[0].flips
    assert run.workbench.layers.ours(Role.UNCERTAINTY, Role.PROBABILITY) == []


def protected(run):
    return run.workbench.confirmations.protected_mask()


def test_what_a_person_changed_is_protected_until_it_is_undone(run):
    layer = run.finished(_full(2))
    assert not protected(run).any()
    layer.paint(VOXEL, 3)
    mine = layer.data == 3
    np.testing.assert_array_equal(protected(run), mine)

    run.workbench.bridge.undo()
    assert not protected(run).any()
    run.workbench.bridge.redo()
    np.testing.assert_array_equal(protected(run), mine)

    go_to_slice(run.workbench.viewer, run.workbench.case, 2)
    run.workbench.confirmations.confirm_slice()
    mine[2] = True
    np.testing.assert_array_equal(protected(run), mine)


def test_what_a_run_replaced_is_the_model_s_until_the_run_is_undone(run):
    layer = run.finished(_full(2))
    layer.paint(VOXEL, 3)
    mine = layer.data == 3
    run.finished(_full(1))
    assert (layer.data == 1).all()
    assert not protected(run).any()

    run.workbench.bridge.undo()
    np.testing.assert_array_equal(protected(run), mine)
    run.workbench.bridge.redo()
    assert not protected(run).any()


def test_what_was_painted_during_a_run_is_protected_be_it_with_the_same_value(run):
    run.finished(_full(1))
    run.start()
    under = stroke(run, 1)
    under |= stroke(run, 3, row=25)
    run.arrives(slab(TUMOUR_SLICE))
    run.ends(_full(2))

    np.testing.assert_array_equal(protected(run), under)
