import pytest

from napari_brainseg.model_store.card import score_line
from napari_brainseg.model_store.store import ModelRecord

HELD_OUT = {"WT": {"before": 0.5, "after": 0.625}, "ET": {"before": 0.25, "after": 0.125}}
LEARNT = {"WT": {"before": 0.75, "after": 0.875}}


@pytest.mark.parametrize(
    ("scores", "line"),
    [
        ({}, ""),
        ({"validation": {"mean": {"WT": 0.5}}}, "validation Dice WT 0.500"),
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
