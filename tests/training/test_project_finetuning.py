import shutil
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import Cancelled, ModelError, OutputError, TrainingError
from napari_brainseg.base.progress import CancelToken, run_to_end
from napari_brainseg.cases.phantom import make_lgg_phantom
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.sample_files import write_slice_files
from napari_brainseg.inference.engine import segment
from napari_brainseg.model_store.lineage import free_name
from napari_brainseg.model_store.model import Model, load_model, new_network, save_model
from napari_brainseg.model_store.store import ModelRecord, list_models
from napari_brainseg.training.finetune_settings import FinetuneSettings
from napari_brainseg.training.project_finetuning import accept, finetune_project

QUICK = FinetuneSettings(steps=2, batch=2, device="cpu")


@pytest.fixture(autouse=True)
def _own_places(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINSEG_HOME", str(tmp_path / "home"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def phantom():
    return make_lgg_phantom(seed=3, slices=4)


@pytest.fixture
def case(tmp_path, phantom):
    folder = tmp_path / "data" / phantom.id
    write_slice_files(phantom, folder)
    return read_case(folder)


@pytest.fixture
def record(tmp_path):
    torch.manual_seed(0)
    record = ModelRecord(
        "tiny", "1", "A tiny model.", {"name": "unext", "options": {"widths": [4, 4, 8, 8, 8]}},
        ("pre", "flair", "post"), "lgg", ("WT",),
    )  # fmt: skip
    return save_model(Model(record, new_network(record).eval()), tmp_path / "home" / "models" / "tiny", "# tiny\n")


@pytest.fixture
def project(tmp_path):
    return Project.open_or_create(tmp_path / "project")


def correction_of(case, *indices):
    slices = tuple(ConfirmedSlice(0, index) for index in indices)
    labels = np.asarray(case.labels.volume.data, np.uint8)
    return Correction(case.id, labels, mask_of(slices, labels.shape), case.scheme, slices, model="tiny 1")


def test_the_new_model_is_a_folder_of_the_project(project, case, record):
    project.save_correction(case, correction_of(case, 1, 2))
    shipped = record.weights_path.read_bytes()

    candidate = run_to_end(finetune_project(project, record, QUICK))
    assert not project.models.exists() or not list(project.models.iterdir())
    accepted = accept(candidate, project)

    assert accepted.folder == project.models / "tiny-2"
    assert accepted.parent == "tiny"
    assert [r.name for r in list_models([project.models])][:1] == ["tiny-2"]
    facts = load_model(accepted).record
    table = candidate.result.table
    assert facts.scores == table.to_json()
    assert facts.training["data"][0]["slices"] == ["axial slice 1", "axial slice 2"]
    assert "Fine-tuned from **tiny**" in facts.card
    what, before, after = table.rows()[0]
    assert f"| {what} | {before:.3f} | {after:.3f} |" in facts.card
    assert f"Recommendation: {table.verdict.value}" in facts.card
    assert record.weights_path.read_bytes() == shipped


def test_both_answers_for_the_open_case_are_there(project, case, record):
    opened = (case, correction_of(case, 1, 2, 3))

    candidate = run_to_end(finetune_project(project, record, replace(QUICK, steps=8, rate=1e-2), open_case=opened))

    new = Model(replace(record, name="new"), candidate.result.model.network)
    for model, found in ((load_model(record), candidate.former), (new, candidate.answer)):
        np.testing.assert_array_equal(run_to_end(segment(case, model)).labels, found.labels)
    assert candidate.changed_voxels == np.count_nonzero(candidate.former.labels != candidate.answer.labels) > 0


def test_the_next_model_of_the_line_counts_on(project, case, record):
    project.save_correction(case, correction_of(case, 1))
    second = accept(run_to_end(finetune_project(project, record, QUICK)), project)

    third = accept(run_to_end(finetune_project(project, second, QUICK)), project)

    assert (third.name, third.parent) == ("tiny-3", "tiny-2")
    assert free_name(record, [project.models]) == "tiny-4"


def test_what_is_open_wins_over_what_the_project_holds(project, case, record):
    project.save_correction(case, correction_of(case, 1))

    taught = run_to_end(finetune_project(project, record, QUICK, open_case=(case, correction_of(case, 1, 2, 3))))

    assert (taught.result.slices, taught.result.cases) == (2, 1)
    assert taught.result.table.held_out.startswith("1 of 3 slices")


def test_nothing_for_this_model_is_said(project, record):
    with pytest.raises(
        TrainingError, match="holds no confirmed slices with the channels pre, flair, post that tiny needs"
    ):
        run_to_end(finetune_project(project, record, QUICK))


def test_where_every_case_has_moved_they_are_named(tmp_path, project, case, record):
    project.save_correction(case, correction_of(case, 1))
    (tmp_path / "data").rename(tmp_path / "moved")

    with pytest.raises(TrainingError, match=f"No corrected case can be read. The files of {case.id} are no longer in"):
        run_to_end(finetune_project(project, record, QUICK))
    assert not project.models.exists() or not list(project.models.iterdir())


def test_a_moved_case_is_left_out_and_named(tmp_path, project, case, record):
    project.save_correction(case, correction_of(case, 1))
    other = read_case(shutil.copytree(tmp_path / "data", tmp_path / "other") / case.id)
    project.save_correction(other, correction_of(other, 1, 2))
    (tmp_path / "data").rename(tmp_path / "moved")

    taught = run_to_end(finetune_project(project, record, QUICK))

    assert (taught.result.slices, taught.result.cases) == (2, 1)
    [sentence] = taught.skipped
    assert sentence.startswith(f"The files of {case.id} are no longer in")


def test_a_damaged_state_is_left_out_and_named(tmp_path, project, case, record):
    other = read_case(shutil.copytree(tmp_path / "data", tmp_path / "other") / case.id)
    project.save_correction(case, correction_of(case, 1))
    damaged = project.save_correction(other, correction_of(other, 1)).parents[1] / "state.json"
    damaged.write_text("{")

    taught = run_to_end(finetune_project(project, record, QUICK))

    assert taught.result.cases == 1
    assert str(damaged) in taught.skipped[0]


def test_cancel_keeps_no_folder(project, case, record):
    project.save_correction(case, correction_of(case, 1))
    token = CancelToken()

    def stop_at_the_last_step(report):
        if report.done == report.total > 0:
            token.cancel()

    with pytest.raises(Cancelled):
        run_to_end(finetune_project(project, record, QUICK, token=token), stop_at_the_last_step)
    assert not project.models.exists() or not list(project.models.iterdir())


def test_a_folder_that_exists_or_ships_is_refused(tmp_path, project, case, record, monkeypatch):
    project.save_correction(case, correction_of(case, 1))
    candidate = run_to_end(finetune_project(project, record, QUICK))
    with pytest.raises(OutputError, match="exists"):
        accept(candidate, project, record.folder)

    monkeypatch.setattr("napari_brainseg.training.project_finetuning.shipped_models", lambda: tmp_path / "shipped")
    with pytest.raises(OutputError, match="came with the program"):
        accept(candidate, project, tmp_path / "shipped" / "mine")
    assert not (tmp_path / "shipped").exists()


def test_a_model_that_was_deleted_meanwhile_can_still_be_accepted(project, case, record):
    project.save_correction(case, correction_of(case, 1))
    candidate = run_to_end(finetune_project(project, record, QUICK))
    shutil.rmtree(record.folder)
    assert load_model(accept(candidate, project)).record.parent == "tiny"


def test_a_model_that_is_gone_before_is_said(project, case, record):
    project.save_correction(case, correction_of(case, 1))
    record.weights_path.unlink()
    with pytest.raises(ModelError, match="weights"):
        run_to_end(finetune_project(project, record, QUICK))


_KILLED = """
import sys
from dataclasses import replace
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.model_store.store import read_record
from napari_brainseg.training.finetune_settings import FinetuneSettings
from napari_brainseg.training.project_finetuning import accept, finetune_project

project, record = Project.open(sys.argv[1]), read_record(__import__("pathlib").Path(sys.argv[2]))
settings = FinetuneSettings(steps=2, batch=2, device="cpu")
candidate = run_to_end(finetune_project(project, record, settings), lambda report: print("step", flush=True))
print("accepting", flush=True)
while True:
    print(accept(candidate, project).name, flush=True)
"""


@pytest.mark.parametrize("moment", ["step", "accepting", "tiny-3"])
def test_a_process_that_is_killed_leaves_models_and_corrections_whole(tmp_path, project, case, record, moment):
    project.save_correction(case, correction_of(case, 1, 2))
    before = record.weights_path.read_bytes()
    command = [sys.executable, "-c", _KILLED, str(project.folder), str(record.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.strip() == moment:
                break
        time.sleep(0.01 if moment != "step" else 0)
        process.kill()

    assert record.weights_path.read_bytes() == before
    for accepted in list_models([project.models]):
        assert load_model(accepted).record.name == accepted.name
    [(_, correction)] = Project.open(project.folder).corrections()
    assert correction.slices == (ConfirmedSlice(0, 1), ConfirmedSlice(0, 2))
    assert accept(run_to_end(finetune_project(project, record, QUICK)), project).folder.is_dir()
