from pathlib import Path

import pytest

from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.sample_files import write_volume_files
from napari_brainseg.cli import main
from napari_brainseg.training.splits import Split, read_splits, write_splits


def test_divides_a_folder_and_keeps_the_other_splits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = []
    for seed in range(1, 5):
        case = make_volume_phantom(seed, (4, 24, 24), (35.0, 8.0, 8.0))
        write_volume_files(case, tmp_path / "cases" / case.id)
        ids.append(case.id)
    target = tmp_path / "splits.json"
    other = Split(("a",), ("b",))
    write_splits({"other": other}, target)
    assert main(["split", str(tmp_path / "cases"), "--out", str(target), "--name", "mine", "--share", "0.25"]) == 0
    splits = read_splits(target)
    assert splits["other"] == other
    assert sorted([*splits["mine"].train, *splits["mine"].validation]) == ids
    assert "mine with" in capsys.readouterr().out


def test_a_file_of_something_else_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = make_volume_phantom(1, (4, 24, 24), (35.0, 8.0, 8.0))
    write_volume_files(case, tmp_path / case.id)
    (tmp_path / "s.json").write_text("[]")
    assert main(["split", str(tmp_path / case.id), "--out", str(tmp_path / "s.json"), "--name", "x"]) == 2
    assert "holds no splits" in capsys.readouterr().err


def test_folds_and_a_test_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = []
    for seed in range(1, 7):
        case = make_volume_phantom(seed, (4, 24, 24), (35.0, 8.0, 8.0))
        write_volume_files(case, tmp_path / "cases" / case.id)
        ids.append(case.id)
    target = tmp_path / "splits.json"
    arguments = ["split", str(tmp_path / "cases"), "--out", str(target), "--name", "cv"]
    assert main([*arguments, "--folds", "2", "--test-share", "0.34"]) == 0
    folds = read_splits(target)
    assert list(folds) == ["cv-1", "cv-2"]
    assert sorted([*folds["cv-1"].validation, *folds["cv-2"].validation, *folds["cv-1"].test]) == ids
    assert folds["cv-1"].test == folds["cv-2"].test
    assert "cv-2 with 2 cases to learn from, 2 to validate on, 2 kept for the test" in capsys.readouterr().out
    assert main([*arguments, "--folds", "2", "--test-share", "0.34"]) == 0  # the same again changes nothing
    assert main([*arguments, "--share", "0.5"]) == 0
    assert len(read_splits(target)["cv"].validation) == 3
    assert main([*arguments, "--folds", "7"]) == 2
    assert "6 patients cannot be divided into 7 folds" in capsys.readouterr().err


def test_tumour_cannot_be_shared_out_without_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = make_volume_phantom(1, (4, 24, 24), (35.0, 8.0, 8.0))
    write_volume_files(case, tmp_path / "c" / case.id)
    (tmp_path / "c" / case.id / f"{case.id}_seg.nii.gz").unlink()
    arguments = ["split", str(tmp_path / "c"), "--out", str(tmp_path / "s.json"), "--name", "x", "--folds", "2"]
    assert main(arguments) == 2
    assert f"{case.id} has no labels" in capsys.readouterr().err
    assert not (tmp_path / "s.json").exists()
    alone = [*arguments[:-2], "--by-site-alone"]
    assert main([*alone, "--share", "0"]) == 0
    assert read_splits(tmp_path / "s.json")["x"].train == (case.id,)
    assert main([*alone, "--folds", "2"]) == 2
    assert "Leave --by-site-alone out" in capsys.readouterr().err


def test_a_split_is_replaced_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(1, 5):
        case = make_volume_phantom(seed, (4, 24, 24), (35.0, 8.0, 8.0))
        write_volume_files(case, tmp_path / "cases" / case.id)
    target = tmp_path / "splits.json"
    old = {"mine": Split(("Phantom_001",), ("Phantom_002",), ("Phantom_003", "Phantom_004"))}
    write_splits(old, target)
    arguments = ["split", str(tmp_path / "cases"), "--out", str(target), "--name", "mine", "--share", "0.25"]
    assert main(arguments) == 2
    assert "holds another split 'mine' already" in capsys.readouterr().err
    assert read_splits(target) == old
    assert main([*arguments, "--overwrite"]) == 0
    assert read_splits(target) != old


def test_two_cases_of_one_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = make_volume_phantom(1, (4, 24, 24), (35.0, 8.0, 8.0))
    write_volume_files(case, tmp_path / "c" / "one")
    write_volume_files(case, tmp_path / "c" / "two")
    assert main(["split", str(tmp_path / "c"), "--out", str(tmp_path / "s.json"), "--name", "x"]) == 2
    said = capsys.readouterr().err
    assert f"holds {case.id} twice, in {tmp_path / 'c' / 'one'} and {tmp_path / 'c' / 'two'}" in said


def test_a_name_that_is_empty_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["split", str(tmp_path), "--out", str(tmp_path / "s.json"), "--name", ""]) == 2
    assert "--name is empty" in capsys.readouterr().err
