import numpy as np
import pytest

from napari_brainseg.annotation.region_painting import class_rules, region_rules
from napari_brainseg.cases.labels import BRATS2013, BRATS2017, BRATS2024, BRATS_PED, LGG, MSD

ALL = np.arange(5, dtype=np.uint8)


def become(rule, scheme, wanted):
    labels = ALL[: len(scheme.classes) + 1]
    return rule.relabel(labels, np.full(labels.size, wanted)).tolist()


@pytest.mark.parametrize(
    ("region", "painted", "erased"),
    [  # labels 0 nothing, 1 NCR, 2 ED, 3 ET
        ("WT", [2, 1, 2, 3], [0, 0, 0, 0]),
        ("TC", [1, 1, 1, 3], [0, 2, 2, 2]),
        ("ET", [3, 3, 3, 3], [0, 1, 2, 1]),
    ],
)
def test_brats_regions(region, painted, erased):
    rule = next(r for r in region_rules(BRATS2017) if r.name == region)
    assert become(rule, BRATS2017, True) == painted
    assert become(rule, BRATS2017, False) == erased


def test_values_of_another_scheme_follow_the_meaning():
    core = next(r for r in region_rules(MSD) if r.name == "TC")  # 1 ED, 2 NCR, 3 ET
    assert become(core, MSD, True) == [2, 2, 2, 3]
    assert become(core, MSD, False) == [0, 1, 1, 1]


def test_a_divided_core_is_painted_as_necrosis_and_keeps_its_parts():
    core = next(r for r in region_rules(BRATS2013) if r.name == "TC")  # 1 NCR, 2 ED, 3 NET, 4 ET
    assert become(core, BRATS2013, True) == [1, 1, 1, 3, 4]
    assert become(core, BRATS2013, False) == [0, 2, 2, 2, 2]


def test_a_resection_cavity_is_in_no_region_and_stays():
    for rule in region_rules(BRATS2024):
        assert become(rule, BRATS2024, True)[4] == 4
        assert become(rule, BRATS2024, False)[4] == 4


def test_paediatric_core_is_painted_as_non_enhancing():
    core = next(r for r in region_rules(BRATS_PED) if r.name == "TC")  # 1 ET, 2 NET, 3 CC, 4 ED
    assert become(core, BRATS_PED, True) == [2, 1, 2, 3, 2]
    assert become(core, BRATS_PED, False) == [0, 4, 4, 4, 4]


def test_one_region_alone():
    (rule,) = region_rules(LGG)
    assert become(rule, LGG, True) == [1, 1]
    assert become(rule, LGG, False) == [0, 0]


def test_classes_overwrite_each_other_and_erase_only_themselves():
    oedema = class_rules(BRATS2017)[1]
    assert oedema.name == "ED"
    assert become(oedema, BRATS2017, True) == [2, 2, 2, 2]
    assert become(oedema, BRATS2017, False) == [0, 1, 0, 3]


def test_masks_are_the_regions_of_the_scheme():
    labels = np.array([[[0, 1, 2, 3]]], np.uint8)
    masks = [rule.mask(labels).reshape(-1).tolist() for rule in region_rules(BRATS2017)]
    assert masks == [[0, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]]
