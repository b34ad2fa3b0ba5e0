import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from external_models import STAND_IN, stand_in_model, write_bundle
from qtpy.QtWidgets import QFileDialog

from napari_brainseg.base.paths import user_data
from napari_brainseg.inference import external
from napari_brainseg.model_store.consent import ALLOWED_FILE, is_allowed
from napari_brainseg.model_store.store import find_model
from napari_brainseg.plugin.widgets.model_menu import ModelAct


def choose(workbench, what):
    """Add a model that the stand-in runs, and choose it."""
    stand_in_model(user_data() / "models", what)
    workbench.segment_control.refresh_models("theirs")
    workbench.learn_controller.refresh()
    assert workbench.segment_panel.model_box.currentText() == "theirs (MONAI bundle)"
    assert sys.executable in workbench.segment_panel.model_box.toolTip()


@pytest.fixture
def stand_in(opened, monkeypatch, tmp_path):
    monkeypatch.setattr(external, "CHILD", STAND_IN)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return opened


def test_a_model_that_this_user_has_not_allowed_is_asked_about(stand_in, qtbot):
    choose(stand_in, "refuse")
    panel = stand_in.segment_panel
    (user_data() / ALLOWED_FILE).unlink()

    panel.task.start_button.click()

    assert not panel.task.running
    assert "with all your rights. Allow it from now on?" in panel.ask_row.words.text()
    panel.ask_row.yes_button.click()
    assert panel.task.running
    qtbot.waitUntil(lambda: not panel.task.running, timeout=20_000)
    assert panel.error.text() == "There is no CUDA device."
    assert is_allowed(panel.model.external)


def test_cancel_ends_the_program_of_a_model(stand_in, qtbot):
    choose(stand_in, "hang")
    panel = stand_in.segment_panel

    panel.task.start_button.click()
    qtbot.waitUntil(lambda: (user_data() / "models" / "pids").is_file(), timeout=20_000)
    panel.task.cancel_button.click()

    assert not panel.task.running
    qtbot.waitUntil(lambda: not list(Path(tempfile.gettempdir()).iterdir()), timeout=20_000)


def test_learn_says_that_it_cannot_be_taught(stand_in):
    choose(stand_in, "threshold")

    assert "cannot be fine-tuned" in stand_in.learn_panel.fit.text()
    assert not stand_in.learn_panel.row.start_button.isEnabled()
    stand_in.segment_panel.model_menu.opening.emit()
    assert not stand_in.segment_panel.model_menu.actions_by_act[ModelAct.EXPORT].isEnabled()


def test_a_bundle_is_added_from_the_menu_after_a_question(opened, qtbot, tmp_path, monkeypatch):
    bundle = write_bundle(tmp_path / "gliomas", ("Tumor core", "Whole tumor", "Enhancing tumor"))
    chosen = iter([str(bundle), sys.prefix])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: next(chosen))
    panel = opened.segment_panel

    panel.model_menu.requested.emit(ModelAct.ADD)
    qtbot.waitUntil(lambda: not panel.ask_row.isHidden() or not panel.error.isHidden(), timeout=20_000)

    assert panel.error.text() == ""
    assert "the code in configs/inference.json" in panel.ask_row.words.text()
    assert panel.ask_row.field.text() == "gliomas"
    panel.ask_row.field.setText("gliomas of ours")
    panel.ask_row.yes_button.click()
    qtbot.waitUntil(lambda: panel.model is not None and panel.model.name == "gliomas of ours", timeout=20_000)
    record = find_model("gliomas of ours", opened.segment_control.model_folders)
    assert is_allowed(record.external)
    assert not is_allowed(replace(record.external, path=tmp_path))
