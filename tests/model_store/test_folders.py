import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from napari_brainseg.base.errors import ModelError, OutputError
from napari_brainseg.base.paths import shipped_models
from napari_brainseg.model_store.folders import (
    delete_model,
    folder_written_aside,
    is_taken,
    rename_model,
    why_not_a_name,
)
from napari_brainseg.model_store.store import ModelRecord, find_model, list_models, read_record


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "project" / "models"


@pytest.fixture
def record(place: Path) -> ModelRecord:
    """A copy of the shipped lgg as if it were fine-tuned."""
    folder = place / "lgg-2"
    shutil.copytree(shipped_models() / "lgg", folder)
    taught = replace(read_record(folder), parent="lgg")
    (folder / "model.json").write_text(taught.to_json())
    (folder / "README.md").write_text("# lgg-2\n\nLearnt a little.\n")
    return taught


def test_a_renamed_model_has_its_name_in_folder_description_and_card(record: ModelRecord, place: Path) -> None:
    renamed = rename_model(record, "knee surgery (try 1)", [place])
    assert [path.name for path in place.iterdir()] == ["knee surgery (try 1)"]
    assert renamed == replace(record, name="knee surgery (try 1)", folder=place / "knee surgery (try 1)")
    assert json.loads((renamed.folder / "model.json").read_text())["name"] == "knee surgery (try 1)"
    assert renamed.card == "# knee surgery (try 1)\n\nLearnt a little.\n"
    assert renamed.weights_path.read_bytes() == (shipped_models() / "lgg" / "weights.safetensors").read_bytes()


def test_a_heading_of_a_persons_own_stays(record: ModelRecord, place: Path) -> None:
    (record.folder / "README.md").write_text("# My notes\nlgg-2 is good.\n")
    assert rename_model(record, "b", [place]).card == "# My notes\nlgg-2 is good.\n"


def test_capitals_of_a_name_can_be_changed(record: ModelRecord, place: Path) -> None:
    assert rename_model(record, "LGG-2", [place]).name == "LGG-2"


def test_a_name_that_is_taken_anywhere_is_refused(record: ModelRecord, place: Path, own_home: Path) -> None:
    shutil.copytree(record.folder, own_home / "models" / "other")
    for name in ("lgg", "Brats", "OTHER"):
        with pytest.raises(ModelError, match=f"There is a model {name} already"):
            rename_model(record, name, [place])
    assert is_taken("other", [])
    assert not is_taken("lgg-3", [place])
    assert read_record(place / "lgg-2") == record


@pytest.mark.parametrize(
    "name", ["", "..", ".hidden", "a/b", "a\\b", "a:b", "end.", "end ", "CON", "nul.x", "a\nb", "x" * 81, "lgg·2", "-a"]
)
def test_names_that_some_file_system_refuses_are_refused(name: str, record: ModelRecord, place: Path) -> None:
    assert why_not_a_name(name).endswith((".", "another."))
    with pytest.raises(ModelError):
        rename_model(record, name, [place])
    assert record.folder.is_dir()


@pytest.mark.parametrize("name", ["a", "lgg-2", "Größe 3", "v1.2_b", "脳", "x" * 80, "a (b)"])
def test_other_names_are_fine(name: str) -> None:
    assert why_not_a_name(name) == ""


def test_a_deleted_model_is_gone_and_its_neighbours_are_not(record: ModelRecord, place: Path) -> None:
    shutil.copytree(record.folder, place / "lgg-3")
    (record.folder / ".DS_Store").touch()
    delete_model(record, [place])
    assert [path.name for path in place.iterdir()] == ["lgg-3"]


def test_shipped_models_and_those_elsewhere_are_never_touched(
    record: ModelRecord, place: Path, tmp_path: Path, own_home: Path
) -> None:
    shutil.copytree(record.folder, tmp_path / "run" / "mine")
    (own_home / "models").mkdir(parents=True)
    (own_home / "models" / "link").symlink_to(tmp_path / "run" / "mine")
    for which, words in (
        (find_model("lgg"), "came with the program"),
        (read_record(tmp_path / "run" / "mine"), "is not in a models folder"),
        (find_model("link"), "is not in a models folder"),
        (replace(record, folder=None), "has not been saved"),
    ):
        with pytest.raises(ModelError, match=words):
            delete_model(which, [place])
        with pytest.raises(ModelError, match=words):
            rename_model(which, "other", [place])
    assert (tmp_path / "run" / "mine" / "weights.safetensors").is_file()
    assert find_model("lgg").weights_path.is_file()


def test_a_folder_with_other_files_is_not_deleted(record: ModelRecord, place: Path) -> None:
    (record.folder / "thesis.docx").write_text("years of work")
    with pytest.raises(ModelError, match=r"holds more than a model \(thesis.docx\)"):
        delete_model(record, [place])
    assert (record.folder / "thesis.docx").read_text() == "years of work"
    assert record.weights_path.is_file()


def test_a_folder_that_a_program_holds_stays_whole(
    record: ModelRecord, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(path: Path, target: Path) -> Path:
        raise PermissionError(13, "The process cannot access the file")  # Windows, while a file in it is open

    before = {path.name: path.read_bytes() for path in record.folder.iterdir()}
    monkeypatch.setattr(Path, "rename", held)
    with pytest.raises(OutputError, match=r"could not be deleted .*Close the programs that use the model"):
        delete_model(record, [place])
    with pytest.raises(OutputError, match="could not be renamed"):
        rename_model(record, "other", [place])
    assert read_record(record.folder) == record
    assert {path.name: path.read_bytes() for path in record.folder.iterdir()} == before


def test_a_folder_that_is_gone_already_is_said(record: ModelRecord, place: Path) -> None:
    shutil.rmtree(record.folder)
    with pytest.raises(OutputError, match="could not be deleted"):
        delete_model(record, [place])


def test_a_block_that_fails_leaves_nothing(place: Path) -> None:
    def fail() -> None:
        with folder_written_aside(place / "new") as aside:
            (aside / "model.json").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"could not be written \(No space left on device\)"):
        fail()
    assert list(place.iterdir()) == []


def test_the_old_folder_comes_back_where_the_new_one_cannot_take_its_place(
    record: ModelRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if path.name.startswith(".writing-"):
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError), folder_written_aside(record.folder, overwrite=True) as aside:
        (aside / "model.json").write_text("{}")
    assert read_record(record.folder) == record
    assert len(list(record.folder.parent.iterdir())) == 1


def test_what_killed_processes_left_is_removed_a_day_later(record: ModelRecord, place: Path) -> None:
    for name, age in ((".writing-old", 2), (".deleting-old", 2), (".writing-new", 0)):
        (place / name).mkdir()
        (place / name / "weights.safetensors").touch()
        moment = time.time() - age * 24 * 3600
        os.utime(place / name, (moment, moment))
    assert "lgg-2" in [model.name for model in list_models([place])]
    with folder_written_aside(place / "next"):
        pass
    assert sorted(path.name for path in place.iterdir()) == [".writing-new", "lgg-2", "next"]
