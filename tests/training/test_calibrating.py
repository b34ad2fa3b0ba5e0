from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from case_files import write_case
from scipy.special import expit

from napari_brainseg.base.errors import ModelError, TrainingError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.case import BRATS_CHANNELS
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cli import main
from napari_brainseg.inference.engine import segment
from napari_brainseg.model_store.joining import join_models
from napari_brainseg.model_store.model import Model, load_model, new_network, save_model
from napari_brainseg.model_store.store import ModelRecord, read_record
from napari_brainseg.training.calibrating import Calibrated, calibrate, in_brain, sample_of
from napari_brainseg.training.folds import SplitPart
from napari_brainseg.training.prepared import PreparedCase, prepare_labelled
from napari_brainseg.training.splits import Split, write_splits

IDS = ("Brats18_A_1_1", "Brats18_B_2_1")


def write_model(folder: Path, split_name: str, seed: int = 0) -> ModelRecord:
    record = ModelRecord(
        "m", "1", "", {"name": "unext", "options": {"widths": [4, 4, 8, 8, 8]}}, BRATS_CHANNELS, "brats2017",
        ("WT", "TC", "ET"), training={"settings": {"name": "m", "split_name": split_name}},
    )  # fmt: skip
    torch.manual_seed(seed)
    network = new_network(record).eval()
    with torch.no_grad():
        network.head.weight *= 4  # far too sure
        network.head.bias -= network(torch.randn((1, 4, 64, 64))).flatten(2).median(2).values[0]
    return save_model(Model(record, network), folder, "")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for case_id in IDS:
        write_case(tmp_path / "cases", case_id)
    splits = {"one": Split((IDS[1],), (IDS[0],)), "two": Split((IDS[0],), (IDS[1],))}
    write_splits(splits, tmp_path / "split.json")
    for number, name in enumerate(splits):
        write_model(tmp_path / name / "m", name, number)
    return tmp_path


def run(place: Path, models: list[str], target: Path) -> Calibrated:
    chosen = SplitPart(place / "split.json")
    folders = [place / name / "m" for name in models]
    return run_to_end(calibrate(folders, place / "cases", chosen, read_record(target), device="cpu"))


def test_a_model_is_written_anew_and_its_labels_stay(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINSEG_FP32", "1")
    folder, case = place / "one" / "m", read_case(place / "cases" / IDS[0])
    before, labels = load_model(folder), run_to_end(segment(case, folder)).labels
    record = run(place, ["one"], folder).record
    after = load_model(folder)
    assert (record.version, after.record.weights_sha256) == ("2", record.weights_sha256)
    assert record.training["calibrated_from"] == [before.record.weights_sha256] != [record.weights_sha256]
    assert "![Reliability" in record.card
    assert (folder / "reliability.png").is_file()
    images = torch.randn((1, 4, 40, 40), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ratio = before.network(images) / after.network(images)
    wanted = list(record.training["temperature"].values())
    assert ratio.median(-1).values.median(-1).values[0].tolist() == pytest.approx(wanted, rel=1e-3)
    assert labels.any()
    assert np.array_equal(run_to_end(segment(case, folder)).labels, labels)
    told = record.scores["calibration"]
    assert (told["cross_fitted"], told["scored"]) == (False, [IDS[0]])
    assert told["regions"]["WT"]["temperature"] == pytest.approx(wanted[0], abs=1e-4)
    # Once more there is nothing left to do, and both temperatures are in the weights.
    again = run(place, ["one"], folder).record
    assert again.version == "3"
    assert again.scores["calibration"]["regions"]["WT"]["temperature"] == pytest.approx(1, abs=0.02)
    assert again.training["temperature"]["WT"] == pytest.approx(wanted[0], rel=0.02)


def test_folds_calibrate_their_ensemble_once(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folds = [str(place / name / "m") for name in ("one", "two")]
    joined = join_models([read_record(Path(fold)) for fold in folds], place / "both")
    words = ["models", "calibrate", *folds, "--cases", str(place / "cases"), "--split", str(place / "split.json")]
    assert main(words) == 2
    assert "name it with --apply-to" in capsys.readouterr().err
    assert main([*words, "--apply-to", str(joined.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Voxels in the brain of 2 cases, each at the temperatures of the others:"
    assert lines[-1] == str(place / "both")
    told = read_record(place / "both").scores["calibration"]
    assert [one["split_name"] for one in told["models"]] == ["one", "two"]
    assert told["cross_fitted"]
    assert len(told["regions"]["ET"]["before"]["voxels"]) == 15
    assert main([*words, "--apply-to", str(joined.folder)]) == 2
    assert "was calibrated before" in capsys.readouterr().err
    # What was divided is kept in full precision, in a model that members are joined of too.
    kinds = {name: t.dtype for name, t in _stored(place / "both").items()}
    heads = {name for name in kinds if ".head." in name}
    assert {name for name, kind in kinds.items() if kind == torch.float32} == heads


def _stored(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "weights.safetensors")


def test_the_brain_is_where_a_channel_is_bright(place: Path) -> None:
    case = read_case(place / "cases" / IDS[0])
    record = read_record(place / "one" / "m")
    prepared = prepare_labelled(case, record.channels, record.scheme, replace(record.preprocessing, crop=True))
    inside = in_brain(case, record.channels, prepared)
    images = np.stack([case.channels[name].data[prepared.box] for name in record.channels])
    assert inside.any()
    assert np.array_equal(inside, (images > 30).any(0))  # the brain is 200, the air 0
    assert in_brain(case, ("flair",), prepared).sum() <= inside.sum()


def test_logits_come_back_from_probabilities(place: Path) -> None:
    logits = np.linspace(-12, 12, 24, dtype=np.float32).reshape(1, 2, 3, 4)
    labels = np.tile(np.array([0, 3], np.uint8), 12).reshape(2, 3, 4)
    record = replace(read_record(place / "one" / "m"), outputs=("WT",), scheme_id="lgg")
    case = PreparedCase("x", np.zeros((1, 2, 3, 4), np.float16), np.minimum(labels, 1))
    maps = torch.from_numpy(expit(logits.astype(np.float64)).astype(np.float32))[None]
    sample = sample_of(maps, case, np.ones((2, 3, 4), bool), record, np.random.default_rng(1))
    assert sample.logits[0, :, 0] == pytest.approx(logits.ravel(), rel=2e-2)
    assert sample.truth[:, 0].tolist() == [False, True] * 12
    # Classes: the logarithms of the probabilities are the logits but for a number that is the same for all.
    classes = replace(record, outputs=("background", "ED", "ET"), scheme_id="brats2017")
    chances = torch.softmax(torch.tensor([[1.0], [2.0], [4.0]]), 0)[1:].reshape(1, 2, 1, 1, 1)
    case = PreparedCase("x", np.zeros((1, 1, 1, 1), np.float16), np.full((1, 1, 1), 2, np.uint8))
    sample = sample_of(chances, case, np.ones((1, 1, 1), bool), classes, np.random.default_rng(1))
    assert (sample.logits[0, 0] - sample.logits[0, 0, 0]).tolist() == pytest.approx([0, 1, 3], abs=1e-4)
    assert sample.truth.tolist() == [[False, True, False]]


def test_what_cannot_be_calibrated_is_said_before_anything_is_read(place: Path) -> None:
    folder = place / "one" / "m"
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**facts, "outputs": ["WT", "TC"]}))
    with pytest.raises(ModelError, match="does not fit the network"):
        run_to_end(calibrate([folder], place / "nowhere", SplitPart(place / "split.json"), read_record(folder)))
    with pytest.raises(ModelError, match="gives other outputs"):
        run(place, ["two"], folder)
    with pytest.raises(TrainingError, match="stands in the validation parts of two models"):
        run(place, ["two", "two"], place / "two" / "m")
