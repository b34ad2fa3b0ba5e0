"""A model as one zip file, to keep or to pass on, and back into a models folder. Loads no torch and runs no code."""

from __future__ import annotations

import hashlib
import stat
import time
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError, safe_open

from napari_brainseg.base.errors import InputError, ModelError, OutputError
from napari_brainseg.base.paths import shipped_models, write_text, written_aside
from napari_brainseg.model_store.folders import (
    CARD_FILES,
    MODEL_FILES,
    SYSTEM_FILES,
    folder_written_aside,
    is_taken,
    retitled_card,
    why_not_a_name,
)
from napari_brainseg.model_store.lineage import free_name
from napari_brainseg.model_store.store import ModelRecord, list_models, parse_record, read_record

DESCRIPTION, WEIGHTS, CARD = MODEL_FILES
_MB = 1 << 20
# Unpacked sizes that no real model reaches.
_ALLOWED = (*MODEL_FILES, *CARD_FILES)
_LARGEST = {**dict.fromkeys(_ALLOWED, 16 * _MB), WEIGHTS: 2048 * _MB}
# Weights hardly get smaller in a zip file, text some ten times.
_TIGHTEST = 200
_MOST_ENTRIES = 100
# What zipfile raises for files that were cut off or changed.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def export_model(record: ModelRecord, out: Path, *, overwrite: bool = False) -> Path:
    """Write a model as a zip file that holds one folder, and return the file.

    Args:
        record: The model; its weights are checked against their SHA-256 first.
        out: The zip file, or a folder in which it gets the model's name.
        overwrite: Replace a file that exists.

    Raises:
        ModelError: Files of the model cannot be read, or its weights are not those of its description.
        OutputError: The file exists, is no `.zip`, or cannot be written.
    """
    path = out / f"{record.name}.zip" if out.is_dir() else out
    if path.suffix.lower() != ".zip":
        raise OutputError(f"{path} does not end in .zip. Give a name such as {record.name}.zip, or a folder.")
    contents = _contents(record)
    now = time.localtime()[:6]
    with written_aside(path, overwrite=overwrite) as aside, zipfile.ZipFile(aside, "w") as file:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(f"{record.name}/{name}", now)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = zipfile.ZIP_STORED if name == WEIGHTS else zipfile.ZIP_DEFLATED
            file.writestr(entry, data)
    return path


def import_model(path: Path, place: Path, *, name: str = "", places: Iterable[Path] = ()) -> ModelRecord:
    """Unpack a zip file of `export_model` as a model of `place`, a models folder, and return its record.

    The file may come from anybody: only a description, weights and a card with what belongs to it are taken, of one
    folder, under a name and up to a size that are safe, and nothing in them is run. The folder appears when everything
    in it was checked.

    Args:
        path: The zip file.
        place: The models folder; made where it is missing.
        name: What to call the model; by default as in the file, or the next free name of its line.
        places: Further models folders whose names are taken.

    Raises:
        InputError: The file cannot be read or holds something else than one model.
        ModelError: The model cannot be used here, is here already, or the name cannot be used or is taken.
        OutputError: The place cannot be written.
    """
    places = (place, *places)
    if place.resolve() == shipped_models().resolve():
        raise OutputError(f"{place} holds the models that came with the program. Choose another place.")
    try:
        file = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise _not_a_model(path, getattr(error, "strerror", None) or "it is no zip file, or damaged") from error
    with file:
        folder, entries = _entries(path, file)
        description = _text(path, file, entries[DESCRIPTION])
        record = parse_record(description, path / folder)
        if record.external is not None:  # it names a program of another machine, which must never come to be run here
            raise _not_a_model(path, "its model runs in an environment of its own")
        final = _name_for(record, name, places)
        card = _text(path, file, entries[CARD]) if CARD in entries else ""
        with folder_written_aside(place / final) as aside:
            digest = _unpack(path, file, entries[WEIGHTS], aside / WEIGHTS)
            _check_weights(path, record, aside / WEIGHTS, digest)
            write_text(aside / DESCRIPTION, description if final == folder else replace(record, name=final).to_json())
            write_text(aside / CARD, retitled_card(card, record, final))
            for extra in CARD_FILES:
                if extra in entries:
                    _unpack(path, file, entries[extra], aside / extra)
    return read_record(place / final)


def _contents(record: ModelRecord) -> dict[str, bytes]:
    """Return the model's files, its weights checked."""
    folder = record.weights_path.parent
    contents = {}
    for name in _ALLOWED:
        try:
            contents[name] = (folder / name).read_bytes()
        except FileNotFoundError as error:
            if name in (DESCRIPTION, WEIGHTS):
                raise ModelError(f"{folder / name} is not there any more. Choose another model.") from error
        except OSError as error:
            reason = error.strerror or error
            raise ModelError(f"{folder / name} cannot be read ({reason}). Choose another model.") from error
    stated = parse_record(contents[DESCRIPTION].decode("utf-8", "replace"), folder).weights_sha256
    if stated not in ("", hashlib.sha256(contents[WEIGHTS]).hexdigest()):
        raise ModelError(
            f"{folder / WEIGHTS} is damaged or was replaced: its SHA-256 is not the one in model.json. "
            "It is not exported."
        )
    return contents


def _entries(path: Path, file: zipfile.ZipFile) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """Return the name of the one folder and its files by name; raise `InputError` where it is anything else."""
    if len(file.infolist()) > _MOST_ENTRIES:
        raise _not_a_model(path, f"it holds {len(file.infolist())} files")
    folders: set[str] = set()
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in file.infolist():
        # zipfile cuts names at a zero byte: what was written is what counts.
        parts = entry.orig_filename.split("/")
        if parts[0] == "__MACOSX" or parts[-1] in SYSTEM_FILES:
            continue  # never unpacked
        if len(parts) != 2 or parts[0] in ("", ".", "..") or "\\" in entry.orig_filename:
            raise _not_a_model(path, f"{entry.orig_filename!r} does not lie in one folder")
        folders.add(parts[0])
        if not parts[1]:
            continue
        if parts[1] not in _ALLOWED:
            raise _not_a_model(path, f"{entry.orig_filename!r} belongs to no model")
        if parts[1] in entries:
            raise _not_a_model(path, f"it holds {entry.orig_filename!r} twice")
        _refuse_unsafe(path, entry, _LARGEST[parts[1]])
        entries[parts[1]] = entry
    missing = [name for name in (DESCRIPTION, WEIGHTS) if name not in entries]
    if missing or len(folders) != 1:
        raise _not_a_model(path, f"it holds no {missing[0]}" if missing else f"it holds {len(folders)} folders")
    return folders.pop(), entries


def _refuse_unsafe(path: Path, entry: zipfile.ZipInfo, largest: int) -> None:
    name, mode = entry.orig_filename, entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _not_a_model(path, f"{name!r} is a link or a device")
    if entry.flag_bits & 0x1:
        raise _not_a_model(path, "it is encrypted; unpack it and zip its folder without a password")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _not_a_model(path, f"{name!r} is packed in an unusual way")
    if entry.file_size > largest or entry.file_size > _TIGHTEST * max(1, entry.compress_size):
        raise _not_a_model(path, f"{name!r} would be {entry.file_size / _MB:.0f} MB, which is no model")


def _text(path: Path, file: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    try:
        return file.read(entry).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_a_model(path, f"{entry.filename!r} is no text") from error
    except (*_BROKEN, OSError) as error:
        raise _not_a_model(path, f"{entry.filename!r} is damaged") from error


def _unpack(path: Path, file: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> str:
    """Write one file of the zip and return its SHA-256; zipfile holds it to the size and the checksum it states."""
    digest = hashlib.sha256()
    try:
        with file.open(entry) as source, target.open("wb") as sink:
            while chunk := source.read(_MB):
                digest.update(chunk)
                sink.write(chunk)
    except _BROKEN as error:
        raise _not_a_model(path, f"{entry.filename!r} is damaged") from error
    return digest.hexdigest()


def _check_weights(path: Path, record: ModelRecord, weights: Path, digest: str) -> None:
    if record.weights_sha256 not in ("", digest):
        raise ModelError(
            f"The weights in {path} are damaged or were replaced: their SHA-256 is not the one in model.json. "
            "Copy the file again."
        )
    try:
        with safe_open(weights, framework="numpy") as tensors:
            tensors.keys()
    except SafetensorError as error:
        raise _not_a_model(path, f"its weights are not in the safetensors format: {error}") from error


def _name_for(record: ModelRecord, name: str, places: tuple[Path, ...]) -> str:
    """Return what the model will be called; raise `ModelError` where it is here already or cannot be called so."""
    digest = record.weights_sha256
    twin = next((one for one in list_models(places) if digest and one.weights_sha256 == digest), None)
    if twin is not None:
        raise ModelError(f"This model is here already: {twin.folder}.")
    wanted = name or record.name
    reason = why_not_a_name(wanted)
    if reason:
        raise ModelError(reason)
    if not is_taken(wanted, places):
        return wanted
    if name:
        raise ModelError(f"There is a model {name} already. Choose another name.")
    return free_name(record, places)


def _not_a_model(path: Path, why: str) -> InputError:
    return InputError(f"{path} cannot be imported: {why}. Choose a zip file that brainseg models export has written.")
