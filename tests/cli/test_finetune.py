import shutil

import numpy as np
import pytest
import torch

from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.annotation.project import Project
from napari_brainseg.cases.phantom import make_lgg_phantom
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.sample_files import write_slice_files
from napari_brainseg.cli import main
from napari_brainseg.model_store.model import Model, new_network, save_model
from napari_brainseg.model_store.store import ModelRecord, read_record


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one corrected slice, and the model `tiny` in the user's folder."""
    monkeypatch.setenv("BRAINSEG_HOME", str(tmp_path / "home"))
    torch.manual_seed(0)
    record = ModelRecord(
        "tiny", "1", "", {"name": "unext", "options": {"widths": [4, 4, 8, 8, 8]}},
        ("pre", "flair", "post"), "lgg", ("WT",),
    )  # fmt: skip
    save_model(Model(record, new_network(record).eval()), tmp_path / "home" / "models" / "tiny", "# tiny\n")
    phantom = make_lgg_phantom(seed=3, slices=3)
    write_slice_files(phantom, tmp_path / "data" / phantom.id)
    case = read_case(tmp_path / "data" / phantom.id)
    slices = (ConfirmedSlice(0, 1),)
    labels = np.asarray(case.labels.volume.data, np.uint8)
    project = Project.open_or_create(tmp_path / "project")
    project.save_correction(case, Correction(case.id, labels, mask_of(slices, labels.shape), case.scheme, slices))
    return project


def test_prints_steps_the_table_and_the_new_models_folder(project, tmp_path, capsys):
    out = tmp_path / "new"

    options = ["--steps", "2", "--rate", "1e-3", "--layers", "decoder", "--device", "cpu"]
    status = main(["finetune", str(project.folder), "--model", "tiny", "--out", str(out), *options])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert lines[0].startswith("step 1 of 2: loss ")
    assert lines[2].startswith("Learnt from 1 slice in 1 case in ")
    assert lines[2].endswith("Held out: nothing.")
    learnt = next(line for line in lines if line.startswith("learnt, WT"))
    assert lines[-2].startswith("Recommended: ")
    assert lines[-1] == str(out)
    record = read_record(out)
    assert float(learnt.split()[-1]) == pytest.approx(record.scores["learnt"]["WT"]["after"], abs=5e-4)
    assert record.training["settings"]["layers"] == "decoder"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["PROJECT", "--model", "nothing"], "There is no model 'nothing'"),
        (["PROJECT/cases", "--model", "tiny"], "holds no project.json"),
        (["PROJECT", "--model", "tiny", "--steps", "0"], "steps is 0"),
        (["PROJECT", "--model", "tiny", "--device", "abacus"], "There is no device 'abacus'"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(project, capsys, arguments, sentence):
    status = main(["finetune", *(part.replace("PROJECT", str(project.folder)) for part in arguments)])

    error = capsys.readouterr().err
    assert status == 2
    assert sentence in error
    assert len(error.strip().splitlines()) == 1


def test_a_case_that_is_left_out_is_named(project, tmp_path, capsys):
    [(case, correction)] = project.corrections()
    other = read_case(shutil.copytree(tmp_path / "data", tmp_path / "other") / case.id)
    project.save_correction(other, correction)
    shutil.rmtree(tmp_path / "other")

    status = main(["finetune", str(project.folder), "--model", "tiny", "--steps", "1", "--device", "cpu"])

    assert status == 0
    assert capsys.readouterr().err.startswith(f"Left out: The files of {case.id} are no longer in")
