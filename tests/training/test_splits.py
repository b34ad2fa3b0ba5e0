from pathlib import Path

import pytest

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.training.splits import (
    Split,
    kfold_by_patient,
    patient_of,
    read_split,
    read_splits,
    site_of,
    split_by_patient,
    write_splits,
)

CASES = [f"TCGA_{site}_{n}_{day}" for site in ("CS", "DU") for n in range(10) for day in ("19990101", "19990202")]
# Two sites of twelve patients, with tumours from 0.01 to 0.12.
SHARES = {f"TCGA_{site}_{n:02d}_x": (n + 1) / 100 for site in ("CS", "DU") for n in range(12)}


def patients(case_ids: tuple[str, ...]) -> set[str]:
    return {patient_of(c) for c in case_ids}


def test_a_patient_with_two_exams_stays_on_one_side() -> None:
    split = split_by_patient(CASES, 0.2, seed=1)
    assert patients(split.train).isdisjoint(patients(split.validation))
    assert sorted([*split.train, *split.validation]) == sorted(CASES)


def test_every_site_gives_its_share() -> None:
    split = split_by_patient(CASES, 0.2, seed=1)
    assert {site: sum(site in c for c in split.validation) for site in ("CS", "DU")} == {"CS": 4, "DU": 4}


def test_the_same_seed_gives_the_same_split() -> None:
    assert split_by_patient(CASES, 0.3, 5) == split_by_patient(reversed(CASES), 0.3, 5)
    assert split_by_patient(CASES, 0.3, 5) != split_by_patient(CASES, 0.3, 6)


@pytest.mark.parametrize("seed", range(5))
def test_small_and_large_tumours_go_to_each_part_alike(seed: int) -> None:
    split = split_by_patient(SHARES, 1 / 3, seed, SHARES)
    for site in ("CS", "DU"):  # one of every three patients in the order of their tumours
        assert [(int(c.split("_")[2])) // 3 for c in split.validation if site in c] == [0, 1, 2, 3]


def test_a_test_part_is_kept_back_and_the_shares_are_of_all_patients() -> None:
    split = split_by_patient(SHARES, 0.25, 1, SHARES, test_share=0.25)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [12, 6, 6]
    assert {site_of(c) for c in split.test} == {"TCGA_CS", "TCGA_DU"}


@pytest.mark.parametrize(("share", "test_share"), [(1.0, 0.0), (0.5, 0.5), (-0.1, 0.0), (float("nan"), 0.0)])
def test_shares_that_leave_nothing_are_refused(share: float, test_share: float) -> None:
    with pytest.raises(TrainingError, match="nothing to learn from"):
        split_by_patient(CASES, share, 1, test_share=test_share)


def test_cases_whose_names_tell_no_site_are_divided_too() -> None:
    split = split_by_patient(["anna", "bert", "carl", "dora"], 0.25, seed=1)
    assert len(split.validation) == 1
    assert len(split_by_patient([f"Phantom_{n:03d}" for n in range(10)], 0.2, 1).validation) == 2


def test_folds_validate_every_patient_once_and_are_alike() -> None:
    folds = kfold_by_patient(SHARES, 4, seed=2)
    assert sorted(c for fold in folds for c in fold.validation) == sorted(SHARES)
    for fold in folds:
        assert sorted([*fold.train, *fold.validation]) == sorted(SHARES)
        for site in ("CS", "DU"):  # one of every four patients in the order of their tumours
            assert [int(c.split("_")[2]) // 4 for c in fold.validation if site in c] == [0, 1, 2]
    assert kfold_by_patient(SHARES, 4, 2) == folds
    assert kfold_by_patient(SHARES, 4, 3) != folds


def test_exams_of_one_patient_share_a_fold() -> None:
    for fold in kfold_by_patient(dict.fromkeys(CASES, 0.1), 5, seed=1):
        assert patients(fold.train).isdisjoint(patients(fold.validation))


def test_folds_share_one_test_part() -> None:
    folds = kfold_by_patient(SHARES, 3, seed=1, test_share=0.25)
    assert {fold.test for fold in folds} == {folds[0].test}
    assert len(folds[0].test) == 6
    assert sum("CS" in c for c in folds[0].test) == 3
    assert [len(fold.validation) for fold in folds] == [6, 6, 6]


@pytest.mark.parametrize(("folds", "advice"), [(1, "2 folds or more"), (25, "Choose fewer folds")])
def test_impossible_folds_are_refused(folds: int, advice: str) -> None:
    with pytest.raises(TrainingError, match=advice):
        kfold_by_patient(SHARES, folds, 1)


def test_the_patient_and_site_of_each_set() -> None:
    known = {
        "TCGA_CS_4941_19960909": ("TCGA_CS_4941", "TCGA_CS"),
        "Brats18_CBICA_ABM_1": ("Brats18_CBICA_ABM", "Brats18_CBICA"),
        "BraTS19_TCIA01_100_1": ("BraTS19_TCIA01_100", "BraTS19_TCIA01"),
        "BraTS20_Training_001": ("BraTS20_Training_001", "BraTS20_Training"),
        "BraTS-GLI-00005-101": ("BraTS-GLI-00005", "BraTS-GLI"),
        "BRATS_001": ("BRATS_001", "BRATS"),
    }
    assert {case: (patient_of(case), site_of(case)) for case in known} == known


def test_a_leak_is_refused() -> None:
    with pytest.raises(TrainingError, match="TCGA_CS_1"):
        Split(("TCGA_CS_1_a",), ("TCGA_CS_1_b",))
    with pytest.raises(TrainingError, match="training and the test part share the patient BraTS-GLI-00005"):
        Split(("BraTS-GLI-00005-100",), (), ("BraTS-GLI-00005-101",))


def test_a_file_of_splits_comes_back(tmp_path: Path) -> None:
    split = Split(("a",), ("b",), ("c",))
    write_splits({"mine": split}, tmp_path / "s.json")
    assert read_split(tmp_path / "s.json", "mine") == split
    with pytest.raises(TrainingError, match="no split 'other'"):
        read_split(tmp_path / "s.json", "other")


def test_a_leak_in_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"x": {"train": ["Brats18_2013_3_1"], "validation": ["Brats18_2013_3_2"]}}')
    with pytest.raises(
        TrainingError,
        match=r"s\.json, split 'x': The training and the validation part share the patient Brats18_2013_3",
    ):
        read_splits(tmp_path / "s.json")


def test_a_share_of_no_patient_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"A share of 0\.001 to validate on is none of 20 patients"):
        split_by_patient(CASES, 0.001, 1)
    with pytest.raises(TrainingError, match=r"A share of 0\.001 to test on is none of 20 patients"):
        split_by_patient(CASES, 0.2, 1, test_share=0.001)
    assert split_by_patient(CASES, 0.0, 1).validation == ()


def test_a_case_that_is_named_twice_is_refused() -> None:
    with pytest.raises(TrainingError, match="training part names a more than once"):
        Split(("a", "b", "a"), ("c",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is damaged, or no JSON file"),
        ('{"x": {"train": ["a"], "valid', "is damaged, or no JSON file"),
        ("[1, 2]", "holds no splits by name"),
        ('{"x": ["a"]}', "split 'x', lacks the lists train and validation"),
        ('{"x": {"train": ["a"]}}', "split 'x', lacks the lists train and validation"),
        ('{"x": {"train": "abc", "validation": ["d"]}}', "split 'x': train is no list of the names of cases"),
        ('{"x": {"train": ["a"], "validation": [3]}}', "split 'x': validation is no list of the names of cases"),
        ('{"x": {"train": ["a"], "validation": ["b"], "test": null}}', "split 'x': test is no list"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(TrainingError, match=said) as caught:
        read_splits(tmp_path / "s.json")
    assert str(caught.value).startswith(str(tmp_path / "s.json"))
