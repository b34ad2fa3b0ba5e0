"""Models of other programs: a stand-in on known voxels, and the packages themselves where an environment is named."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from external_models import DATA, STAND_IN, stand_in_model

from napari_brainseg.base.errors import BrainsegError, Cancelled, InputError, LabelError, ModelError
from napari_brainseg.base.progress import CancelToken, Progress, run_to_end
from napari_brainseg.cases.case import BRATS_CHANNELS, Case, Naming
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.orientations import stored_as
from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.inference import child_process, external
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.external import labels_from
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.adding import add_model, describe_model
from napari_brainseg.model_store.consent import allow
from napari_brainseg.model_store.described import AddSettings
from napari_brainseg.model_store.store import ModelRecord

SHAPE = (4, 5, 6)
# Program values of BraTS 2017; the stand-in gives 1 for oedema, 2 for the core and 4 for enhancing tumour.
TRUTH = np.random.default_rng(1).integers(0, 4, SHAPE).astype(np.uint8)
TENS = np.array([0, 20, 10, 40], np.float32)[TRUTH]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "CHILD", STAND_IN)


def small_case(affine: np.ndarray | None = None, **channels: np.ndarray) -> Case:
    geometry = Geometry(SHAPE, (3.0, 1.0, 2.0), np.diag([-2.0, -1.0, 3.0, 1.0]) if affine is None else affine)
    volumes = {name: Volume(data, geometry) for name, data in (channels or {"flair": TENS}).items()}
    return Case("P1", volumes, BRATS_CHANNELS, geometry, None, BRATS2017, Naming.BRATS_2017)


@pytest.mark.usefixtures("stand_in")
def test_labels_come_back_on_the_cases_grid_by_their_meaning(tmp_path: Path, temporary: Path, own_home: Path) -> None:
    reports: list[Progress] = []
    result = run_to_end(segment(small_case(), stand_in_model(tmp_path)), reports.append)
    np.testing.assert_array_equal(result.labels, TRUTH)
    assert (result.model, result.scheme, result.probabilities) == ("theirs 1", BRATS2017, None)
    assert "starting its environment" in [r.message for r in reports]
    assert (1, 2, "segmenting") in [(r.done, r.total, r.message) for r in reports]
    assert not list(temporary.iterdir())
    assert not list((own_home / "logs").iterdir())


@pytest.mark.usefixtures("stand_in")
def test_a_range_of_slices_is_kept_of_the_whole_case(tmp_path: Path) -> None:
    run = segment(small_case(), stand_in_model(tmp_path), SegmentSettings(slices=(1, 2), probabilities=True))
    result = run_to_end(run)
    np.testing.assert_array_equal(result.labels[1], TRUTH[1])
    assert not result.labels[[0, 2, 3]].any()
    assert [note.split(" ", 1)[0] for note in result.notes] == ["theirs", "theirs"]


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("what", "facts", "error", "words"),
    [
        ("fail", {}, ModelError, "failed: RuntimeError: the weights are of another network. Its log is "),
        ("refuse", {}, ModelError, "There is no CUDA device."),
        ("garbage", {}, ModelError, "sent what is not understood"),
        ("turn", {}, ModelError, "gave labels on another grid"),
        ("threshold", {"values": {0: 0, 1: 2, 2: 1}}, LabelError, "gave the value 4"),
        ("threshold", {"python": Path("/no/such/python")}, ModelError, "cannot be run"),
        ("threshold", {"digests": {"model.json": "0"}}, ModelError, "has changed since theirs was added"),
    ],
)
def test_what_goes_wrong_is_said_in_a_sentence(
    tmp_path: Path,
    temporary: Path,
    what: str,
    facts: dict[str, object],
    error: type[BrainsegError],
    words: str,
) -> None:
    model = stand_in_model(tmp_path, what, **facts)
    (tmp_path / "model.json").write_text("")
    with pytest.raises(error, match=words) as caught:
        run_to_end(segment(small_case(), model))
    assert not list(temporary.iterdir())
    _, told, log = str(caught.value).partition("Its log is ")
    assert not told or Path(log.removesuffix(".")).is_file()


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("closed", [False, True])
def test_a_cancel_ends_the_program_and_its_children(tmp_path: Path, temporary: Path, closed: bool) -> None:
    token = CancelToken()
    run = segment(small_case(), stand_in_model(tmp_path, "hang"), token=token)
    while next(run).message != "hanging":
        pass
    child = psutil.Process(int((tmp_path / "pids").read_text()))
    family = [child, *child.parents()[: child.parents().index(psutil.Process())]]
    assert len(family) == 2
    if closed:
        run.close()
    else:
        token.cancel()
        with pytest.raises(Cancelled):
            run_to_end(run)
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert not list(temporary.iterdir())


def test_a_child_that_hears_the_kill_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-I", "-c", "import time; time.sleep(60)"], start_new_session=True)
    lives, asked = iter([True, True, False]), []
    monkeypatch.setattr(child_process, "_lives", lambda one: asked.append(one.pid) or next(lives))
    child_process._end(process)
    assert asked == [process.pid] * 3


@pytest.mark.usefixtures("stand_in")
def test_a_model_runs_only_where_this_user_allowed_it(tmp_path: Path, own_home: Path) -> None:
    model = stand_in_model(tmp_path)
    (own_home / "allowed_models.json").unlink()
    with pytest.raises(ModelError, match="brainseg models allow theirs"):
        run_to_end(segment(small_case(), model))
    allow(model)
    assert model.external is not None
    other = replace(model, external=replace(model.external, python=tmp_path / "python"))
    with pytest.raises(ModelError, match="not allowed"):
        run_to_end(segment(small_case(), other))


def test_the_gates_of_other_models_hold_here_too(tmp_path: Path) -> None:
    model = stand_in_model(tmp_path)
    with pytest.raises(InputError, match="none of the channels flair, t1ce"):
        run_to_end(segment(small_case(t2=TENS), model))
    with pytest.raises(ModelError, match="averaged with"):
        run_to_end(segment(small_case(), [model, model]))


def test_channels_are_regions_or_classes(tmp_path: Path) -> None:
    geometry = stored_as(small_case().geometry, "RAS")
    regions = [np.isin(TRUTH, values).astype(np.float32) for values in ((1, 3), (1, 2, 3), (3,))]
    model = stand_in_model(tmp_path, regions=((1, 3), (1, 2, 3), (3,)))
    np.testing.assert_array_equal(labels_from([Volume(r, geometry) for r in regions], geometry, model), TRUTH)
    classes = [(value == TRUTH) - np.float32(0.5) for value in range(4)]
    assert model.external is not None
    model = replace(model, external=replace(model.external, regions=((), (1,), (2,), (3,))))
    np.testing.assert_array_equal(labels_from([Volume(c, geometry) for c in classes], geometry, model), TRUTH)
    with pytest.raises(ModelError, match="gave 3 channels, where 4 were expected"):
        labels_from([Volume(r, geometry) for r in regions], geometry, model)


def _theirs(tmp_path: Path, path: Path, variable: str) -> ModelRecord:
    """Add a model that its own package runs; skip where no environment has it."""
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"set {variable} to an environment's Python to run this test")
    record, _ = describe_model(path, Path(python), AddSettings(checkpoint="checkpoint_best.pth"))
    added = add_model(record, tmp_path / "models")
    allow(added)
    return added


@pytest.mark.parametrize(
    ("folder", "variable"),
    [("nnunet_results", "BRAINSEG_NNUNET_PYTHON"), ("monai_bundle", "BRAINSEG_MONAI_PYTHON")],
)
def test_the_packages_themselves_find_the_tumour_they_learnt(tmp_path: Path, folder: str, variable: str) -> None:
    model = _theirs(tmp_path, DATA / folder, variable)
    case = make_volume_phantom(3, (32, 40, 40), (4.5, 4.8, 4.8))
    assert case.labels is not None
    result = run_to_end(segment(case, model, SegmentSettings(device="cpu")))
    tumour, truth = result.labels > 0, case.labels.volume.data > 0
    # They are too small to do it well; mirrored or with its axes exchanged, hardly anything would be met.
    assert 2 * (tumour & truth).sum() / (tumour.sum() + truth.sum()) > 0.35
