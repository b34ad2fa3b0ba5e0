from dataclasses import replace
from pathlib import Path

import pytest

from napari_brainseg.model_store.comparing import ComparedFact, compare
from napari_brainseg.model_store.store import ModelRecord

BASE = ModelRecord(
    name="base",
    version="1",
    title="A model",
    network={"name": "unext", "options": {"widths": [4, 8]}},
    channels=("pre", "flair", "post"),
    scheme_id="lgg",
    outputs=("WT",),
    training={"sha256": "a" * 64, "settings": {"rate": 0.002, "batch": 16, "augmentation": {"scale": 0.2}}},
    scores={"validation": {"mean": {"WT": 0.75}, "cases": {"p1": {"WT": 0.5}, "p2": {"WT": 1.0}}}},
    folder=Path("/models/base"),
)


def taught(parent: ModelRecord, name: str, letter: str, slices: list[str], after: float) -> ModelRecord:
    training = {
        "sha256": letter * 64,
        "parent": {"name": parent.name, "version": "1", "sha256": parent.weights_sha256},
        "data": [{"case": "p9", "slices": slices, "voxels": 5}],
        "settings": {"rate": 0.001, "steps": 40},
    }
    scores = {"confirmed": {"before": {"WT": 0.5}, "after": {"WT": after}}, "slices": 3}
    folder = Path("/models") / name
    return replace(BASE, name=name, parent=parent.name, training=training, scores=scores, folder=folder)


SECOND = taught(BASE, "base-2", "b", ["axial slice 1"], 0.75)
THIRD = taught(SECOND, "base-3", "c", ["axial slice 1", "axial slice 4"], 0.875)


def row(rows: tuple[ComparedFact, ...], title: str) -> ComparedFact:
    [found] = [one for one in rows if one.title == title]
    return found


def test_facts_of_both_stand_side_by_side() -> None:
    other = replace(BASE, name="other", channels=("flair",), spatial_dims=3, window=(64, 96, 96), folder=Path("/o"))
    result = compare(BASE, other)
    assert (result.first, result.second) == ("base", "other")
    assert row(result.facts, "channels") == ComparedFact("channels", "pre, flair, post", "flair")
    assert row(result.facts, "axes") == ComparedFact("axes", "2-D", "3-D, windows of 64 × 96 × 96")
    assert row(result.facts, "options").first == "widths 4 × 8"
    assert row(result.facts, "network").same
    assert row(result.facts, "weights").first == f"not there, SHA-256 {'a' * 12}"


def test_members_of_an_ensemble_are_told_one_by_one() -> None:
    kinds = [{"name": "unext", "options": {}}, {"name": "efficientnet_unet", "options": {"fixed_filters": True}}]
    joined = replace(BASE, name="both", network={"name": "ensemble", "options": {"of": kinds}}, folder=Path("/o"))
    told = row(compare(BASE, joined).facts, "options").second
    assert told == "of name unext; name efficientnet_unet, options fixed_filters yes"


def test_scores_are_told_with_their_change_and_cases_apart() -> None:
    better = {"validation": {"mean": {"WT": 0.875}, "cases": {"p1": {"WT": 0.75}, "p2": {"WT": 1.0}}}}
    result = compare(BASE, replace(BASE, name="b", scores=better, folder=Path("/b")))
    assert result.scores == (ComparedFact("validation mean WT", "0.750", "0.875", 0.125),)
    assert result.case_scores == (
        ComparedFact("validation p1 WT", "0.500", "0.750", 0.25),
        ComparedFact("validation p2 WT", "1.000", "1.000", 0.0),
    )
    assert result.notes == ()


def test_settings_of_one_alone_have_a_dash_at_the_other() -> None:
    result = compare(BASE, SECOND)
    assert row(result.settings, "rate") == ComparedFact("rate", "0.002", "0.001")
    assert row(result.settings, "batch") == ComparedFact("batch", "16", "–")
    assert row(result.settings, "augmentation.scale") == ComparedFact("augmentation.scale", "0.2", "–")
    assert row(result.settings, "steps") == ComparedFact("steps", "–", "40")


def test_what_each_learnt_from_is_told_case_by_case() -> None:
    result = compare(SECOND, THIRD)
    assert result.data == (ComparedFact("p9", "axial slice 1", "axial slices 1 and 4"),)
    assert result.notes == ("Their confirmed scores are of different cases or slices, so a difference says little.",)
    assert row(result.scores, "confirmed after WT").change == pytest.approx(0.125)
    assert row(result.scores, "slices") == ComparedFact("slices", "3", "3", 0)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (BASE, SECOND, "base·2 was fine-tuned from base."),
        (SECOND, BASE, "base·2 was fine-tuned from base."),
        (BASE, THIRD, "base·3 was fine-tuned from base, over base·2."),
        (SECOND, taught(BASE, "base-4", "d", [], 0.5), "Both come from base."),
        (THIRD, taught(SECOND, "base-4", "d", [], 0.5), "Both come from base·2."),
        (BASE, replace(BASE, name="copy", folder=Path("/copy")), "Their weights are the same."),
        (THIRD, replace(BASE, name="x", training={}, folder=Path("/x")), "As far as is known here, neither comes"),
    ],
)
def test_how_they_are_related_is_a_sentence(first: ModelRecord, second: ModelRecord, words: str) -> None:
    assert compare(first, second, [THIRD, SECOND, BASE]).relation.startswith(words)


def test_scores_that_cannot_be_compared_are_said() -> None:
    brats = replace(BASE, name="brats", scheme_id="brats2017", outputs=("WT", "TC", "ET"), folder=Path("/b"))
    brats = replace(brats, scores={"validation": {"mean": {"WT": 0.5}, "cases": {"q": {"WT": 0.5}}}})
    assert compare(BASE, brats).notes == (
        "They give other labels, so scores of one name can mean different things.",
        "Their validation scores are of different cases or slices, so a difference says little.",
    )


def test_odd_scores_and_settings_are_left_out() -> None:
    odd = replace(BASE, scores={"a": None, "b": [1], "c": "0.5", "d": True}, training={"settings": 3, "date": 5})
    result = compare(odd, odd)
    assert (result.scores, result.settings, result.data) == ((), (), ())
