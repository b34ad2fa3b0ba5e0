from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from case_files import write_case
from small_models import write_small_model

from napari_brainseg.base.errors import BrainsegError, InputError, OutputError, TrainingError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.case import LGG_CHANNELS
from napari_brainseg.cases.reading import OpenOptions, read_case
from napari_brainseg.evaluation.evaluating import evaluate
from napari_brainseg.evaluation.label_pairs import PairOptions, loader, match
from napari_brainseg.evaluation.overlap import scheme_counts
from napari_brainseg.inference.engine import segment
from napari_brainseg.model_store.store import find_model
from napari_brainseg.training.evaluating import FINAL, Keeping, ModelEvaluation, evaluate_models, record_final
from napari_brainseg.training.folds import SplitPart
from napari_brainseg.training.splits import Split, write_splits

IDS = [f"Brats18_Test_{n}_1" for n in range(1, 5)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for case_id in IDS[:3]:
        write_case(tmp_path / "cases", case_id)
    (tmp_path / "cases" / IDS[2] / f"{IDS[2]}_seg.nii.gz").unlink()
    write_splits({"mine": Split((IDS[3],), (IDS[0], IDS[2]), (IDS[1],)), "other": Split((), ())}, tmp_path / "s.json")
    write_small_model(tmp_path / "run" / "model", "mine")
    return tmp_path


def run(place: Path, **chosen: object) -> ModelEvaluation:
    part = SplitPart(place / "s.json", **chosen)  # type: ignore[arg-type]
    return run_to_end(evaluate_models([place / "run/model"], place / "cases", part, OpenOptions(), "cpu"))


def test_a_model_is_scored_on_the_part_and_a_case_without_labels_is_reported(place: Path) -> None:
    result = run(place)
    assert [case.case_id for case in result.evaluation.cases] == [IDS[0]]
    assert "has no labels" in result.evaluation.failed[IDS[2]]
    assert (result.facts["part"], result.facts["final"], result.facts["model"]) == ("validation", False, "model 1")
    case = read_case(place / "cases" / IDS[0])
    found = run_to_end(segment(case, place / "run/model"))
    assert case.labels is not None
    expected = scheme_counts(found.labels, np.asarray(case.labels.volume.data), found.scheme)
    assert result.evaluation.cases[0].counts == expected
    assert set(result.evaluation.cases[0].reliability) == {"WT", "TC", "ET"}
    assert not (place / "run" / FINAL).exists()


def test_folds_of_a_cross_validation_are_one_evaluation(place: Path) -> None:
    write_case(place / "cases", IDS[3])
    write_splits({"mine": Split((IDS[3],), (IDS[0],)), "other": Split((IDS[0],), (IDS[3],))}, place / "s.json")
    models = [place / "run/model", write_small_model(place / "second/model", "other")]
    task = evaluate_models(models, place / "cases", SplitPart(place / "s.json"), OpenOptions(), "cpu")
    result = run_to_end(task)
    assert [case.case_id for case in result.evaluation.cases] == [IDS[0], IDS[3]]
    assert result.facts["model"] == "model 1, model 1"
    assert result.facts["split"] == f"mine, other in {place / 's.json'}"
    assert result.origin["predicted_by"] == {IDS[0]: "model 1, split mine", IDS[3]: "model 1, split other"}
    assert [(m["split_name"], len(m["sha256"])) for m in result.origin["models"]] == [("mine", 64), ("other", 64)]


def test_kept_masks_give_the_same_scores_again(place: Path) -> None:
    part, keep = SplitPart(place / "s.json"), Keeping(place / "kept")
    task = evaluate_models([place / "run/model"], place / "cases", part, OpenOptions(), "cpu", keep)
    first = run_to_end(task).evaluation.cases[0]
    pairs, _ = match(place / "kept", place / "cases")
    (again,) = run_to_end(evaluate(list(pairs), loader(pairs, PairOptions()))).cases
    assert (again.case_id, again.counts) == (first.case_id, first.counts)
    np.testing.assert_equal(again.slices, first.slices)
    known = {name: {m: s for m, s in row.items() if "ece" not in m} for name, row in first.parts.items()}
    np.testing.assert_equal(again.parts, known)  # where NaN equals NaN
    with pytest.raises(OutputError, match="kept is not empty"):
        run_to_end(evaluate_models([place / "run/model"], place / "cases", part, OpenOptions(), "cpu", keep))


def test_kept_masks_of_slices_give_the_same_scores_again(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    (tmp_path / "cases/TCGA_A_1_1").mkdir(parents=True)
    for z in (1, 2, 10):
        mask = np.zeros((32, 32), np.uint8)
        mask[8:24, 8 : 10 + z] = 255
        stem = tmp_path / f"cases/TCGA_A_1_1/TCGA_A_1_1_{z}"
        tifffile.imwrite(f"{stem}.tif", chance.integers(1, 256, (32, 32, 3), np.uint8))
        tifffile.imwrite(f"{stem}_mask.tif", mask)
    write_splits({"one": Split((), ("TCGA_A_1_1",))}, tmp_path / "s.json")
    model = write_small_model(tmp_path / "lgg", channels=LGG_CHANNELS, scheme="lgg", outputs=("WT",), seed=10)
    part, keep = SplitPart(tmp_path / "s.json"), Keeping(tmp_path / "kept")
    task = evaluate_models([model], tmp_path / "cases", part, OpenOptions(), "cpu", keep)
    first = run_to_end(task).evaluation.cases[0]
    pairs, _ = match(tmp_path / "kept", tmp_path / "cases")
    (again,) = run_to_end(evaluate(list(pairs), loader(pairs, PairOptions()))).cases
    assert (again.case_id, again.counts) == (first.case_id, first.counts)
    np.testing.assert_equal(again.slices, first.slices)
    assert first.counts["WT"].tp + first.counts["WT"].fp > 0


def test_the_test_part_is_closed_until_it_is_final(place: Path) -> None:
    with pytest.raises(TrainingError, match=r"Add --final to read it, which is recorded"):
        run(place, part="test")
    with pytest.raises(TrainingError, match="for the test part alone"):
        run(place, final=True)


def test_reading_the_test_part_is_recorded_in_the_run(place: Path) -> None:
    (place / "run/settings.json").write_text('{"cases": {"train": []}}')
    for times in (1, 2):
        result = run(place, part="test", final=True)
        assert result.facts["test_part_readings"] == times
    record = json.loads((place / "run" / FINAL).read_text())
    assert record["times"] == 2
    assert [(r["split"], r["cases"]) for r in record["readings"]] == [("mine", 1), ("mine", 1)]
    assert all(r["date"].startswith("20") and len(r["weights_sha256"]) == 64 for r in record["readings"])


def test_a_damaged_record_keeps_the_test_part_closed(place: Path) -> None:
    (place / "run/settings.json").write_text("{}")
    (place / "run" / FINAL).write_text("[]")
    with pytest.raises(TrainingError, match="the test part stays closed"):
        run(place, part="test", final=True)


def test_a_model_outside_of_a_run_keeps_no_record(place: Path) -> None:
    assert record_final(find_model(place / "run/model"), "mine", 1) == 1
    assert not (place / "run" / FINAL).exists()


def test_cases_that_the_model_learned_from_are_named(place: Path) -> None:
    (place / "run/settings.json").write_text(json.dumps({"cases": {"train": [IDS[0]]}}))
    assert run(place).evaluation.notes == (
        f"The model learned from 1 of these 2 cases ({IDS[0]}), so the scores are too good.",
    )


def test_bad_splits(place: Path) -> None:
    with pytest.raises(TrainingError, match=r"holds no split 'none'; choose with --split-name from mine, other"):
        run(place, name="none")
    with pytest.raises(TrainingError, match="is empty"):
        run(place, name="other")
    write_small_model(place / "run/model2")
    part = SplitPart(place / "s.json")
    with pytest.raises(TrainingError, match="more than one split"):
        run_to_end(evaluate_models([place / "run/model2"], place / "cases", part, OpenOptions()))
    write_splits({"far": Split((), ("elsewhere",))}, place / "s.json")
    with pytest.raises(InputError, match="none of the 1 cases of the validation part"):
        run(place)


def test_a_wrong_device_costs_no_reading_of_the_test_part(place: Path) -> None:
    (place / "run/settings.json").write_text("{}")
    part = SplitPart(place / "s.json", part="test", final=True)
    with pytest.raises(BrainsegError, match="no device 'tpu'"):
        run_to_end(evaluate_models([place / "run/model"], place / "cases", part, OpenOptions(), "tpu"))
    assert not (place / "run" / FINAL).exists()


def test_a_channel_that_the_model_does_without_is_noted(place: Path) -> None:
    (place / "cases" / IDS[0] / f"{IDS[0]}_t1.nii.gz").unlink()
    (scored,) = run(place).evaluation.cases
    assert any(note.startswith("Runs without t1") for note in scored.notes)
