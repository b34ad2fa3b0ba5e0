import hashlib
import json
import os
import pickle
import shutil
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from napari_brainseg.base.errors import BrainsegError, InputError, ModelError, OutputError
from napari_brainseg.base.paths import shipped_models
from napari_brainseg.model_store.lineage import Lineage
from napari_brainseg.model_store.model_zip import export_model, import_model
from napari_brainseg.model_store.store import ModelRecord, find_model, list_models, read_record

WEIGHTS = save({"w": np.arange(4096, dtype=np.float32).reshape(64, 64)})
RECORD = ModelRecord(
    name="lgg-2",
    version="1",
    title="A model",
    network={"name": "unext", "options": {}},
    channels=("pre", "flair", "post"),
    scheme_id="lgg",
    outputs=("WT",),
    parent="lgg",
    training={
        "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        "parent": {"name": "lgg", "version": "1", "sha256": read_record(shipped_models() / "lgg").weights_sha256},
    },
)
GOOD = {
    "lgg-2/model.json": RECORD.to_json().encode(),
    "lgg-2/weights.safetensors": WEIGHTS,
    "lgg-2/README.md": b"# lgg-2\n\nA card.\n",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "project" / "models"


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[..., Path]:
    """Write a zip file of the entries: name or `ZipInfo` -> bytes."""

    def write(entries: dict[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
        path = tmp_path / "model.zip"
        with zipfile.ZipFile(path, "w", compression) as file:
            for name, data in entries.items():
                file.writestr(name, data)
        return path

    return write


@pytest.fixture
def saved(place: Path) -> ModelRecord:
    folder = place / "lgg-2"
    folder.mkdir(parents=True)
    for name, data in GOOD.items():
        (place / name).write_bytes(data)
    return read_record(folder)


def test_a_model_comes_back_to_the_bit(saved: ModelRecord, place: Path, tmp_path: Path) -> None:
    path = export_model(saved, tmp_path / "out" / "my.zip")
    with zipfile.ZipFile(path) as file:
        assert sorted(file.namelist()) == sorted(GOOD)
        assert file.testzip() is None
    other = import_model(path, tmp_path / "other" / "models")
    assert other == replace(saved, folder=tmp_path / "other" / "models" / "lgg-2")
    assert {f"lgg-2/{one.name}": one.read_bytes() for one in other.folder.iterdir()} == GOOD
    assert Lineage(list_models([tmp_path / "other" / "models"])).roll_back(other).name == "lgg"


def test_into_a_folder_it_gets_the_models_name_and_replaces_nothing_unasked(saved: ModelRecord, tmp_path: Path) -> None:
    assert export_model(saved, tmp_path) == tmp_path / "lgg-2.zip"
    before = (tmp_path / "lgg-2.zip").read_bytes()
    with pytest.raises(OutputError, match="exists"):
        export_model(saved, tmp_path)
    assert (tmp_path / "lgg-2.zip").read_bytes() == before
    export_model(saved, tmp_path, overwrite=True)
    with pytest.raises(OutputError, match=r"does not end in \.zip"):
        export_model(saved, tmp_path / "lgg.tar")


def test_a_model_without_a_card_has_none_in_the_zip(saved: ModelRecord, tmp_path: Path) -> None:
    (saved.folder / "README.md").unlink()
    path = export_model(saved, tmp_path)
    assert "lgg-2/README.md" not in zipfile.ZipFile(path).namelist()
    assert import_model(path, tmp_path / "models").card == ""


def test_damaged_or_vanished_weights_are_not_exported(saved: ModelRecord, tmp_path: Path) -> None:
    saved.weights_path.write_bytes(WEIGHTS[:-1] + b"x")
    with pytest.raises(ModelError, match=r"its SHA-256 is not the one in model\.json\. It is not exported"):
        export_model(saved, tmp_path)
    saved.weights_path.unlink()
    with pytest.raises(ModelError, match="is not there any more"):
        export_model(saved, tmp_path)
    assert not list(tmp_path.glob("*.zip"))


def test_a_taken_name_gets_the_next_of_its_line(saved: ModelRecord, place: Path, tmp_path: Path) -> None:
    path = export_model(saved, tmp_path)
    changed = save({"w": np.zeros((2, 2), np.float32)})
    saved.weights_path.write_bytes(changed)
    here = replace(saved, training={**saved.training, "sha256": hashlib.sha256(changed).hexdigest()})
    (saved.folder / "model.json").write_text(here.to_json())

    imported = import_model(path, place)

    assert (imported.name, imported.display_name) == ("lgg-3", "lgg·3")
    assert json.loads((place / "lgg-3" / "model.json").read_text())["name"] == "lgg-3"
    assert imported.card == "# lgg-3\n\nA card.\n"
    assert imported.weights_path.read_bytes() == WEIGHTS
    assert read_record(saved.folder) == here


def test_a_name_can_be_given(saved: ModelRecord, place: Path, tmp_path: Path) -> None:
    path = export_model(saved, tmp_path)
    elsewhere = tmp_path / "other"
    assert import_model(path, elsewhere, name="from Ann").folder == elsewhere / "from Ann"
    with pytest.raises(ModelError, match="There is a model BRATS already"):
        import_model(path, tmp_path / "third", name="BRATS")
    with pytest.raises(ModelError, match="cannot be a model's name"):
        import_model(path, tmp_path / "third", name="../out")
    assert not (tmp_path / "third").exists()


def test_a_model_that_is_here_is_not_imported_twice(saved: ModelRecord, place: Path, tmp_path: Path) -> None:
    path = export_model(saved, tmp_path)
    saved.folder.rename(place / "renamed")
    with pytest.raises(ModelError, match=r"is here already: .*renamed"):
        import_model(path, place)
    with pytest.raises(ModelError, match="is here already"):
        import_model(path, tmp_path / "other", places=[place])


def test_the_shipped_folder_takes_nothing(zipped: Callable[..., Path]) -> None:
    with pytest.raises(OutputError, match="came with the program"):
        import_model(zipped(GOOD), shipped_models())


def test_folders_and_leftovers_of_a_mac_are_passed_over(zipped: Callable[..., Path], place: Path) -> None:
    extra = {"lgg-2/": b"", "__MACOSX/lgg-2/._model.json": b"x", "lgg-2/.DS_Store": b"x", ".DS_Store": b"x"}
    imported = import_model(zipped({**extra, **GOOD}, zipfile.ZIP_DEFLATED), place)
    assert sorted(one.name for one in imported.folder.iterdir()) == ["README.md", "model.json", "weights.safetensors"]
    assert [one.name for one in place.iterdir()] == ["lgg-2"]


def _link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def _without(*names: str) -> dict[str, bytes]:
    return {name: data for name, data in GOOD.items() if not name.endswith(names)}


def _described(**facts: object) -> dict[str, bytes]:
    return {**GOOD, "lgg-2/model.json": json.dumps(json.loads(RECORD.to_json()) | facts).encode()}


PICKLE = pickle.dumps({"w": [1.0]})


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({**GOOD, "../evil.txt": b"x"}, r"'../evil.txt' does not lie in one folder|belongs to no model"),
        ({**GOOD, "lgg-2/../../evil.txt": b"x"}, "does not lie in one folder"),
        ({**GOOD, "/etc/evil": b"x"}, "does not lie in one folder"),
        ({**GOOD, "C:\\evil.txt": b"x"}, "does not lie in one folder"),
        ({**GOOD, "lgg-2\\..\\evil.txt": b"x"}, "does not lie in one folder"),
        ({**GOOD, "evil.txt": b"x"}, "does not lie in one folder"),
        ({**GOOD, "lgg-2/run.py": b"x"}, "'lgg-2/run.py' belongs to no model"),
        ({**GOOD, "lgg-2/weights.pt": PICKLE}, "belongs to no model"),
        ({**GOOD, "lgg-3/README.md": b"x"}, "holds 'lgg-3/README.md' twice"),
        ({**_without("README.md"), "lgg-3/README.md": b"x"}, "it holds 2 folders"),
        ({**_without("README.md"), _link("lgg-2/README.md"): b"/etc/passwd"}, "is a link or a device"),
        ({**_without("safetensors"), _link("lgg-2/weights.safetensors"): b"/dev/zero"}, "is a link or a device"),
        (_without("model.json"), r"it holds no model\.json"),
        (_without("safetensors"), r"it holds no weights\.safetensors"),
        ({}, r"it holds no model\.json"),
        ({f"lgg-2/{n}": b"" for n in range(101)}, "it holds 101 files"),
        ({**GOOD, "lgg-2/model.json": b"\xff\xfe"}, "is no text"),
        ({**GOOD, "lgg-2/model.json": b"{"}, r"model\.zip.lgg-2.model\.json is not a model description"),
        ({**GOOD, "lgg-2/model.json": b"[" * 100_000}, "is not a model description"),
        (_described(format=2), "newer version"),
        (_described(scores=3), "scores is no group"),
        (_described(training={"sha256": "0" * 64}), r"weights in .*model\.zip are damaged or were replaced"),
        (
            {**_described(training={}), "lgg-2/weights.safetensors": PICKLE},
            "its weights are not in the safetensors format",
        ),
        ({name.replace("lgg-2", "CON"): data for name, data in GOOD.items()}, "Windows keeps for itself"),
        ({name.replace("lgg-2", " x"): data for name, data in GOOD.items()}, "cannot be a model's name"),
    ],
)
def test_anything_but_one_model_is_refused_and_leaves_nothing(
    entries: dict[str | zipfile.ZipInfo, bytes], words: str, zipped: Callable[..., Path], place: Path, tmp_path: Path
) -> None:
    path = zipped(entries)
    with pytest.raises((InputError, ModelError), match=words):
        import_model(path, place)
    assert not place.exists() or list(place.iterdir()) == []
    assert {one.name for one in tmp_path.iterdir()} <= {"model.zip", "project"}


def test_a_zip_bomb_is_refused_before_it_is_unpacked(zipped: Callable[..., Path], place: Path) -> None:
    path = zipped({**GOOD, "lgg-2/weights.safetensors": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match=r"'lgg-2/weights.safetensors' would be 48 MB, which is no model"):
        import_model(path, place)
    assert not place.exists()


def test_a_size_that_the_file_lies_about_is_not_believed(zipped: Callable[..., Path], place: Path) -> None:
    path = zipped({**GOOD, "lgg-2/weights.safetensors": bytes(5_000_000)}, zipfile.ZIP_DEFLATED)
    honest, lie = (5_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(honest, lie))
    with pytest.raises(BrainsegError):
        import_model(path, place)
    assert not place.exists() or list(place.iterdir()) == []


@pytest.mark.parametrize("where", [b"A model", WEIGHTS[-500:], b"A card"])
def test_a_flipped_bit_is_noticed(where: bytes, zipped: Callable[..., Path], place: Path) -> None:
    path = zipped(GOOD)
    data = bytearray(path.read_bytes())
    data[data.index(where)] ^= 1
    path.write_bytes(data)
    with pytest.raises(BrainsegError, match="damaged"):
        import_model(path, place)
    assert not place.exists() or list(place.iterdir()) == []


def test_a_password_is_named(zipped: Callable[..., Path], place: Path) -> None:
    path = zipped(GOOD)
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    data[start + 8] |= 1  # the flag of an encrypted entry in the directory
    path.write_bytes(data)
    with pytest.raises(InputError, match="it is encrypted"):
        import_model(path, place)


@pytest.mark.parametrize("content", [None, b"", b"no zip", "cut off"])
def test_what_is_no_zip_file_is_said(
    content: bytes | str | None, zipped: Callable[..., Path], place: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.zip"
    if content == "cut off":
        path = zipped(GOOD)
        path.write_bytes(path.read_bytes()[:-200])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.zip cannot be imported: "):
        import_model(path, place)
    assert not place.exists()


def test_a_folder_is_no_zip_file(saved: ModelRecord, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be imported: Is a directory"):
        import_model(saved.folder, tmp_path / "other")


def test_a_place_that_cannot_be_written_is_said(zipped: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="could not be written"):
        import_model(zipped(GOOD), tmp_path / "file" / "models")


KILLED = """
import os, signal, sys
from pathlib import Path
from napari_brainseg.model_store import model_zip

def dies(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(*{"weights": (model_zip, "_check_weights", dies), "rename": (Path, "replace", dies)}[sys.argv[3]])
model_zip.import_model(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9")
@pytest.mark.parametrize("at", ["weights", "rename"])
def test_an_import_that_is_killed_leaves_no_half_model(
    at: str, zipped: Callable[..., Path], place: Path, tmp_path: Path
) -> None:
    shutil.copytree(shipped_models() / "lgg", place / "mine")
    command = [sys.executable, "-c", KILLED, str(zipped(GOOD)), str(place), at]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL

    assert [one.name for one in list_models([place]) if one.folder.parent == place] == ["mine"]
    with pytest.raises(ModelError, match="There is no model"):
        find_model("lgg-2", [place])
    assert import_model(zipped(GOOD), place).name == "lgg-2"


def test_neither_way_loads_torch() -> None:
    code = "import sys, napari_brainseg.model_store.model_zip; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
