from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_brainseg.base.errors import ModelError, OutputError
from napari_brainseg.model_store.model import Model, load_model, new_network, save_model
from napari_brainseg.model_store.store import ModelRecord, find_model

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
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(record)
