"""`brainseg robustness` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from case_files import write_case
from small_models import write_small_model

from napari_brainseg.cli import main
from napari_brainseg.evaluation.page import NOTICE
from napari_brainseg.training.splits import Split, write_splits

ID = "Brats18_Test_1_1"


def test_a_table_is_printed_and_a_file_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_case(tmp_path / "cases", ID)
    write_splits({"one": Split((), (ID,))}, tmp_path / "s.json")
    model = write_small_model(tmp_path / "model", "one", seed=10)
    words = [str(model), "--cases", str(tmp_path / "cases"), "--split", str(tmp_path / "s.json"), "--device", "cpu"]
    assert main(["robustness", *words, "--out", str(tmp_path / "out"), "--only", "intensity-x10", "t2"]) == 0
    printed = capsys.readouterr().out
    assert NOTICE in printed
    assert "intensity-x10" in printed
    found = json.loads((tmp_path / "out/robustness.json").read_text())
    assert found["notice"] == NOTICE
    assert [entry["name"] for group in found["groups"].values() for entry in group] == ["intensity-x10", "t2"]
    wanted = "brainseg robustness model --cases cases --split s.json --only intensity-x10 t2 --out out"
    assert found["command"] == wanted  # no path of this computer
    (tmp_path / "out/robustness.jsonl").unlink()
    assert main(["robustness", *words, "--out", str(tmp_path / "out")]) == 2
    assert "add --overwrite" in capsys.readouterr().err
