import shutil
import threading
import time

import numpy as np
import pytest
import torch
from napari.components import ViewerModel

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import OutputError
from napari_brainseg.cases.labels import LGG
from napari_brainseg.cases.phantom import make_lgg_phantom
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.sample_files import write_slice_files
from napari_brainseg.model_store.model import Model, new_network, save_model
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.plugin.widgets.case_layers import CaseLayers
from napari_brainseg.plugin.widgets.confirmations import Confirmations
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.learn_controller import LearnController, LearnSources
from napari_brainseg.plugin.widgets.learn_panel import LearnPanel
from napari_brainseg.plugin.widgets.new_answer import NewAnswer
from napari_brainseg.plugin.widgets.working_labels import NewLabels, WorkingLabels


class Workplace:
    """A case of four slices with its truth as working labels, a tiny model, a project and the panel Learn."""

    def __init__(self, folder):
        self.project = Project.open_or_create(folder / "project")
        phantom = make_lgg_phantom(seed=3, slices=4)
        write_slice_files(phantom, folder / "data" / phantom.id)
        self.case = read_case(folder / "data" / phantom.id)
        self.record = make_model(folder / "models" / "tiny")
        self.viewer = ViewerModel()
        self.bridge = EditingBridge(self.viewer)
        self.layers = CaseLayers(self.viewer)
        working = WorkingLabels(self.layers, self.bridge, self.viewer)
        self.panel = LearnPanel()
        self.confirmations = Confirmations(self.viewer, self.bridge)
        self.answer = NewAnswer(self.viewer, self.layers, working, self.confirmations, self.bridge)
        sources = LearnSources(lambda: self.project, lambda: self.record, lambda: "cpu")
        self.controller = LearnController(self.panel, self.answer, sources)
        self.layers.show(self.case)
        self.confirmations.begin(self.case, LGG)
        working.put(NewLabels(np.array(self.case.labels.volume.data, np.uint8), LGG, "start from it"), in_place=False)
        self.controller.refresh()

    def confirm(self, index):
        self.viewer.dims.set_point(0, index)
        assert self.confirmations.confirm_slice()

    def close(self):
        self.confirmations.close()
        self.controller.close()
        self.bridge.close()
        self.layers.close()


def make_model(folder):
    torch.manual_seed(0)
    options = {"widths": [4, 4, 8, 8, 8]}
    record = ModelRecord(
        "tiny", "1", "", {"name": "unext", "options": options}, ("pre", "flair", "post"), "lgg", ("WT",)
    )
    return save_model(Model(record, new_network(record).eval()), folder, "# tiny\n")


@pytest.fixture
def workplace(tmp_path, qtbot, monkeypatch):
    monkeypatch.setenv("BRAINSEG_HOME", str(tmp_path / "home"))
    made = Workplace(tmp_path)
    qtbot.addWidget(made.panel)
    made.panel.form.steps.setValue(3)
    yield made
    made.close()


def test_what_is_confirmed_is_counted_and_in_the_project_at_once(workplace, qtbot):
    with qtbot.waitSignal(workplace.controller._saver.saved, timeout=20000):
        workplace.confirm(2)

    assert workplace.panel.state.text() == "1 slice in 1 case confirmed. Teaches a copy of tiny."
    found = workplace.project.correction(workplace.case)
    np.testing.assert_array_equal(found.labels[2], workplace.bridge.labels[2])
    assert found.confirmed[2].all()
    assert found.confirmed.sum() == found.confirmed[2].size


def test_the_newest_state_is_the_one_that_is_saved(workplace):
    for index in range(4):
        workplace.confirm(index)
    workplace.confirmations.take_back()

    workplace.controller.flush()

    assert [s.index for s in workplace.project.correction(workplace.case).slices] == [0, 1, 2]


def taught(workplace, qtbot):
    """Press Fine-tune and wait for the table."""
    workplace.panel.row.start_button.click()
    assert workplace.panel.row.running
    qtbot.waitUntil(lambda: not workplace.panel.row.running, timeout=60_000)
    assert workplace.controller.candidates.waiting
    return workplace.panel.box


def test_fine_tune_gives_a_table_and_no_model_before_it_is_accepted(workplace, qtbot):
    for index in range(1, 4):
        workplace.confirm(index)
    box = taught(workplace, qtbot)

    assert [row[0] for row in box.table.texts()] == ["Dice", "held out", "learnt", "phantoms"]
    assert box.held_out.text().startswith("Held out: 1 of 3 slices: ")
    assert len(workplace.panel.curve.losses) == 3
    assert set(workplace.panel.curve.held_out) == {1, 2, 3}
    assert saved(workplace) == []
    assert workplace.panel.state.text() == "Accept or discard the new model first."
    assert not workplace.panel.row.start_button.isEnabled()

    with qtbot.waitSignal(workplace.controller.model_made, timeout=20_000) as made:
        box.accept_button.click()

    assert made.args[0].folder == workplace.project.models / "tiny-2"
    assert saved(workplace) == ["tiny-2"]
    assert box.headline.text() == "Accepted"
    assert workplace.panel.row.start_button.isEnabled()


def saved(workplace):
    return sorted(path.name for path in workplace.project.models.glob("*"))


def test_discard_keeps_nothing_but_what_is_confirmed(workplace, qtbot):
    workplace.confirm(1)
    box = taught(workplace, qtbot)

    box.discard_button.click()

    assert box.isHidden()
    assert saved(workplace) == []
    assert workplace.panel.outcome.text().startswith("Discarded.")
    assert workplace.panel.row.start_button.isEnabled()
    assert len(workplace.confirmations.slices) == 1
    assert not workplace.answer.offered


def test_one_slice_is_enough_and_then_a_person_looks_at_the_difference(workplace, qtbot):
    workplace.confirm(1)
    box = taught(workplace, qtbot)

    assert box.headline.text() == "No recommendation"
    assert "look at the difference first" in box.reason.text()
    assert box.accept_button.text() == "Accept"


def test_a_project_that_cannot_be_written_leaves_the_model_waiting_for_another_try(workplace, qtbot, monkeypatch):
    def refuse(*_, **__):
        raise OutputError("The disk is full. Choose another place.")

    workplace.confirm(1)
    box = taught(workplace, qtbot)
    monkeypatch.setattr("napari_brainseg.training.project_finetuning.save_model", refuse)
    box.accept_button.click()
    assert not box.accept_button.isEnabled()
    qtbot.waitUntil(lambda: box.error.text() == "The disk is full. Choose another place.", timeout=20_000)

    assert workplace.controller.candidates.waiting
    assert saved(workplace) == []
    monkeypatch.undo()
    with qtbot.waitSignal(workplace.controller.model_made, timeout=20_000):
        box.accept_button.click()
    assert saved(workplace) == ["tiny-2"]


def test_the_model_goes_where_it_was_started_whatever_project_is_open(workplace, qtbot, tmp_path):
    first = workplace.project
    workplace.confirm(1)
    box = taught(workplace, qtbot)
    workplace.project = Project.open_or_create(tmp_path / "another")
    workplace.controller.refresh()

    with qtbot.waitSignal(workplace.controller.model_made, timeout=20_000) as made:
        box.accept_button.click()

    assert made.args[0].folder == first.models / "tiny-2"
    assert str(first.folder) in box.reason.text()


def test_a_model_that_was_deleted_meanwhile_is_said(workplace, qtbot):
    workplace.confirm(1)
    shutil.rmtree(workplace.record.folder)

    workplace.panel.row.start_button.click()
    qtbot.waitUntil(lambda: not workplace.panel.row.running, timeout=60_000)

    assert str(workplace.record.folder) in workplace.panel.error.text()
    assert workplace.panel.row.start_button.isEnabled()
    assert workplace.panel.box.isHidden()
    workplace.record = make_model(workplace.record.folder)  # another is chosen, and the reproach is over
    workplace.controller.refresh()
    assert workplace.panel.error.isHidden()


def test_closing_during_a_run_waits_for_nothing_and_keeps_nothing(workplace, qtbot):
    workplace.panel.form.steps.setValue(2000)
    workplace.confirm(1)
    workplace.panel.row.start_button.click()
    qtbot.waitUntil(lambda: len(workplace.panel.curve.losses) > 1, timeout=60_000)

    start = time.monotonic()
    workplace.controller.close()

    assert time.monotonic() - start < 5
    qtbot.wait(300)
    assert saved(workplace) == []
    assert workplace.panel.box.isHidden()


def test_another_run_begins_without_the_offers_of_the_last_model(workplace, qtbot):
    workplace.confirm(1)
    box = taught(workplace, qtbot)
    with qtbot.waitSignal(workplace.controller.model_made, timeout=20_000):
        box.accept_button.click()
    assert not box.isHidden()

    workplace.panel.row.start_button.click()

    assert box.isHidden()
    workplace.panel.row.cancel_button.click()


def test_what_was_confirmed_without_filling_a_slice_is_something_to_learn_from(workplace):
    part = np.zeros(workplace.case.geometry.shape, bool)
    part[1, 40:200, 40:200] = True
    labels = np.array(workplace.case.labels.volume.data, np.uint8)
    workplace.confirmations.restore(Correction(workplace.case.id, labels, part, LGG, ()))

    assert workplace.panel.state.text() == "Parts of slices confirmed. Teaches a copy of tiny."
    assert workplace.panel.row.start_button.isEnabled()


def test_cancel_frees_the_panel_and_keeps_nothing(workplace, qtbot):
    workplace.panel.form.steps.setValue(2000)
    workplace.confirm(1)
    workplace.panel.row.start_button.click()
    qtbot.waitUntil(lambda: len(workplace.panel.curve.losses) > 1, timeout=60000)

    workplace.panel.row.cancel_button.click()

    assert not workplace.panel.row.running
    assert workplace.panel.outcome.text() == "Cancelled. Nothing was kept."
    assert not workplace.controller.running
    assert not workplace.controller.candidates.waiting
    assert saved(workplace) == []


def test_an_error_from_inside_the_model_is_shown_and_the_button_comes_back(workplace, qtbot, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    workplace.confirm(1)
    monkeypatch.setattr("napari_brainseg.training.finetuning.masked_bce_dice", fail)
    workplace.panel.row.start_button.click()

    qtbot.waitUntil(lambda: workplace.panel.error.text() != "", timeout=60000)

    assert "mat1 and mat2" in workplace.panel.error.text()
    qtbot.waitUntil(lambda: not workplace.panel.row.running)
    assert workplace.panel.row.start_button.isEnabled()


def test_a_project_that_cannot_be_written_is_said_and_the_work_stays(workplace, qtbot, monkeypatch):
    def refuse(*_, **__):
        raise OutputError("The disk is full. Choose another place.")

    monkeypatch.setattr(workplace.project, "save_correction", refuse)
    with qtbot.waitSignal(workplace.controller.save_failed, timeout=20000) as failed:
        workplace.confirm(1)

    assert failed.args == ["The disk is full. Choose another place."]
    assert workplace.panel.error.text() == failed.args[0]
    assert len(workplace.confirmations.slices) == 1
    assert workplace.controller.unsaved() == (workplace.case.id,)
    workplace.controller.refresh()  # as after choosing another model, which saves nothing
    assert workplace.panel.error.text() == failed.args[0]

    monkeypatch.undo()
    with qtbot.waitSignal(workplace.controller._saver.saved, timeout=20000):
        workplace.controller.save_again()

    assert workplace.controller.unsaved() == ()
    assert workplace.panel.error.text() == ""
    assert workplace.project.confirmed().slices == 1


def test_without_a_project_it_is_said_that_nothing_is_saved(workplace, tmp_path):
    project, workplace.project = workplace.project, None
    said = []
    for signal in (workplace.confirmations.said, workplace.controller.save_failed):
        signal.connect(said.append)

    workplace.confirm(1)

    assert said[-1].endswith("is not saved: there is no project. Choose a place for it under Case.")
    assert workplace.controller.unsaved() == (workplace.case.id,)
    workplace.confirmations.end()
    workplace.project = project
    workplace.controller.save_again()
    assert workplace.controller.unsaved() == ()
    assert [s.index for s in project.correction(workplace.case).slices] == [1]


def test_what_is_taken_back_again_is_nothing_to_save(workplace):
    workplace.project = None
    workplace.confirm(1)

    workplace.confirmations.take_back()

    assert workplace.controller.unsaved() == ()


def test_two_patients_of_one_name_are_both_saved(workplace, tmp_path):
    folder = shutil.copytree(tmp_path / "data" / workplace.case.id, tmp_path / "more" / workplace.case.id)
    other = read_case(folder)
    gate = threading.Event()
    workplace.controller._saver._pool.submit(gate.wait)
    workplace.confirm(1)
    workplace.confirmations.begin(other, LGG)
    workplace.confirm(2)
    gate.set()

    workplace.controller.flush()

    assert [s.index for s in workplace.project.correction(workplace.case).slices] == [1]
    assert [s.index for s in workplace.project.correction(other).slices] == [2]


def test_another_project_takes_the_work_over(workplace, tmp_path):
    workplace.confirm(1)
    workplace.controller.flush()
    workplace.project = Project.open_or_create(tmp_path / "another")

    workplace.confirmations.save()
    workplace.controller.flush()

    assert workplace.project.confirmed().slices == 1


def test_slices_of_exams_that_the_model_does_not_take_do_not_count(workplace):
    workplace.confirm(1)
    workplace.record = ModelRecord("brats", "1", "", {}, ("flair", "t1", "t1ce", "t2"), "brats2017", ("WT", "TC", "ET"))

    workplace.controller.refresh()

    assert not workplace.panel.row.start_button.isEnabled()
    assert workplace.panel.fit.text() == (
        "brats needs flair, t1, t1ce, t2, so it cannot learn from this case. Choose another model."
    )
    assert workplace.panel.state.text() == ""


def test_a_case_that_was_left_out_is_named_beside_the_table(workplace, tmp_path, qtbot):
    folder = shutil.copytree(tmp_path / "data" / workplace.case.id, tmp_path / "more" / workplace.case.id)
    workplace.confirm(1)
    workplace.controller.flush()
    workplace.confirmations.begin(read_case(folder), LGG)
    workplace.confirm(2)
    workplace.controller.flush()
    shutil.rmtree(tmp_path / "more")
    workplace.confirmations.begin(workplace.case, LGG)
    workplace.confirm(1)

    box = taught(workplace, qtbot)

    assert box.notes.text().startswith(f"Left out: The files of {workplace.case.id} are no longer in")
