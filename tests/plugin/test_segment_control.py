import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
from case_files import CASE_SHAPE, TUMOUR_SLICE

import napari_brainseg.inference.engine
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import BRATS_CHANNELS
from napari_brainseg.cases.labels import BRATS2017, LGG
from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.model_store.domain import Domain, measure_case
from napari_brainseg.model_store.store import find_model
from napari_brainseg.plugin.layers import Role, identity_of
from napari_brainseg.plugin.widgets.segment_control import go_to_slice, shown_slice


def _labels(value=2):
    labels = np.zeros(CASE_SHAPE, np.uint8)
    labels[TUMOUR_SLICE, 10:20, 10:20] = value
    labels[3, 12:15, 12:15] = 1
    return labels


@pytest.fixture
def engine(monkeypatch):
    """Put a run in the engine's place whose answer is given; the test can hold it and see what it was asked."""

    class Engine:
        labels, scheme, error = _labels(), BRATS2017, None
        hold, inside, asked = threading.Event(), threading.Event(), []
        maps = None

        def segment(self, case, model, settings, token):
            self.asked.append(settings)
            yield Progress(1, 4, "slices 1 of 4")
            self.inside.set()
            assert self.hold.wait(10)
            if self.error is not None:
                raise self.error
            yield Progress(4, 4, "slices 4 of 4")
            facts = {"model": "tiny 1"}
            if settings.probabilities:
                facts |= {"probabilities": np.full((1, *CASE_SHAPE), 0.5, np.float16), "probability_names": ("WT",)}
            return Segmentation.for_case(case, self.labels.copy(), self.scheme, **facts)

    stand_in = Engine()
    stand_in.hold.set()
    monkeypatch.setattr(napari_brainseg.inference.engine, "segment", stand_in.segment)
    yield stand_in
    stand_in.hold.set()


@pytest.fixture
def ready(tiny_model, opened):
    return opened


def _run(workbench, qtbot):
    workbench.segment_panel.task.start_button.click()
    assert workbench.segment_panel.task.running
    qtbot.waitUntil(lambda: not workbench.segment_panel.task.running, timeout=20_000)


def test_a_run_makes_the_working_layer_with_its_model(ready, engine, qtbot):
    _run(ready, qtbot)

    layer = ready.bridge.layer
    np.testing.assert_array_equal(layer.data, engine.labels)
    identity = identity_of(layer)
    assert (identity.role, identity.model, identity.scheme_id) == (Role.WORKING, "tiny 1", "brats2017")
    assert identity.made
    assert not ready.segment_panel.task.start_button.isHidden()
    assert ready.segment_panel.error.isHidden()


def test_the_real_engine_runs_the_saved_model(ready, qtbot):
    _run(ready, qtbot)

    assert ready.segment_panel.error.text() == ""
    assert ready.bridge.layer.data.shape == CASE_SHAPE
    assert identity_of(ready.bridge.layer).model == "tiny 1"


def test_cancel_frees_the_form_and_leaves_everything_to_the_byte(ready, engine, qtbot):
    _run(ready, qtbot)
    layers = list(ready.viewer.layers)
    before = [layer.data.tobytes() for layer in layers]
    history = ready.bridge.history.next_undo
    engine.labels[:] = 3
    engine.hold.clear()
    engine.inside.clear()

    ready.segment_panel.task.start_button.click()
    qtbot.waitUntil(engine.inside.is_set, timeout=10_000)
    ready.segment_panel.task.cancel_button.click()
    assert ready.segment_panel.outcome.text() == "Cancelled. Nothing was changed."

    assert not ready.segment_panel.task.running
    engine.hold.set()
    qtbot.wait(200)
    assert list(ready.viewer.layers) == layers
    assert [layer.data.tobytes() for layer in layers] == before
    assert ready.bridge.history.next_undo is history


def test_an_error_inside_the_model_is_a_sentence_and_the_form_recovers(ready, engine, qtbot):
    engine.error = RuntimeError("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)")
    _run(ready, qtbot)

    assert "shapes cannot be multiplied" in ready.segment_panel.error.text()
    assert not ready.layers.ours(Role.WORKING)
    assert ready.segment_panel.task.start_button.isEnabled()

    engine.error = None
    _run(ready, qtbot)
    assert ready.segment_panel.error.text() == ""
    assert ready.bridge.layer is not None


def test_a_second_run_replaces_as_one_undo_step(ready, engine, qtbot):
    _run(ready, qtbot)
    layer = ready.bridge.layer
    engine.labels = _labels(3)
    _run(ready, qtbot)

    assert ready.bridge.layer is layer
    assert layer.data[TUMOUR_SLICE, 12, 12] == 3
    undone = ready.bridge.undo()
    assert undone.source == "undo of model run tiny 1"
    np.testing.assert_array_equal(layer.data, _labels(2))


def test_a_second_run_can_become_a_layer_of_its_own(ready, engine, qtbot):
    _run(ready, qtbot)
    first = ready.bridge.layer
    ready.segment_panel.result_box.setCurrentIndex(1)
    engine.labels = _labels(3)
    _run(ready, qtbot)

    assert ready.bridge.layer is not first
    assert identity_of(first).role is Role.LABELS
    np.testing.assert_array_equal(first.data, _labels(2))
    assert [identity_of(layer).role for layer in ready.layers.ours(Role.WORKING)] == [Role.WORKING]


def test_this_slice_changes_that_slice_alone_from_any_plane(ready, engine, qtbot):
    _run(ready, qtbot)
    engine.labels = _labels(3)
    go_to_slice(ready.viewer, ready.case, 3)
    ready.viewer.dims.order = (1, 0, 2)
    ready.segment_panel.slice_button.click()
    before = ready.bridge.layer.data.copy()
    engine.labels[3] = 2
    _run(ready, qtbot)

    assert engine.asked[-1].slices == (3, 4)
    after = ready.bridge.layer.data
    np.testing.assert_array_equal(after[3], 2)
    assert (np.delete(after, 3, axis=0) == np.delete(before, 3, axis=0)).all()


def test_one_slice_as_a_layer_of_its_own_still_shows_what_is_confirmed(ready, engine, qtbot):
    _run(ready, qtbot)
    go_to_slice(ready.viewer, ready.case, TUMOUR_SLICE)
    ready.confirmations.confirm_slice()
    go_to_slice(ready.viewer, ready.case, 3)
    ready.segment_panel.slice_button.click()
    ready.segment_panel.result_box.setCurrentIndex(1)
    engine.labels = np.zeros(CASE_SHAPE, np.uint8)
    engine.labels[3, 5:8, 5:8] = 3
    _run(ready, qtbot)

    data = ready.bridge.layer.data
    assert (data[3, 5:8, 5:8] == 3).all()
    np.testing.assert_array_equal(data[TUMOUR_SLICE], _labels(2)[TUMOUR_SLICE])
    assert not np.delete(data, [3, TUMOUR_SLICE], axis=0).any()


def test_labels_of_no_counterpart_are_refused_and_nothing_is_lost(ready, engine, qtbot):
    _run(ready, qtbot)
    before = ready.bridge.layer.data.copy()
    engine.scheme, engine.labels = LGG, (_labels() > 0).astype(np.uint8)
    _run(ready, qtbot)

    assert "cannot hold" in ready.segment_panel.error.text()
    np.testing.assert_array_equal(ready.bridge.layer.data, before)


def test_probabilities_come_below_the_labels_and_are_replaced_by_the_next(ready, engine, qtbot):
    ready.segment_panel.probabilities.setChecked(True)
    _run(ready, qtbot)
    _run(ready, qtbot)

    maps = ready.layers.ours(Role.PROBABILITY)
    assert [layer.name for layer in maps] == ["p(WT)"]
    names = [layer.name for layer in ready.viewer.layers]
    assert names.index("p(WT)") < names.index("segmentation")
    assert ready.viewer.layers.selection.active is ready.bridge.layer


@pytest.mark.parametrize(("scroll", "expected"), [(False, TUMOUR_SLICE), (True, 1)])
def test_the_first_run_goes_to_the_tumour_unless_the_user_went_elsewhere(ready, engine, qtbot, scroll, expected):
    go_to_slice(ready.viewer, ready.case, 0)
    engine.hold.clear()
    ready.segment_panel.task.start_button.click()
    qtbot.waitUntil(engine.inside.is_set, timeout=10_000)
    if scroll:
        go_to_slice(ready.viewer, ready.case, 1)
    engine.hold.set()
    qtbot.waitUntil(lambda: not ready.segment_panel.task.running, timeout=20_000)

    assert shown_slice(ready.viewer, ready.case) == expected


def test_nothing_can_be_started_before_a_case_is_open(workbench):
    panel = workbench.segment_panel
    assert not panel.start_button.isEnabled()
    assert not panel.start_box.isEnabled()


def test_models_are_listed_by_name_and_version(ready):
    assert ready.segment_panel.model_box.currentText() == "tiny (v1)"


def test_a_fine_tuned_model_is_named_but_not_chosen(workbench, case_folder, tiny_model, own_home, qtbot):
    known = find_model(tiny_model)
    for name, day in (("tiny-2", 1), ("tiny-3", 9), ("tiny-10", 2)):
        facts = {**known.training, "date": f"2026-03-0{day}T09:00:00+00:00"}
        taught = replace(known, name=name, parent="tiny", training=facts)
        folder = workbench.project_control.project.models / name
        shutil.copytree(own_home / "models" / "tiny", folder)
        (folder / "model.json").write_text(taught.to_json())

    workbench.open_paths([case_folder])
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)

    assert workbench.segment_panel.model.parent is None
    assert "tiny·3, which was fine-tuned, is in the list." in workbench.segment_panel.outcome.text()


def test_a_fine_tuned_model_is_listed_with_its_history(workbench, case_folder, tiny_model, own_home, qtbot):
    tiny = find_model(tiny_model)
    facts = {
        "parent": {"name": "old name", "version": "1", "sha256": tiny.weights_sha256},
        "data": [{"case": "one", "slices": ["axial slice 1", "axial slice 2"]}],
    }
    taught = replace(tiny, name="tiny-2", parent="old name", training={**facts, "sha256": "0" * 64})
    folder = workbench.project_control.project.models / "tiny-2"
    shutil.copytree(tiny.folder, folder)
    (folder / "model.json").write_text(taught.to_json())

    workbench.open_paths([case_folder])
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)

    box = workbench.segment_panel.model_box
    assert "tiny·2" in [box.itemText(index) for index in range(box.count())]
    box.setCurrentIndex(box.findText("tiny·2"))
    assert box.toolTip() == "an untrained model\nFine-tuned from tiny with 2 slices in 1 case."
    assert workbench.segment_panel.model == replace(taught, folder=folder)
    box.setCurrentIndex(box.findText("tiny (v1)"))
    assert box.toolTip() == "an untrained model"


def test_a_model_that_is_not_there_is_not_chosen(tiny_model, opened):
    opened.segment_control.refresh_models(tiny_model)

    opened.segment_control.refresh_models("in another project")

    assert opened.segment_panel.model.name == tiny_model


def _only_for_thin_slices(own_home):
    """Let the small model say that it was made for slices of a tenth of a millimetre."""
    facts = measure_case(make_volume_phantom(1, (8, 32, 32), (18.0, 6.0, 6.0)))
    domain = replace(Domain.of([facts], BRATS_CHANNELS), spacing=((0.1, 0.1),) * 3, background=(0.0, 1.0))
    record = find_model("tiny")
    told = replace(record, training={**record.training, "domain": domain.to_json()})
    (own_home / "models" / "tiny" / "model.json").write_text(told.to_json())


def test_a_case_unlike_the_models_is_told_before_and_after_the_run_and_with_the_export(
    tiny_model, own_home, opened, tmp_path, qtbot
):
    _only_for_thin_slices(own_home)
    opened.segment_control.refresh_models(tiny_model)
    panel, words = opened.segment_panel, "slices; tiny was made for 0.1 mm: expect a worse result."
    assert words in panel.fit.text()
    assert not panel.fit.isHidden()

    answers = []
    opened.segment_control.answered.connect(lambda result, _slice: answers.append(result))
    _run(opened, qtbot)
    assert answers[0].notes[0].endswith(words)
    assert words not in panel.notes.text()  # it stands above already

    opened.export_panel.place.show_folder(tmp_path / "out")
    opened.export_panel.labels_button.click()
    qtbot.waitUntil(lambda: words in opened.export_panel.done.text(), timeout=20_000)
    assert opened.export_panel.done.text().startswith("Wrote ")
