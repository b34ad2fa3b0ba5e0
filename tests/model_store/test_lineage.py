from dataclasses import replace
from pathlib import Path

import pytest

from napari_brainseg.base.errors import ModelError
from napari_brainseg.model_store.folders import delete_model, rename_model
from napari_brainseg.model_store.lineage import (
    Lineage,
    Origin,
    free_name,
    history_line,
    learnt_cases,
    learnt_from,
    origin_of,
    slices_in_words,
)
from napari_brainseg.model_store.store import ModelRecord, find_model, list_models, read_record

BASE = ModelRecord(
    name="base",
    version="1",
    title="A model",
    network={"name": "unext", "options": {}},
    channels=("pre", "flair", "post"),
    scheme_id="lgg",
    outputs=("WT",),
    training={"sha256": "a" * 64},
)


def child_of(parent: ModelRecord, name: str, letter: str) -> ModelRecord:
    told = {"name": parent.name, "version": parent.version, "sha256": parent.weights_sha256}
    return replace(BASE, name=name, parent=parent.name, training={"parent": told, "sha256": letter * 64})


SECOND = child_of(BASE, "base-2", "b")
THIRD = child_of(SECOND, "base-3", "c")
SIDE = child_of(BASE, "base-4", "d")
OTHER = replace(BASE, name="other", training={"sha256": "e" * 64})


def write(place: Path, *records: ModelRecord) -> None:
    for record in records:
        (place / record.name).mkdir(parents=True)
        (place / record.name / "model.json").write_text(record.to_json())
        (place / record.name / "weights.safetensors").touch()


def names(records) -> list[str]:
    return [record.name for record in records]


def test_a_family_is_known_by_its_weights() -> None:
    lineage = Lineage([OTHER, THIRD, SIDE, SECOND, BASE])
    assert names(lineage.ancestors(THIRD)) == ["base-2", "base"]
    assert names(lineage.children(BASE)) == ["base-4", "base-2"]
    assert [lineage.generation(one) for one in (BASE, SECOND, THIRD, OTHER)] == [1, 2, 3, 1]
    assert names(lineage.in_families()) == ["other", "base", "base-4", "base-2", "base-3"]
    assert origin_of(THIRD) == Origin("base-2", "1", "b" * 64)
    assert origin_of(BASE) is None


def test_a_parent_with_another_name_is_still_the_parent() -> None:
    renamed = replace(SECOND, name="mine")
    assert Lineage([renamed, THIRD]).roll_back(THIRD) is renamed
    assert history_line(THIRD, renamed) == "Fine-tuned from mine."


def test_of_two_copies_of_the_parent_the_one_with_its_name_is_taken() -> None:
    copy = replace(SECOND, name="a-copy")
    assert Lineage([copy, SECOND, THIRD]).parent(THIRD) is SECOND
    assert Lineage([SECOND, copy, THIRD]).parent(THIRD) is SECOND


def test_without_a_digest_name_and_version_tell() -> None:
    old = replace(BASE, training={})
    child = child_of(old, "base-2", "b")
    assert Lineage([child, old]).parent(child) is old
    assert Lineage([child, replace(old, version="2")]).parent(child) is None
    by_name_alone = replace(child, training={})
    assert Lineage([by_name_alone, replace(old, version="2")]).generation(by_name_alone) == 2


@pytest.mark.parametrize(
    ("records", "record", "words"),
    [
        ([BASE], BASE, "base was not fine-tuned from another model"),
        ([THIRD, BASE], THIRD, r"base-2, from which base·3 was fine-tuned, is not there any more. Import a zip file"),
        (
            [THIRD, replace(SECOND, training={"sha256": "f" * 64})],
            THIRD,
            r"The weights of base-2 are no longer those that base·3 was fine-tuned from",
        ),
    ],
)
def test_why_there_is_no_way_back_is_said(records: list[ModelRecord], record: ModelRecord, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        Lineage(records).roll_back(record)


def test_a_model_whose_weights_did_not_change_is_not_its_own_parent() -> None:
    unchanged = child_of(BASE, "base-2", "a")
    lineage = Lineage([unchanged, BASE])
    assert names(lineage.ancestors(unchanged)) == ["base"]
    assert Lineage([unchanged]).parent(unchanged) is None


def test_descriptions_in_a_circle_end() -> None:
    first = replace(BASE, name="x", parent="y", training={})
    second = replace(BASE, name="y", parent="x", training={})
    lineage = Lineage([first, second, OTHER])
    assert names(lineage.ancestors(first)) == ["y"]
    assert sorted(names(lineage.in_families())) == ["other", "x", "y"]


def test_the_next_name_counts_on_and_uses_none_twice(tmp_path: Path) -> None:
    write(tmp_path, BASE)
    base = find_model("base", [tmp_path])
    assert free_name(base, [tmp_path]) == "base-2"
    write(tmp_path, SECOND, THIRD)
    second = find_model("base-2", [tmp_path])
    assert free_name(second, [tmp_path]) == "base-4"
    delete_model(second, [tmp_path])
    # base-3 still names base-2 as its parent: another model of that name would be taken for it.
    assert free_name(base, [tmp_path]) == "base-4"
    # A model with a number that was not fine-tuned begins a line of its own.
    assert free_name(replace(BASE, name="unet-3"), [tmp_path]) == "unet-3-2"


def test_children_get_the_new_name_of_their_parent(tmp_path: Path) -> None:
    write(tmp_path, BASE, SECOND, THIRD)
    rename_model(find_model("base-2", [tmp_path]), "mine", [tmp_path])
    child = read_record(tmp_path / "base-3")
    assert origin_of(child) == Origin("mine", "1", "b" * 64)
    assert replace(child, parent="base-2", training=THIRD.training, folder=None) == THIRD
    assert Lineage(list_models([tmp_path])).roll_back(child).name == "mine"


def test_what_it_learnt_is_told_in_words() -> None:
    data = [
        {"case": "p1", "slices": ["axial slice 1", "axial slice 2"], "voxels": 9},
        {"case": "p2", "slices": ["axial slice 7"]},
        {"case": "p1", "slices": ["axial slice 3"]},
    ]
    taught = replace(THIRD, training={**THIRD.training, "data": data, "date": "no date"})
    assert learnt_cases(taught) == {"p1": ("axial slice 1", "axial slice 2", "axial slice 3"), "p2": ("axial slice 7",)}
    assert learnt_from(taught) == "4 slices in 2 cases"
    assert history_line(taught) == "Fine-tuned from base·2 on no date with 4 slices in 2 cases."
    assert learnt_from(replace(THIRD, training={"data": [{"case": "p", "slices": []}]})) == "1 case"


@pytest.mark.parametrize("data", [None, 3, "text", [1, {"voxels": 3}], {"case": "p"}])
def test_odd_facts_are_left_out(data: object) -> None:
    assert learnt_from(replace(BASE, training={"data": data})) == ""
    assert history_line(replace(BASE, training={"data": data})) == ""


def test_slices_are_told_by_their_ends_and_unknown_words_are_kept() -> None:
    told = [f"axial slice {index}" for index in (3, 4, 5, 9)]
    assert (
        slices_in_words([*told, "coronal slice 2", "the rest"])
        == "axial slices 3 to 5 and 9, coronal slice 2, the rest"
    )
    assert slices_in_words([]) == "a mask"
