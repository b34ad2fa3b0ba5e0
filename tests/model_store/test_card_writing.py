from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from card_records import ROBUSTNESS, SCORES, trained_record
from small_models import write_small_model

from napari_brainseg.base.errors import InputError, ModelError
from napari_brainseg.cli import main
from napari_brainseg.model_store.card_facts import read_facts
from napari_brainseg.model_store.card_writing import write_card
from napari_brainseg.model_store.folders import delete_model
from napari_brainseg.model_store.model_zip import export_model, import_model
from napari_brainseg.model_store.store import ModelRecord, read_record


@pytest.fixture
def record(tmp_path: Path) -> ModelRecord:
    """A model on disk, with a calibration in its record."""
    folder = write_small_model(tmp_path / "models" / "m")
    sha256 = read_record(folder).weights_sha256
    told = trained_record()
    told = replace(told, training={**told.training, "sha256": sha256})
    (folder / "model.json").write_text(told.to_json())
    return read_record(folder)


def files(record: ModelRecord) -> dict[str, bytes]:
    assert record.folder is not None
    return {path.name: path.read_bytes() for path in sorted(record.folder.iterdir())}


def test_what_was_taken_stays_and_the_card_comes_again_byte_for_byte(
    record: ModelRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.json").write_text(json.dumps(SCORES))
    (tmp_path / "robustness.json").write_text(json.dumps(ROBUSTNESS))
    (tmp_path / "tried.csv").write_text("candidate,Dice\nU-Net,0.8\n")
    words = ["card", str(record.folder), "--take", str(tmp_path), str(tmp_path / "tried.csv")]
    assert main(words) == 0
    assert capsys.readouterr().out.strip() == str(record.folder / "README.md")
    first = files(record)
    assert set(first) == {"README.md", "model.json", "records.json", "reliability.png", "weights.safetensors"}
    assert first["reliability.png"].startswith(b"\x89PNG")
    card = first["README.md"].decode()
    assert all(row in card for row in ("| U-Net | 0.8 |", "| b | 0.750 | – | 0.500 |"))
    (record.folder / "README.md").unlink()
    (tmp_path / "results.json").unlink()
    write_card(record)
    assert files(record) == first


def test_the_files_of_a_card_go_with_the_model(record: ModelRecord, tmp_path: Path) -> None:
    (tmp_path / "tried.csv").write_text("candidate,Dice\nU-Net,0.8\n")
    write_card(record, [str(tmp_path / "tried.csv")])
    taken = import_model(export_model(record, tmp_path / "m.zip"), tmp_path / "there", name="other")
    before, after = files(record), files(taken)
    assert {name for name in before if before[name] != after[name]} == {"model.json", "README.md"}
    write_card(taken)
    assert files(taken) == after  # the name in its heading is all that changed
    project = tmp_path / "models"
    delete_model(record, [project])
    assert not (project / "m").exists()


def test_damaged_records_are_said(record: ModelRecord) -> None:
    (record.folder / "records.json").write_text("{")
    with pytest.raises(ModelError, match="Remove it and take the results again"):
        write_card(record)


def of_third_fold(**changes: Any) -> dict[str, Any]:
    """One more case, of another fold, which the mirror does not change and of which no sequence was left out."""
    scores = {"c": {"WT": 0.6}}
    flip, stored = ROBUSTNESS["groups"]["robustness"]
    return {
        **ROBUSTNESS,
        "command": "brainseg robustness third",
        "models": [{"name": "m", "version": "1", "sha256": "z", "split_name": "fold3"}],
        "plain": {"text": "The case as it is.", "mean": {"WT": 0.6}, "cases": scores},
        "groups": {
            "robustness": [
                {**flip, "mean": {"WT": 0.61}, "difference": {"WT": 0.01}, "cases": scores},
                {**stored, "mean": {"WT": 0.6}, "cases": scores, "changed_voxels": 7},
            ],
            "sequences": [],
        },
        **changes,
    }


def test_folds_measured_later_are_joined_to_those_of_the_card(record: ModelRecord, tmp_path: Path) -> None:
    (tmp_path / "robustness.json").write_text(json.dumps(ROBUSTNESS))
    (tmp_path / "later.json").write_text(json.dumps(of_third_fold()))
    words = ["card", str(record.folder), "--take", str(tmp_path), "--join", str(tmp_path / "later.json")]
    assert main(words) == 0
    found = read_facts(record.folder)["robustness"]
    assert found["plain"] == {"mean": {"WT": 0.8}, "cases": 3}  # (1.0 + 0.8 + 0.6) / 3
    flip, stored = found["groups"]["robustness"]
    assert (flip["mean"], flip["difference"], flip["cases"]) == ({"WT": 0.77}, {"WT": -0.03}, 3)
    assert stored["changed_voxels"] == 7
    assert found["groups"]["sequences"] == []  # not of all three
    assert [one["split_name"] for one in found["models"]] == ["fold1", "fold2", "fold3"]
    card = (record.folder / "README.md").read_text()
    assert "| Left \\| right. | 0.770 (-0.030) |" in card
    assert "3 cases, the models of the folds" in card
    assert "`brainseg robustness m --cases data; brainseg robustness third`" in card


@pytest.mark.parametrize("models", [SCORES["models"][1:], [{"name": "m", "version": "1", "split_name": ""}]])
def test_the_same_folds_or_none_are_not_joined(models: object, record: ModelRecord, tmp_path: Path) -> None:
    (tmp_path / "robustness.json").write_text(json.dumps(ROBUSTNESS))
    (tmp_path / "later.json").write_text(json.dumps(of_third_fold(models=models)))
    with pytest.raises(InputError, match="Only results of different folds can be joined"):
        write_card(record, [str(tmp_path)], [str(tmp_path / "later.json")])
    assert not (record.folder / "records.json").exists()


def test_there_must_be_something_to_join_to(record: ModelRecord, tmp_path: Path) -> None:
    (tmp_path / "later.json").write_text(json.dumps(of_third_fold()))
    with pytest.raises(InputError, match=r"later\.json cannot be joined"):
        write_card(record, [], [str(tmp_path / "later.json")])
