import shutil
from dataclasses import replace

import pytest
import torch
from qtpy.QtWidgets import QFileDialog

from napari_brainseg.base.paths import user_data
from napari_brainseg.model_store.model import Model, load_model, save_model
from napari_brainseg.model_store.store import find_model, read_record
from napari_brainseg.plugin.widgets.comparison_dialog import ComparisonDialog
from napari_brainseg.plugin.widgets.model_menu import ModelAct


@pytest.fixture
def family(tiny_model, opened):
    """The workbench with `tiny` and `tiny-2`, which was fine-tuned from it and is chosen."""
    parent = load_model(find_model("tiny"))
    facts = {"parent": {"name": "tiny", "version": "1", "sha256": parent.record.weights_sha256}, "data": []}
    scores = {"held_out": {"WT": {"before": 0.25, "after": 0.5}}}
    child = replace(parent.record, name="tiny-2", parent="tiny", training=facts, scores=scores, folder=None)
    with torch.no_grad():
        next(parent.network.parameters()).add_(1.0)
    folder = opened.project_control.project.models / "tiny-2"
    save_model(Model(child, parent.network), folder, "# tiny-2\n")
    opened.segment_control.refresh_models("tiny-2")
    return opened


def ask(workbench, act):
    workbench.segment_panel.model_menu.opening.emit()
    action = workbench.segment_panel.model_menu.actions_by_act[act]
    assert action.isEnabled(), action.toolTip()
    action.trigger()


def chosen(workbench):
    return workbench.segment_panel.model.name


def idle(workbench, qtbot):
    qtbot.waitUntil(workbench.segment_panel.model_menu.isEnabled, timeout=20_000)


def test_the_menu_names_the_model_and_where_it_comes_from(family):
    menu = family.segment_panel.model_menu
    menu.opening.emit()

    assert menu.actions_by_act[ModelAct.ROLL_BACK].text() == "Go back to tiny"
    assert menu.actions_by_act[ModelAct.RENAME].text() == "Rename tiny·2 …"
    assert menu.compare_menu.actions()[0].text() == "tiny"


def test_a_shipped_model_is_neither_renamed_nor_deleted(family):
    family.segment_control.refresh_models("brats")
    menu = family.segment_panel.model_menu
    menu.opening.emit()

    for act in (ModelAct.RENAME, ModelAct.DELETE):
        assert not menu.actions_by_act[act].isEnabled()
        assert "came with the program" in menu.actions_by_act[act].toolTip()
    assert not menu.actions_by_act[ModelAct.ROLL_BACK].isEnabled()
    assert menu.actions_by_act[ModelAct.EXPORT].isEnabled()


def test_going_back_chooses_the_parent_and_deletes_nothing(family):
    ask(family, ModelAct.ROLL_BACK)

    assert chosen(family) == "tiny"
    assert family.segment_panel.outcome.text() == "tiny is chosen again. tiny·2 stays in the list."
    assert find_model("tiny-2", family.segment_control.model_folders).folder.is_dir()


def test_going_back_to_a_model_that_is_gone_is_said(family):
    shutil.rmtree(user_data() / "models" / "tiny")

    ask(family, ModelAct.ROLL_BACK)

    assert chosen(family) == "tiny-2"
    assert family.segment_panel.error.text().startswith("tiny, from which tiny·2 was fine-tuned, is not there any more")


def test_a_new_name_is_asked_for_in_the_panel(family, qtbot):
    ask(family, ModelAct.RENAME)
    row = family.segment_panel.ask_row
    assert not row.isHidden()
    assert row.field.text() == "tiny-2"

    row.field.setText("brats")
    row.yes_button.click()
    idle(family, qtbot)
    assert family.segment_panel.error.text() == "There is a model brats already. Choose another name."

    ask(family, ModelAct.RENAME)
    row.field.setText(" after surgery ")
    row.yes_button.click()
    qtbot.waitUntil(lambda: chosen(family) == "after surgery", timeout=20_000)
    assert row.isHidden()
    assert (family.project_control.project.models / "after surgery" / "model.json").is_file()


def test_deleting_is_asked_about_once_and_the_parent_is_chosen(family, qtbot):
    folder = family.segment_panel.model.folder
    ask(family, ModelAct.DELETE)
    assert str(folder) in family.segment_panel.ask_row.words.text()
    family.segment_panel.ask_row.no_button.click()
    assert folder.is_dir()

    ask(family, ModelAct.DELETE)
    family.segment_panel.ask_row.yes_button.click()
    qtbot.waitUntil(lambda: chosen(family) == "tiny", timeout=20_000)

    assert not folder.exists()
    assert family.segment_panel.outcome.text() == "tiny·2 is deleted."


def test_another_model_withdraws_the_question(family):
    ask(family, ModelAct.DELETE)

    family.segment_control.refresh_models("tiny")

    assert family.segment_panel.ask_row.isHidden()


def test_a_model_goes_out_as_a_zip_file_and_comes_back(family, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "to ann"), ""))
    ask(family, ModelAct.EXPORT)
    qtbot.waitUntil(lambda: family.segment_panel.outcome.text().startswith("Wrote"), timeout=20_000)
    file = tmp_path / "to ann.zip"
    assert file.is_file()
    idle(family, qtbot)

    ask(family, ModelAct.EXPORT)
    qtbot.waitUntil(lambda: str(file) in family.segment_panel.error.text(), timeout=20_000)
    idle(family, qtbot)

    shutil.rmtree(family.segment_panel.model.folder)
    family.segment_control.refresh_models("tiny")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(file), ""))
    ask(family, ModelAct.IMPORT)
    qtbot.waitUntil(lambda: chosen(family) == "tiny-2", timeout=20_000)
    assert read_record(family.project_control.project.models / "tiny-2").parent == "tiny"


def test_two_models_are_laid_side_by_side_without_holding_the_window_up(family):
    family.segment_panel.model_menu.opening.emit()
    family.segment_panel.model_menu.compare_menu.actions()[0].trigger()

    dialog = family.segment_panel.findChild(ComparisonDialog)
    assert not dialog.isModal()
    head = dialog.tree.headerItem()
    assert [head.text(column) for column in range(4)] == ["", "tiny", "tiny·2", "change"]
    scores = dialog.tree.topLevelItem(0)
    assert [scores.text(0), scores.child(0).text(2)] == ["Scores", "0.250"]
    assert dialog.relation.text().startswith("tiny·2 was fine-tuned from tiny.")
    dialog.close()
