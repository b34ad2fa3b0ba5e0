import json
from dataclasses import replace

import pytest
from card_records import ROBUSTNESS, trained_record

from napari_brainseg.model_store.card import model_card, score_line
from napari_brainseg.model_store.store import ModelRecord

HELD_OUT = {"WT": {"before": 0.5, "after": 0.625}, "ET": {"before": 0.25, "after": 0.125}}
LEARNT = {"WT": {"before": 0.75, "after": 0.875}}


@pytest.mark.parametrize(
    ("scores", "line"),
    [
        ({}, ""),
        ({"validation": {"mean": {"WT": 0.5}}}, "validation Dice WT 0.500"),
        ({"cross_validation": {"mean": {"WT": 0.5}}}, "cross-validation Dice WT 0.500"),
        (
            {"held_out": HELD_OUT, "learnt": LEARNT, "recommendation": "accept"},
            "from lgg; Dice on what was held out WT 0.500 → 0.625, ET 0.250 → 0.125",
        ),
        ({"learnt": LEARNT}, "from lgg; Dice on what it learnt WT 0.750 → 0.875"),
        (
            {"confirmed": {"before": {"WT": 0.5}, "after": {"WT": 0.625}}},
            "from lgg; Dice on its confirmed slices WT 0.500 → 0.625",
        ),
        ({"held_out": "by hand", "learnt": {"WT": 0.5}}, ""),
    ],
)
def test_scores_in_one_line(scores, line):
    record = ModelRecord("lgg-2", "1", "", {"name": "unext"}, ("flair",), "lgg", ("WT",), parent="lgg", scores=scores)

    assert score_line(record) == line


def test_a_cross_validation_of_the_card_counts_before_the_scores_of_the_training(tmp_path):
    scores = {"validation": {"mean": {"WT": 0.5}}}
    record = ModelRecord("m", "1", "", {"name": "unext"}, ("flair",), "lgg", ("WT",), folder=tmp_path, scores=scores)
    assert score_line(record) == "validation Dice WT 0.500"
    held = {"cross_validation": {"set": {"WT": {"dice": {"mean": 0.625}}, "TC": {"dice": {"mean": 0.25}}}}}
    (tmp_path / "records.json").write_text(json.dumps(held))
    assert score_line(record) == "cross-validation Dice WT 0.625"
    (tmp_path / "records.json").write_text("{")
    assert score_line(record) == "validation Dice WT 0.500"


def sections(card):
    parts = card.split("\n## ")
    return {"": parts[0], **dict(part.split("\n\n", 1) for part in parts[1:])}


def test_a_card_tells_everything_that_is_recorded():
    facts = {
        "cross_validation": {
            "patients": 2,
            "models": [{"name": "m", "version": "1", "split_name": "fold1"}],
            "set": {"WT": {"dice": {"mean": 0.8765, "low": 0.8, "high": 0.9}, "border_dice": {"mean": None}}},
            "cases": {"b": {"WT": {"dice": 0.75, "surface_dice": None, "border_dice": 0.5}}},
        },
        "robustness": {**ROBUSTNESS, "own": True, "plain": {"mean": {"WT": 0.9}, "cases": 2}},
        "compared": {"columns": ["candidate", "Dice"], "rows": [["U-Net | wide", "0.87"]]},
    }
    told = sections(model_card(trained_record(), facts))

    assert told[""].startswith("# m\n\nTumours of tests. **For research use, not for diagnosis.**")
    assert "Learned from (1): a.\n\nValidated on (1): b.\n\nKept back for the test (1): c." in told["Cases"]
    assert "`brainseg train --config m.yaml`" in told["How it was trained"]
    assert "epochs 3; rate 0.002." in told["How it was trained"]
    assert "| **WT** | 0.876 (0.800 to 0.900) | – | – |" in told["Cross-validation"]
    assert "| b | 0.750 | – | 0.500 |" in told["Cross-validation"]
    assert told["Cross-validation"].startswith("1 case of 2 patients (`brainseg evaluate --model MODEL --cases")
    assert "| **mean** | 0.500 |" in told["Validation"]
    assert "1 case was kept back (see Cases)" in told["Cases that it never saw"]
    assert "| U-Net \\| wide | 0.87 |" in told["What was tried and lost"]
    assert "| yes | yes | 0.890 (-0.010) |" in told["Missing sequences"]
    assert "| Left \\| right. | 0.850 (-0.050) | – |" in told["Changed images"]
    assert "| Stored as RAS. | 0.900 (+0.000) | 0 |" in told["Changed images"]
    assert "| **WT** | 2.000 | 0.050 | 0.010 |" in told["Calibration"]
    assert "![Reliability" in told["Calibration"]


def test_what_was_not_measured_is_said():
    record = trained_record(scores={}, training={"cases": {"train": ["a"], "validation": ["b"], "test": []}})
    told = sections(model_card(record))

    for title in ("Validation", "What was tried and lost", "Missing sequences", "Changed images", "Calibration"):
        assert told[title].strip() == "Not measured.", title
    assert "all cases of the split were used to make them" in told["Cases that it never saw"]
    assert "Not recorded." in told["Data and licence"]


def test_scores_on_cases_held_out_stand_for_those_of_the_validation():
    found = {
        "models": [{"name": "m", "version": "2", "split_name": "all"}],
        "patients": 1,
        "set": {"WT": {"dice": {"mean": 0.75, "low": 0.5, "high": 1.0}}},
        "cases": {"b": {"WT": {"dice": 0.75, "surface_dice": None, "border_dice": 0.5}}},
    }
    told = sections(model_card(trained_record(scores={}), {"hold_out": found}))
    assert "Validation" not in told
    assert "| b | 0.750 |" in told["Cases that it never saw"]


def test_cases_that_a_model_learned_from_twice_are_listed_once():
    record = trained_record()
    cases = {"train": ["a", "c"], "earlier": ["a", "c"], "validation": ["b"], "test": []}
    twice = replace(record, training={**record.training, "cases": cases})
    assert "by the model that it began with (2): the same.\n" in sections(model_card(twice))["Cases"]
    more = replace(record, training={**record.training, "cases": {**cases, "train": ["a"]}})
    assert "by the model that it began with (2): a, c.\n" in sections(model_card(more))["Cases"]


@pytest.mark.parametrize(
    ("choose", "words"), [("best", "They also chose the best epoch"), ("last", "After the last epoch.")]
)
def test_the_card_tells_whether_the_scored_cases_chose_the_epoch(choose, words):
    record = trained_record()
    settings = {**record.training["settings"], "choose": choose}
    card = model_card(replace(record, training={**record.training, "settings": settings}))
    assert words in card
    assert ("chose" in card) == (choose == "best")


def test_the_card_of_an_ensemble_lists_its_folds():
    settings = {"split": "s.json", "source": "Made up."}
    members = [
        {"name": "m", "settings": {"split_name": f"fold{n}"}, "command": f"brainseg train split_name=fold{n}",
         "cases": {"train": ["b", "a"][n : n + 1], "validation": ["a", "b"][n : n + 1]}}
        for n in (0, 1)
    ]  # fmt: skip
    record = trained_record(
        network={"name": "ensemble", "options": {"of": "unext", "options": {}, "members": 2}},
        training={"settings": settings, "members": members},
        scores={"cross_validation": {"mean": {"WT": 0.75}, "cases": {"a": {"WT": 0.5}, "b": {"WT": 1.0}}}},
    )
    told = sections(model_card(record))

    assert "The mean of 2 networks `unext`" in told["What it takes and gives"]
    kinds = {"of": [{"name": "unext"}, {"name": "efficientnet_unet"}]}
    begun = [members[0], {**members[1], "imagenet": True}]
    mixed = replace(
        record,
        network={"name": "ensemble", "options": kinds},
        training={"settings": settings, "members": begun},
    )
    both = sections(model_card(mixed))
    assert "The mean of the networks `unext`, `efficientnet_unet`" in both["What it takes and gives"]
    begins = "The encoder of `efficientnet_unet` began with the weights of EfficientNet-Lite0"
    assert begins in both["Data and licence"]
    usual = replace(record, network={"name": "ensemble", "options": {}})
    assert "The mean of 5 networks `unext`" in sections(model_card(usual))["What it takes and gives"]
    assert "ImageNet" not in told["Data and licence"]
    assert "| 1 (fold0) | the other 1 of these cases | a |" in told["Cases"]
    assert "`brainseg train split_name=fold0`  \n`brainseg train split_name=fold1`" in told["How it was trained"]
    assert "| **mean** | 0.750 |\n| a | 0.500 |" in told["Cross-validation"]
    assert "all cases of the split were used" in told["Cases that it never saw"]
    assert "Validation" not in told


def test_the_card_of_a_fine_tuned_model_tells_what_changed():
    record = trained_record(
        name="lgg-2",
        parent="lgg",
        training={
            "parent": {"name": "lgg", "version": "3"},
            "data": [{"case": "TCGA_1", "slices": ["axial slice 1", "axial slice 2"]}],
            "settings": {"steps": 30, "rate": 1e-3, "layers": "all", "seed": 1, "replay": 0.5},
            "kept": 0.25,
        },
        scores={"held_out": {"WT": {"before": 0.5, "after": 0.75}}, "held_out_words": "slice 5 of TCGA_1",
                "recommendation": "accept", "reason": "better"},
    )  # fmt: skip
    told = sections(model_card(record))

    assert "Fine-tuned from **lgg** (version 3)" in told["Where it comes from"]
    assert "- TCGA_1: axial slices 1 to 2" in told["Corrections that it was given"]
    assert "25% of the old weights kept" in told["Corrections that it was given"]
    assert "| held out, WT | 0.500 | 0.750 |" in told["Scores"]
    assert "Recommendation: accept (better)." in told["Scores"]
    assert "than lgg does" in told["Limits"]
    assert "Calibration" not in told
