from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from napari_brainseg.base.errors import ModelError
from napari_brainseg.model_store.ensembles import cases_of, history_of, joined_record, trainings_of
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.model_store.store import ModelRecord, find_model


def fold(number: int, **changes: object) -> ModelRecord:
    other = "ba"[number]
    record = ModelRecord(
        "m",
        "1",
        "",
        {"name": "unext", "options": {"widths": [4, 8, 10, 15, 20]}},
        ("flair", "t1"),
        "brats2017",
        ("WT", "TC", "ET"),
        trained_to_miss=("flair", "t1") if number else ("t1",),
        training={
            "settings": {"epochs": 3, "split_name": f"fold{number}"},
            "torch": "2.13",
            "sha256": f"{number}" * 8,
            "cases": {"train": [other], "validation": ["ab"[number]]},
            "domain": {"cases": number},
        },
        scores={"validation": {"cases": {"ab"[number]: {"WT": 0.5 + number / 4}}, "mean": {"WT": 0.0}}},
        folder=Path(f"runs/fold{number}/m"),
    )
    return replace(record, **changes)


def test_what_is_common_is_written_once_and_each_member_keeps_its_own() -> None:
    joined = joined_record("all", [fold(0), fold(1)])
    options = {"of": "unext", "options": {"widths": [4, 8, 10, 15, 20]}, "members": 2}
    assert joined.network == {"name": "ensemble", "options": options}
    assert joined.trained_to_miss == ("t1",)
    assert joined.training["settings"] == {"epochs": 3}
    assert joined.training["torch"] == "2.13"
    assert "domain" not in joined.training
    assert joined.training["members"][1] == {
        "name": "m",
        "version": "1",
        "sha256": "11111111",
        "settings": {"split_name": "fold1"},
        "cases": {"train": ["a"], "validation": ["b"]},
        "command": "",
    }
    trainings = trainings_of(joined)
    assert [t.split_name for t in trainings] == ["fold0", "fold1"]
    assert trainings[1] == trainings_of(fold(1))[0]
    # Each case was scored by the member that did not learn from it.
    assert joined.scores == {
        "cross_validation": {"mean": {"WT": 0.625}, "cases": {"a": {"WT": 0.5}, "b": {"WT": 0.75}}}
    }


def test_a_case_that_two_members_validated_on_has_no_score_of_its_own() -> None:
    assert joined_record("all", [fold(0), fold(1, scores=fold(0).scores)]).scores == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channels": ("t1", "flair")}, "their channels differ"),
        ({"outputs": ("background", "NCR", "ED", "ET")}, "their outputs differ"),
        ({"scheme_id": "brats2023"}, "their label schemes differ"),
        ({"preprocessing": Preprocessing(crop=True)}, "their preprocessing differ"),
        ({"post_processing": {"fill_holes": True}}, "their recommended rules differ"),
        ({"training": fold(0).training}, "have the same weights"),
        ({"parent": "lgg"}, "runs/fold1/m was fine-tuned"),
        ({"network": {"name": "ensemble", "options": {}}}, "runs/fold1/m is an ensemble already"),
    ],
)
def test_what_does_not_fit_together_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        joined_record("all", [fold(0), fold(1, **changes)])
    assert str(caught.value).count("\n") == 0


def test_networks_of_other_kinds_stand_one_by_one() -> None:
    other = {"name": "unet", "options": {"base_width": 4}}
    joined = joined_record("all", [fold(0), fold(1, network=other)])
    assert joined.network == {"name": "ensemble", "options": {"of": [fold(0).network, other]}}


def test_a_member_keeps_that_it_began_with_weights_from_imagenet() -> None:
    begun = fold(1)
    begun = replace(begun, training={**begun.training, "imagenet": True})
    joined = joined_record("all", [fold(0), begun])
    assert [one.imagenet for one in trainings_of(joined)] == [False, True]
    assert history_of(joined).imagenet
    assert not history_of(fold(0)).imagenet


def test_one_model_is_no_ensemble() -> None:
    with pytest.raises(ModelError, match="two models or more"):
        joined_record("all", [fold(0)])


def test_a_run_says_which_cases_its_model_saw_where_the_record_does_not(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    record = fold(0, training={}, folder=tmp_path / "m")
    assert cases_of(record) == {}
    told = {"settings": {"name": "m"}, "cases": {"train": ["x"], "validation": ["y"]}}
    (tmp_path / "settings.json").write_text(json.dumps(told))
    assert cases_of(record) == {"train": ("x",), "validation": ("y",)}
    assert cases_of(replace(record, name="moved here")) == {}


def test_older_models_have_their_command_in_the_card() -> None:
    assert trainings_of(find_model("lgg"))[0].command.startswith("brainseg train --config docs/studies/")
