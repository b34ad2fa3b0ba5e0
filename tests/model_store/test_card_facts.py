from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from card_records import ROBUSTNESS, SCORES, trained_record

from napari_brainseg.base.errors import InputError
from napari_brainseg.model_store.card_facts import taken


def written(folder: Path, name: str, facts: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(facts if isinstance(facts, str) else json.dumps(facts))
    return folder / name


def scores(cases: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**SCORES, "cases": cases, **changes}


def test_a_folder_gives_what_it_holds(tmp_path: Path) -> None:
    written(tmp_path / "x", "results.json", SCORES)
    written(tmp_path / "x", "robustness.json", ROBUSTNESS)
    found = taken([str(tmp_path / "x")], trained_record())
    assert set(found) == {"cross_validation", "robustness"}
    assert found["cross_validation"]["set"]["WT"]["dice"] == {"mean": 0.876543, "low": 0.8, "high": 0.9}
    assert found["cross_validation"]["cases"]["b"] == {
        "WT": {"dice": 0.75, "surface_dice": None, "border_dice": 0.5}
    }  # a class is no region
    assert "predictions" not in json.dumps(found)  # no place of a machine


@pytest.mark.parametrize(
    ("case", "part", "kind"), [("b", "validation", "validation"), ("z", "test", "hold_out"), ("z", None, "hold_out")]
)
def test_scores_of_the_models_own_weights_tell_by_their_cases_what_they_are(
    case: str, part: str | None, kind: str, tmp_path: Path
) -> None:
    own = [{"name": "m", "version": "1", "sha256": "before", "split_name": "mine"}]
    told = scores({case: SCORES["cases"]["b"]}, models=own, part=part)
    assert set(taken([str(written(tmp_path, "results.json", told))], trained_record())) == {kind}


def test_scores_on_cases_of_the_model_that_a_training_began_with_are_refused(tmp_path: Path) -> None:
    record = trained_record()
    cases = {**record.training["cases"], "earlier": ["z"]}
    begun = replace(record, training={**record.training, "cases": cases})
    told = scores({"z": SCORES["cases"]["b"]}, models=[{"name": "m", "version": "1", "sha256": "own"}])
    with pytest.raises(InputError, match="1 of the cases it learnt from, such as z"):
        taken([str(written(tmp_path, "results.json", told))], begun)


def test_a_word_before_the_file_says_what_scores_without_a_model_are(tmp_path: Path) -> None:
    told = {key: value for key, value in SCORES.items() if key != "models"}
    path = written(tmp_path, "results.json", told)
    assert set(taken([f"hold_out={path}"], trained_record())) == {"hold_out"}
    with pytest.raises(InputError, match="Say what it is: validation="):
        taken([str(path)], trained_record())


@pytest.mark.parametrize(
    ("name", "facts", "said"),
    [
        ("results.json", scores({"a": SCORES["cases"]["b"]}, models=[{"sha256": "own"}]), "1 of the cases it learnt"),
        ("results.json", scores({}, models=[{"sha256": "other"}]), "of other weights than those of m"),
        ("results.json", {}, "holds nothing that is known"),
        ("results.json", "not JSON", "cannot be taken"),
        ("results.json", {"set": {"WT": 3}, "cases": {}, "patients": 1, "models": []}, "cannot be taken"),
        ("tried.csv", "only titles\n", "is no table"),
        ("tried.csv", "a,b\n1\n", "is no table"),
    ],
)
def test_what_cannot_be_taken_is_one_sentence(name: str, facts: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said) as caught:
        taken([str(written(tmp_path, name, facts))], trained_record())
    assert "\n" not in str(caught.value)


def test_a_table_of_candidates_has_free_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "tried.csv", 'candidate,Dice\n"U-Net, wide",0.87\n\nUNeXt,0.85\n')
    rows = [["U-Net, wide", "0.87"], ["UNeXt", "0.85"]]
    assert taken([str(path)], trained_record())["compared"] == {"columns": ["candidate", "Dice"], "rows": rows}
