from __future__ import annotations

import json
from pathlib import Path

import pytest
from case_files import write_case
from small_models import write_small_model

from napari_brainseg.base.errors import InputError, OutputError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.training.folds import SplitPart
from napari_brainseg.training.robustness.measured import LOG_NAME
from napari_brainseg.training.robustness.measuring import MeasuringSettings, Robustness, measure_robustness
from napari_brainseg.training.robustness.results import lines, results
from napari_brainseg.training.splits import Split, write_splits

IDS = ("Brats18_Test_1_1", "Brats18_Test_2_1")
ONLY = ("stored-PIR", "flip", "flair+t1+t1ce+t2", "t1+t2")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for case_id in IDS:
        write_case(tmp_path / "cases", case_id)
    write_splits({"one": Split((), IDS)}, tmp_path / "s.json")
    write_small_model(tmp_path / "model", "one", seed=10)
    return tmp_path


def measure(place: Path, *only: str, overwrite: bool = False) -> Robustness:
    settings = MeasuringSettings(place / "out", only or ONLY, device="cpu", overwrite=overwrite)
    return run_to_end(measure_robustness([place / "model"], place / "cases", SplitPart(place / "s.json"), settings))


def test_what_a_model_does_is_measured_case_by_case(place: Path) -> None:
    (place / f"cases/{IDS[1]}/{IDS[1]}_t1.nii.gz").unlink()
    (place / f"cases/{IDS[1]}/{IDS[1]}_t2.nii.gz").unlink()
    found = results(measure(place), "brainseg robustness model")
    plain = found["plain"]
    assert list(plain["cases"]) == list(IDS)
    assert plain["mean"]["WT"] == sum(case["WT"] for case in plain["cases"].values()) / 2
    assert found["models"][0]["split_name"] == "one"
    flip, stored = found["groups"]["robustness"]
    assert (stored["name"], stored["cases"], stored["changed_voxels"]) == ("stored-PIR", plain["cases"], 0)
    assert (flip["name"], flip["changed_voxels"]) == ("flip", None)
    whole, two = found["groups"]["sequences"]
    assert (whole["cases"], set(whole["difference"].values())) == (plain["cases"], {0.0})
    # The second case has neither of the two, so that the first one alone is compared.
    assert two["present"] == ["t1", "t2"]
    assert list(two["cases"]) == [IDS[0]]
    assert two["left_out"] == {IDS[1]: f"{IDS[1]} has none of t1, t2."}
    assert two["difference"]["WT"] == two["cases"][IDS[0]]["WT"] - plain["cases"][IDS[0]]["WT"]
    assert any(line.startswith("stored-PIR ") and line.endswith("same labels") for line in lines(found))
    json.dumps(found)


def test_what_was_measured_is_kept_and_not_measured_again(place: Path) -> None:
    settings = MeasuringSettings(place / "out", ONLY, device="cpu")
    task = measure_robustness([place / "model"], place / "cases", SplitPart(place / "s.json"), settings)
    while not next(task).message.endswith(f"{IDS[0]}: flip"):
        pass
    task.close()  # as Ctrl+C does
    log = place / "out" / LOG_NAME
    with log.open("a") as file:
        file.write('{"case": "cut o')
    kept = log.read_text().splitlines()
    assert [json.loads(line).get("condition") for line in kept[:-1]] == [None, "plain"]
    measure(place)
    again = log.read_text().splitlines()
    assert again[:2] == kept[:2]
    assert len(again) == 1 + 2 * (1 + len(ONLY))
    (place / "model/weights.safetensors").unlink()  # nothing is left to compute
    assert measure(place).measured["flip"].keys() == {*IDS}


def test_measurements_of_other_models_are_not_mixed(place: Path) -> None:
    measure(place, "flip")
    write_small_model(place / "other", "one", seed=11)
    (place / "model").rename(place / "first")
    (place / "other").rename(place / "model")
    with pytest.raises(OutputError, match=r"measured of other models, cases or settings\. .* --overwrite"):
        measure(place, "flip")
    assert measure(place, "flip", overwrite=True).measured["flip"]


def test_a_case_that_cannot_be_measured_is_told(place: Path) -> None:
    (place / f"cases/{IDS[0]}/{IDS[0]}_seg.nii.gz").unlink()
    assert "has no labels to be scored against" in measure(place, "flip").failed[IDS[0]]
    with pytest.raises(InputError, match="no condition 'tilt'"):
        measure(place, "tilt")
