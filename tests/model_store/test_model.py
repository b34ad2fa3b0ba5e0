import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from napari_brainseg.base.errors import ModelError, OutputError
from napari_brainseg.base.paths import shipped_models
from napari_brainseg.model_store.model import Model, load_model, new_network, save_model
from napari_brainseg.model_store.store import ModelRecord, find_model, list_models, read_record

RECORD = ModelRecord(
    name="small",
    version="1",
    title="A model",
    network={"name": "unext", "options": {"widths": [4, 8, 10, 15, 20]}},
    channels=("pre", "flair", "post"),
    scheme_id="lgg",
    outputs=("WT",),
)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(1)
    return Model(RECORD, new_network(RECORD).eval())


def test_a_saved_model_gives_the_same_answer_to_half_precision(model: Model, tmp_path: Path) -> None:
    record = save_model(model, tmp_path / "saved", "# card")
    loaded = load_model(record)
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network(images), model.network(images), atol=2e-2, rtol=2e-2)
    assert loaded.record.name == "saved"
    assert find_model("saved", [tmp_path]).card == "# card"


def test_a_saved_model_is_readable_by_whom_the_user_lets_read(model: Model, tmp_path: Path) -> None:
    record = save_model(model, tmp_path / "saved", "")
    (tmp_path / "plain").touch()
    usual = (tmp_path / "plain").stat().st_mode
    assert {p.stat().st_mode for p in record.weights_path.parent.iterdir()} == {usual}


def test_a_loaded_model_is_kept_until_its_file_changes(model: Model, tmp_path: Path) -> None:
    record = save_model(model, tmp_path / "saved", "")
    first = load_model(record)
    assert load_model(record) is first
    with torch.no_grad():
        next(model.network.parameters()).add_(1)
    save_model(model, tmp_path / "saved", "", overwrite=True)
    assert load_model(record) is not first


def test_an_existing_folder_is_not_replaced_unasked(model: Model, tmp_path: Path) -> None:
    save_model(model, tmp_path / "saved", "first")
    with pytest.raises(OutputError, match="exists"):
        save_model(model, tmp_path / "saved", "second")
    assert (tmp_path / "saved" / "README.md").read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["saved"]


def test_weights_that_are_damaged_absent_or_of_another_network_are_named(model: Model, tmp_path: Path) -> None:
    record = save_model(model, tmp_path / "saved", "")
    other = replace(record, network={"name": "unext", "options": {"widths": [4, 8, 10, 15, 25]}})
    with pytest.raises(ModelError, match=r"does not fit the network"):
        load_model(replace(other))
    record.weights_path.write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="damaged"):
        load_model(record)
    record.weights_path.unlink()
    with pytest.raises(ModelError, match="not there any more"):
        load_model(record)


def test_weights_of_another_training_are_refused_with_the_file(model: Model, tmp_path: Path) -> None:
    record = save_model(model, tmp_path / "saved", "")
    with torch.no_grad():
        next(model.network.parameters()).add_(1)
    other = save_model(model, tmp_path / "other", "")
    assert record.weights_sha256 == hashlib.sha256(record.weights_path.read_bytes()).hexdigest()
    shutil.copy(other.weights_path, record.weights_path)
    with pytest.raises(ModelError, match=r"saved.weights\.safetensors is damaged or was replaced: its SHA-256"):
        load_model(record)


def test_a_model_of_an_older_version_has_no_digest_and_still_loads(model: Model, tmp_path: Path) -> None:
    record = save_model(model, tmp_path / "saved", "")
    facts = json.loads((tmp_path / "saved" / "model.json").read_text())
    del facts["training"]["sha256"]
    (tmp_path / "saved" / "model.json").write_text(json.dumps(facts))
    old = find_model("saved", [tmp_path])
    assert (old.weights_sha256, record.weights_sha256 != "") == ("", True)
    assert load_model(old).record is old


def test_a_record_from_before_the_model_was_written_anew_loads_the_new_one(model: Model, tmp_path: Path) -> None:
    before = save_model(model, tmp_path / "saved", "")
    with torch.no_grad():
        next(model.network.parameters()).add_(1)
    after = save_model(model, tmp_path / "saved", "", overwrite=True)
    assert load_model(before).record == after
    assert before.weights_sha256 != after.weights_sha256


def test_weights_that_another_program_holds_are_not_called_damaged(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = save_model(model, tmp_path / "saved", "")

    def held(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")  # what Windows says of a locked file

    monkeypatch.setattr(Path, "read_bytes", held)
    with pytest.raises(ModelError, match=r"cannot be read \(Permission denied\). Close the program that holds it"):
        load_model(record)


@pytest.mark.parametrize("name", ["lgg", "brats"])
def test_the_shipped_weights_are_those_of_their_description(name: str) -> None:
    record = read_record(shipped_models() / name)
    packed = record.weights_path.read_bytes()
    assert record.weights_sha256 == hashlib.sha256(packed).hexdigest()
    assert len(packed) <= 20_000_000
    exact = {name for name, w in load(packed).items() if w.is_floating_point() and w.dtype != torch.float16}
    # The last layer of a calibrated model is not rounded, so that its labels stay as they were.
    assert {name.split(".")[-2] for name in exact} == {"head"}
    assert set(record.training["temperature"]) == set(record.outputs)


# Writes a model over `saved` and is killed at the given rename of a folder.
KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from napari_brainseg.model_store.model import load_model, save_model

place, at = Path(sys.argv[1]), int(sys.argv[2])
model = load_model(place / "saved")
rename, count = Path.replace, 0

def dies(self, target):
    global count
    count += self.is_dir()
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)

Path.replace = dies
model.record = replace(model.record, title="the new one")
save_model(model, place / "saved", "new", overwrite=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
@pytest.mark.parametrize(("at", "title"), [(1, "A model"), (2, "A model"), (3, "the new one")])
def test_a_save_that_is_killed_leaves_the_old_model_or_the_new(
    model: Model, tmp_path: Path, at: int, title: str
) -> None:
    save_model(model, tmp_path / "saved", "old")
    ran = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(at)], check=False, timeout=120)
    assert ran.returncode == (0 if at == 3 else -signal.SIGKILL)

    there = [record for record in list_models([tmp_path]) if record.scheme_id == "lgg" and record.name == "saved"]
    assert [record.title for record in there] == [title]
    assert load_model(there[0]).record.title == title
    assert find_model(tmp_path / "saved").title == title

    save_model(model, tmp_path / "saved", "again", overwrite=True)
    assert find_model(tmp_path / "saved").card == "again"
    assert not list(tmp_path.glob(".replaced-*"))
