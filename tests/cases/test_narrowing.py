"""Schemes told by naming and values."""

from __future__ import annotations

import numpy as np
import pytest

from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.case import Naming
from napari_brainseg.cases.labels import BRATS2017, LGG, values_of
from napari_brainseg.cases.narrowing import candidate_schemes, read_as


@pytest.mark.parametrize(
    ("naming", "case", "values", "scheme", "assumed"),
    [
        (Naming.BRATS_2017, "", (0, 1, 2, 4), "brats2017", False),
        (Naming.BRATS_2017, "", (0, 4), "brats2017", False),
        (Naming.BRATS_2017, "", (0, 1, 2), "brats2017", True),
        (Naming.BRATS_2017, "", (0,), "brats2017", True),
        (Naming.BRATS_2017, "", (0, 1, 2, 3), "brats2023", True),
        (Naming.BRATS_2017, "", (0, 1, 2, 3, 4), "brats2013", False),
        (Naming.BRATS_2023, "", (0, 1, 2, 3), "brats2023", True),
        (Naming.BRATS_2023, "BraTS-GLI-00005-100", (0, 1, 2, 3, 4), "brats2024", False),
        (Naming.BRATS_2023, "BraTS-PED-00005-000", (0, 1, 2, 3, 4), "brats-ped", False),
        (Naming.BRATS_2023, "BraTS-PED-00005-000", (0, 1, 2, 3), "brats-ped", True),
        (Naming.BRATS_2023, "mine", (0, 1, 2, 3, 4), "brats2024", True),
        (Naming.NNUNET, "", (0, 1, 2, 3), "msd", True),
        (Naming.NNUNET, "", (0, 1, 2, 4), "brats2017", False),
        (Naming.DECATHLON, "", (0, 1, 2, 3), "msd", False),
        (Naming.PLAIN, "", (0, 1, 2, 4), "brats2017", False),
        (Naming.PLAIN, "", (0, 3, 4), "brats2013", False),
        (Naming.LGG, "", (0, 255), "lgg", False),
        (Naming.LGG, "", (0, 1), "lgg", False),
    ],
)
def test_naming_picks_and_values_narrow(
    naming: Naming, case: str, values: tuple[int, ...], scheme: str, assumed: bool
) -> None:
    array = np.array(values, np.uint8)
    reading = read_as(array, naming, case, None, "seg.nii.gz")
    assert (reading.scheme.id, reading.assumed) == (scheme, assumed)
    assert reading.candidates[0] == reading.scheme
    assert (len(reading.candidates) > 1) == assumed
    np.testing.assert_array_equal(reading.scheme.to_disk(reading.labels) > 0, array > 0)


def test_values_become_program_values() -> None:
    array = np.array([[0, 1], [2, 4]], np.int64)
    np.testing.assert_array_equal(read_as(array, Naming.BRATS_2017, "", None, "x").labels, [[0, 1], [2, 3]])
    np.testing.assert_array_equal(
        read_as(np.array([0, 255], np.uint8), Naming.LGG, "", None, "x").labels, np.array([0, 1], np.uint8)
    )


def test_a_chosen_scheme_is_no_guess() -> None:
    reading = read_as(np.array([0, 1, 2, 4]), Naming.BRATS_2017, "", "brats2013", "x")
    assert (reading.scheme.id, reading.assumed) == ("brats2013", False)
    np.testing.assert_array_equal(reading.labels, [0, 1, 2, 4])
    assert [s.id for s in reading.candidates] == ["brats2013", "brats2017"]


@pytest.mark.parametrize(
    ("values", "chosen", "sentence"),
    [
        ((0, 1, 7, 9), None, r"seg\.nii holds the label values 7, 9, which do not fit BraTS 2017 \(0, 1, 2, 4\)"),
        ((0, -1, 300), None, "the label values -1, 300"),
        (tuple(range(50)), None, "5, 6, 7, 8, 9, 10, 11, 12, 13, 14 and 35 more"),
        ((0, 4), "brats2023", r"the label values 4, which do not fit BraTS 2023 \(0, 1, 2, 3\)"),
        ((0, 4), "brats1999", "There is no label scheme 'brats1999'. Choose one of brats2013, "),
    ],
)
def test_values_of_no_scheme_are_listed(values: tuple[int, ...], chosen: str | None, sentence: str) -> None:
    with pytest.raises(LabelError, match=sentence):
        read_as(np.array(values), Naming.BRATS_2017, "", chosen, "seg.nii")


def test_values_that_fit_only_apart_are_said_to() -> None:
    with pytest.raises(LabelError, match=r"the label values 0, 3, 4, which do not fit together Decathlon"):
        read_as(np.array([0, 3, 4]), Naming.NNUNET, "", None, "m.nii")


def test_usual_schemes() -> None:
    usual = {naming: candidate_schemes(naming)[0].id for naming in Naming}
    assert usual == {
        Naming.BRATS_2017: "brats2017",
        Naming.BRATS_2023: "brats2023",
        Naming.NNUNET: "msd",
        Naming.DECATHLON: "msd",
        Naming.PLAIN: "brats2017",
        Naming.LGG: "lgg",
    }


def test_values_of_any_integer_type() -> None:
    assert values_of(np.array([3, 0, 3], np.uint8)) == (0, 3)
    assert values_of(np.array([3, -2, 300])) == (-2, 3, 300)


def test_one_table_turns_what_files_and_layers_hold_into_program_values() -> None:
    np.testing.assert_array_equal(LGG.from_disk(np.array([0, 1])), [0, 1])
    np.testing.assert_array_equal(LGG.from_disk(np.array([0, 255])), [0, 1])
    with pytest.raises(LabelError, match="but 1 was found"):
        LGG.from_disk(np.array([0, 1, 255]))
    np.testing.assert_array_equal(BRATS2017.from_either(np.array([0, 2, 4])), [0, 2, 3])
    np.testing.assert_array_equal(BRATS2017.from_either(np.array([0, 2, 3])), [0, 2, 3])
    with pytest.raises(LabelError, match="but 3 was found"):
        BRATS2017.from_either(np.array([0, 3, 4]))
    with pytest.raises(LabelError, match="3 was found"):
        BRATS2017.from_disk(np.array([0, 3]))
