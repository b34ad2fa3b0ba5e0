from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scored_cases import run

from napari_brainseg.base.errors import OutputError
from napari_brainseg.evaluation.page import NOTICE
from napari_brainseg.evaluation.tables import RESULTS, refuse_existing, write_tables


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_tables_hold_the_scores(tmp_path: Path) -> None:
    evaluation = run("a_1", "a_2", "bad")
    write_tables(evaluation, tmp_path, {"predictions": "p"})
    cases = [row for row in rows(tmp_path / "cases.csv") if row["part"] == "WT"]
    assert [(row["case"], row["unit"], float(row["dice"])) for row in cases] == [
        ("a_1", "mm", 1.0),
        ("a_2", "mm", 0.666667),
    ]
    assert cases[0]["ece"] == ""
    slices = [row for row in rows(tmp_path / "slices.csv") if row["part"] == "WT"]
    assert [(row["case"], row["slice"], row["true_voxels"]) for row in slices[:2]] == [
        ("a_1", "0", "0"),
        ("a_1", "1", "8"),
    ]
    whole = {(row["part"], row["measure"]): row for row in rows(tmp_path / "set.csv")}
    assert float(whole["WT", "dice"]["mean"]) == pytest.approx(5 / 6, abs=1e-5)
    assert float(whole["WT", "dice"]["pooled"]) == pytest.approx(24 / 28, abs=1e-5)
    assert {part for part, _ in whole} == {"WT", "background", "macro", "macro with background"}


def test_the_json_is_complete_and_has_no_nan(tmp_path: Path) -> None:
    write_tables(run("a_1", "bad"), tmp_path, {"predictions": "p"})

    def refuse(name: str) -> None:
        raise AssertionError(name)

    found = json.loads((tmp_path / RESULTS).read_text(encoding="utf-8"), parse_constant=refuse)
    assert found["notice"] == NOTICE
    assert (found["predictions"], found["scheme"], found["patients"]) == ("p", "lgg", 1)
    assert found["failed"] == {"bad": "bad is damaged."}
    assert found["cases"]["a_1"]["parts"]["WT"]["hd95"] == 0.0
    assert set(found["set"]["WT"]["dice"]) == {"mean", "low", "high", "median", "deviation", "cases"}
    assert set(found["set"]["WT"]) <= set(found["definitions"])
    assert np.isclose(found["pooled"]["WT"]["specificity"], 1.0)


def test_an_evaluation_is_not_replaced_unasked(tmp_path: Path) -> None:
    refuse_existing(tmp_path, overwrite=False)
    (tmp_path / "cases.csv").touch()
    with pytest.raises(OutputError, match=r"cases\.csv exists"):
        refuse_existing(tmp_path, overwrite=False)
    refuse_existing(tmp_path, overwrite=True)
