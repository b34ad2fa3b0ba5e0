from __future__ import annotations

import numpy as np

from napari_brainseg.cases.labels import BRATS2013, BRATS2017, LGG
from napari_brainseg.evaluation.parts import part_names, parts_of


def test_what_is_class_and_region_at_once_is_scored_once() -> None:
    assert [(p.name, p.kind) for p in parts_of(BRATS2017)] == [
        ("WT", "region"),
        ("TC", "region"),
        ("ET", "class and region"),
        ("NCR", "class"),
        ("ED", "class"),
    ]
    assert [(p.name, p.long_name) for p in parts_of(LGG)] == [("WT", "FLAIR abnormality")]
    assert [p.name for p in parts_of(BRATS2013)] == ["WT", "TC", "ET", "NCR", "ED", "NET"]


def test_names_in_files_of_probabilities() -> None:
    assert part_names(LGG) == {"FLAIR-abnormality": "WT", "WT": "WT"}
    assert part_names(BRATS2017)["NCR"] == "NCR"


def test_the_mask_of_a_part() -> None:
    labels = np.array([0, 1, 2, 3], np.uint8)
    core = parts_of(BRATS2017)[1]
    np.testing.assert_array_equal(core.mask(labels), [False, True, False, True])
