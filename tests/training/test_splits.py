from pathlib import Path

import pytest

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.training.splits import Split, patient_of, read_split, split_by_patient, write_splits

CASES = [f"TCGA_{site}_{n}_{day}" for site in ("CS", "DU") for n in range(10) for day in ("19990101", "19990202")]


def test_a_patient_with_two_exams_stays_on_one_side() -> None:
    split = split_by_patient(CASES, 0.2, seed=1)
    assert {patient_of(c) for c in split.train}.isdisjoint({patient_of(c) for c in split.validation})
    assert sorted([*split.train, *split.validation]) == sorted(CASES)


def test_every_site_gives_its_share() -> None:
    split = split_by_patient(CASES, 0.2, seed=1)
    assert {site: sum(site in c for c in split.validation) for site in ("CS", "DU")} == {"CS": 4, "DU": 4}


def test_the_same_seed_gives_the_same_split() -> None:
    assert split_by_patient(CASES, 0.3, 5) == split_by_patient(reversed(CASES), 0.3, 5)
    assert split_by_patient(CASES, 0.3, 5) != split_by_patient(CASES, 0.3, 6)


def test_a_leak_is_refused() -> None:
    with pytest.raises(TrainingError, match="TCGA_CS_1"):
        Split(("TCGA_CS_1_a",), ("TCGA_CS_1_b",))


def test_a_file_of_splits_comes_back(tmp_path: Path) -> None:
    split = Split(("a",), ("b",))
    write_splits({"mine": split}, tmp_path / "s.json")
    assert read_split(tmp_path / "s.json", "mine") == split
    with pytest.raises(TrainingError, match="no split 'other'"):
        read_split(tmp_path / "s.json", "other")
