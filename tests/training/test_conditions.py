from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from changed_cases import labelled_case

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import BRATS_CHANNELS, LGG_CHANNELS
from napari_brainseg.training.robustness.conditions import SEQUENCES, conditions_for


def test_every_combination_of_sequences_most_of_them_first() -> None:
    combined = [c.name for c in conditions_for(BRATS_CHANNELS, (SEQUENCES,))]
    assert len(combined) == len(set(combined)) == 15
    assert combined[:3] == ["flair+t1+t1ce+t2", "flair+t1+t1ce", "flair+t1+t2"]
    assert combined[-4:] == list(BRATS_CHANNELS)
    assert len(conditions_for(LGG_CHANNELS, (SEQUENCES,))) == 7


def test_other_sequences_are_taken_from_the_case() -> None:
    case, chance = labelled_case(), np.random.default_rng(1)
    (two,) = conditions_for(BRATS_CHANNELS, ("t1+t2",))
    assert two.present == ("t1", "t2")
    assert list(two.change(case, chance).channels) == ["t1", "t2"]
    lone = replace(case, channels={"flair": case.channels["flair"]})
    with pytest.raises(InputError, match=r"case has none of t1, t2"):
        two.change(lone, chance)


def test_conditions_that_need_a_place_in_space_say_so() -> None:
    case, chance = labelled_case(), np.random.default_rng(1)
    nowhere = replace(case, geometry=replace(case.geometry, affine=None, spacing=None))
    placed = ("stored-RAS", "stored-PIR", "stored-ASL", "coronal", "sagittal")
    for condition in conditions_for(BRATS_CHANNELS, ("robustness",)):
        if condition.name not in placed:
            assert condition.change(nowhere, chance).labels is not None
            continue
        with pytest.raises(InputError, match="do not say where it lies"):
            condition.change(nowhere, chance)


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    with pytest.raises(InputError, match=r"no condition 'noise'\. Choose from robustness, sequences, noise-5"):
        conditions_for(BRATS_CHANNELS, ("noise",))
