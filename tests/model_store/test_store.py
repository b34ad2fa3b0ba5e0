import json
from dataclasses import replace
from pathlib import Path

import pytest

from napari_brainseg.base.errors import ModelError
from napari_brainseg.cases.labels import BRATS2013, BRATS2017, BRATS2023, BRATS2024, LGG
from napari_brainseg.cases.phantom import make_lgg_phantom
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.model_store.store import (
    ModelRecord,
    classes_in_words,
    default_model_for,
    find_model,
    list_models,
    read_record,
)

RECORD = ModelRecord(
    name="small",
    version="1",
    title="A model",
    network={"name": "unext", "options": {"widths": [4, 8, 10, 15, 20]}},
    channels=("pre", "flair", "post"),
    scheme_id="lgg",
    outputs=("WT",),
    preprocessing=Preprocessing(margin=3),
    scores={"validation": {"mean": {"WT": 0.5}}},
)


def place(record: ModelRecord, folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(replace(record, name=folder.name).to_json())
    return folder


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINSEG_HOME", str(tmp_path / "home"))


def test_a_record_comes_back(tmp_path: Path) -> None:
    folder = place(RECORD, tmp_path / "small")
    assert read_record(folder) == replace(RECORD, folder=folder)


def test_models_of_the_project_come_before_the_users_and_the_shipped(tmp_path: Path) -> None:
    place(RECORD, tmp_path / "home" / "models" / "b")
    place(RECORD, tmp_path / "home" / "models" / "a")
    place(replace(RECORD, title="the project's"), tmp_path / "project" / "a")
    found = list_models([tmp_path / "project"])
    assert [(m.name, m.title) for m in found][:2] == [("a", "the project's"), ("b", "A model")]


def test_a_broken_folder_hides_only_itself(tmp_path: Path) -> None:
    place(RECORD, tmp_path / "project" / "good")
    broken = tmp_path / "project" / "broken"
    broken.mkdir()
    (broken / "model.json").write_text("{")
    assert "good" in [m.name for m in list_models([tmp_path / "project"])]
    with pytest.raises(ModelError, match="is not a model description"):
        find_model("broken", [tmp_path / "project"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scheme_id": "unheard"}, "unknown label scheme"),
        ({"format": 99}, "newer version"),
        ({"channels": 3}, "not a model description"),
        ({"surprise": 1}, "surprise"),
        ({"post_processing": 50}, "not a model description"),
        ({"scores": [1]}, "scores is no group"),
        ({"parent": 3}, "parent is no text"),
        ({"title": None}, "title is no text"),
        ({"channels": [1]}, "channels holds something else"),
        ({"network": {}}, "network has no name"),
        ({"preprocessing": {"clip": [0, 1], "scaling": "odd"}}, "There is no scaling 'odd'"),
    ],
)
def test_what_is_wrong_with_a_description_is_said(tmp_path: Path, change: dict[str, object], words: str) -> None:
    facts = json.loads(RECORD.to_json()) | change
    (tmp_path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(ModelError, match=words):
        read_record(tmp_path)


def test_files_without_post_processing_recommend_none(tmp_path: Path) -> None:
    facts = json.loads(replace(RECORD, post_processing={"min_volume": 50}).to_json())
    (tmp_path / "model.json").write_text(json.dumps(facts))
    assert read_record(tmp_path).post_processing == {"min_volume": 50}
    del facts["post_processing"]
    (tmp_path / "model.json").write_text(json.dumps(facts))
    assert read_record(tmp_path).post_processing == {}


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    place(RECORD, tmp_path / "project" / "known")
    with pytest.raises(ModelError, match=r"'unknown'.*known"):
        find_model("unknown", [tmp_path / "project"])
    with pytest.raises(ModelError, match=r"such as in a project, is found by its folder\."):
        find_model("unknown")


def test_the_default_model_takes_the_channels_of_the_exam() -> None:
    brats = replace(RECORD, name="brats", channels=("flair", "t1", "t1ce", "t2"))
    flair_only = replace(RECORD, name="flair", channels=("flair",))
    case = make_lgg_phantom(1)
    assert default_model_for(case, [flair_only, brats, RECORD]) == RECORD
    assert default_model_for(case, [brats]) is None


def test_a_fine_tuned_model_is_no_default_where_its_parent_is_there() -> None:
    taught = replace(RECORD, name="small-2", parent="small")
    assert default_model_for(make_lgg_phantom(1), [taught, RECORD]) == RECORD


def test_models_of_the_default_project_are_found_by_name(tmp_path: Path) -> None:
    place(RECORD, tmp_path / "home" / "project" / "models" / "taught")
    assert find_model("taught").name == "taught"


def test_a_description_nested_beyond_reason_hides_only_itself(tmp_path: Path) -> None:
    place(RECORD, tmp_path / "project" / "good")
    place(RECORD, tmp_path / "project" / "deep")
    (tmp_path / "project" / "deep" / "model.json").write_text("[" * 200_000)
    names = [m.name for m in list_models([tmp_path / "project"])]
    assert "good" in names
    assert "deep" not in names


def test_a_folder_renamed_by_hand_has_its_new_name(tmp_path: Path) -> None:
    place(RECORD, tmp_path / "small").rename(tmp_path / "mine")
    assert find_model("mine", [tmp_path]).name == "mine"
    assert "mine" in [m.name for m in list_models([tmp_path])]


def test_what_is_being_written_is_not_listed(tmp_path: Path) -> None:
    place(RECORD, tmp_path / ".writing-x1")
    place(RECORD, tmp_path / "small")
    place(RECORD, tmp_path / ".replaced-small")
    assert [m.name for m in list_models([tmp_path]) if m.folder.parent == tmp_path] == ["small"]


@pytest.mark.parametrize(
    ("name", "parent", "shown"),
    [
        ("lgg-2", "lgg", "lgg·2"),
        ("my-lgg-12", "my-lgg-3", "my-lgg·12"),
        ("lgg-2", None, "lgg-2"),
        ("mine", "lgg", "mine"),
    ],
)
def test_a_fine_tuned_model_is_shown_with_its_number_in_the_line(name: str, parent: str | None, shown: str) -> None:
    assert replace(RECORD, name=name, parent=parent).display_name == shown


def test_a_model_is_found_by_the_name_that_people_see(tmp_path: Path) -> None:
    folder = place(replace(RECORD, parent="lgg"), tmp_path / "lgg-2")
    assert find_model("lgg·2", [tmp_path]).folder == folder


@pytest.mark.parametrize(
    ("model", "slices", "words"),
    [
        ("lgg", LGG, ""),
        ("brats2017", BRATS2023, ""),
        (
            "lgg",
            BRATS2017,
            "small labels in LGG, these slices are in BraTS 2017: NCR, ED and ET are taken as FLAIR abnormality.",
        ),
        (
            "brats2017",
            BRATS2013,
            "small labels in BraTS 2017, these slices are in BraTS 2013: NCR and NET are taken as NCR.",
        ),
        (
            "brats2017",
            BRATS2024,
            "small labels in BraTS 2017, these slices are in BraTS 2024: NETC is taken as NCR; SNFH is taken as ED; "
            "it has no class for RC, so it cannot learn from slices with that.",
        ),
        (
            "brats2024",
            BRATS2017,
            "small labels in BraTS 2024, these slices are in BraTS 2017: NCR is taken as NETC; ED is taken as SNFH; "
            "nothing here teaches it RC.",
        ),
    ],
)
def test_what_fits_between_schemes_and_what_does_not_is_said(model, slices, words):
    assert classes_in_words(replace(RECORD, scheme_id=model), slices) == words
