"""`brainseg evaluate` as a person runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from case_files import CASE_SHAPE, write_case
from nifti_files import save
from small_models import write_small_model

from napari_brainseg.cli import main
from napari_brainseg.evaluation.page import NOTICE
from napari_brainseg.training.splits import Split, write_splits

IDS = ["Brats18_Test_1_1", "Brats18_Test_2_1"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two cases with labels, and predictions that are right for the first and empty for the second."""
    for case_id in IDS:
        write_case(tmp_path / "cases", case_id)
    (tmp_path / "masks").mkdir()
    shutil.copy(tmp_path / f"cases/{IDS[0]}/{IDS[0]}_seg.nii.gz", tmp_path / "masks")
    save(tmp_path / f"masks/{IDS[1]}_seg.nii.gz", np.zeros(CASE_SHAPE, np.uint8))
    return tmp_path


def test_masks_are_scored_and_written(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(place / "masks"), str(place / "cases"), "--out", str(place / "out")]) == 0
    printed = capsys.readouterr().out
    assert "Means over 2 cases of 2 patients" in printed
    assert NOTICE in printed
    assert "report.html" in printed
    names = sorted(path.name for path in (place / "out").iterdir())
    assert names == ["cases.csv", "report.html", "results.json", "set.csv", "slices.csv"]
    found = json.loads((place / "out/results.json").read_text())
    dice = [found["cases"][case_id]["parts"]["WT"]["dice"] for case_id in IDS]
    assert dice == [1.0, 0.0]
    assert found["predictions"] == str(place / "masks")
    page = (place / "out/report.html").read_text()
    assert NOTICE in page
    assert page.count("data:image/png") >= 5


def test_without_a_folder_nothing_is_written(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(place.rglob("*"))
    masks = [str(place / f"masks/{IDS[1]}_seg.nii.gz"), str(place / f"cases/{IDS[1]}/{IDS[1]}_seg.nii.gz")]
    assert main(["evaluate", *masks]) == 0
    assert "Scores of 1 case." in capsys.readouterr().out
    assert sorted(place.rglob("*")) == before


def test_an_evaluation_is_replaced_only_when_asked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", str(place / "masks"), str(place / "cases"), "--out", str(place / "out")]
    (place / "out").mkdir()
    (place / "out/results.json").write_text("mine")
    assert main(arguments) == 2
    assert (place / "out/results.json").read_text() == "mine"
    assert "add --overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0
    assert "Dice" in (place / "out/results.json").read_text()


def test_one_bad_file_is_said_and_the_others_are_scored(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / f"masks/{IDS[0]}_seg.nii.gz").write_bytes(b"")
    assert main(["evaluate", str(place / "masks"), str(place / "cases"), "--out", str(place / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"brainseg: {IDS[0]}: ")
    assert "is empty (0 bytes)" in error
    found = json.loads((place / "out/results.json").read_text())
    assert list(found["failed"]) == [IDS[0]]
    assert list(found["cases"]) == [IDS[1]]


def test_masks_of_slices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, rows in (("p", 6), ("r", 8)):
        (tmp_path / folder / "T_1").mkdir(parents=True)
        for n in (1, 2):
            mask = np.zeros((16, 16), np.uint8)
            mask[:rows] = 255
            tifffile.imwrite(tmp_path / folder / f"T_1/T_1_{n}_mask.tif", mask)
    assert main(["evaluate", str(tmp_path / "p"), str(tmp_path / "r")]) == 0
    assert "0.857" in capsys.readouterr().out  # 2 * 6 / (6 + 8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{p}/masks"], "Give two files or folders"),
        (["{p}/masks", "{p}/cases", "--model", "brats"], "not both"),
        (["--model", "brats", "--cases", "{p}/cases"], "--model needs --split too"),
        (["{p}/masks", "{p}/cases", "--part", "test"], "need --model"),
        (["--model", "brats", "--cases", "{p}/cases", "--split", "{p}/s.json", "--final"], "--final needs --out"),
        (["{p}/nothing", "{p}/cases"], "does not exist"),
        (["{p}/empty", "{p}/cases"], "holds no labels"),
        (["{p}/other", "{p}/cases"], "No case of"),
        (["{p}/masks", "{p}/cases", "--spacing", "1"], "give three numbers"),
        (["--model", "brats", "--cases", "{p}/cases", "--split", "{p}/s.json", "--part", "test"], "Add --final"),
    ],
)
def test_wrong_input_is_one_sentence(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    (place / "empty").mkdir()
    save(place / "other/Someone_seg.nii.gz", np.zeros(CASE_SHAPE, np.uint8))
    assert main(["evaluate", *(a.format(p=place) for a in arguments)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_model_segments_first(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_small_model(place / "run/model")
    write_splits({"one": Split((), (IDS[0],), (IDS[1],))}, place / "s.json")
    (place / "run/settings.json").write_text("{}")
    arguments = ["--model", str(model), "--cases", str(place / "cases"), "--split", str(place / "s.json")]
    final = ["--part", "test", "--final", "--out", str(place / "out"), "--device", "cpu"]
    assert main(["evaluate", *arguments, *final]) == 0
    found = json.loads((place / "out/results.json").read_text())
    assert [(m["name"], m["split_name"]) for m in found["models"]] == [("model", "one")]
    assert (found["part"], found["final"], found["test_part_readings"]) == ("test", True, 1)
    assert "ece" in found["set"]["WT"]
    assert json.loads((place / "run/final.json").read_text())["times"] == 1
