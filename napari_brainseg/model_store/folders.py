"""Model folders on disk: written aside and renamed, given another name, deleted. Loads no torch."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from napari_brainseg.base.errors import ModelError, OutputError
from napari_brainseg.base.paths import shipped_models, write_text
from napari_brainseg.model_store.lineage import Lineage
from napari_brainseg.model_store.store import REPLACED, ModelRecord, list_models, model_places, read_record

MODEL_FILES = ("model.json", "weights.safetensors", "README.md")
# What a card is written from besides, and its picture; many models have neither.
RECORDS, DIAGRAM = "records.json", "reliability.png"
CARD_FILES = (RECORDS, DIAGRAM)
# What the file browsers of macOS and Windows leave behind.
SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")
_WRITING, _DELETING = ".writing-", ".deleting-"
_DAY = 24 * 3600
_LONGEST_NAME = 80
# Letters of any script, digits and a few signs; no dot or space at an end, which Windows drops.
_NAME = re.compile(r"\w(?:[\w .+()-]*[\w+()-])?")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


@contextmanager
def folder_written_aside(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty folder beside `folder` that becomes `folder` when the block ends well, and vanishes otherwise.

    Whatever ends it, even the end of the process, a model that was there before is there still, or the new one is.

    Raises:
        OutputError: The folder exists and `overwrite` is false, or it cannot be written.
    """
    if folder.exists() and not overwrite:
        raise OutputError(f"{folder} exists. Choose another name for the model.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        aside = Path(tempfile.mkdtemp(prefix=_WRITING, dir=folder.parent))
        try:
            aside.chmod(0o755)  # mkdtemp makes folders for their owner alone
            yield aside
            _put_in_place(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"{folder} could not be written ({error.strerror or error}). Choose another place."
        ) from error


def why_not_a_name(name: str) -> str:
    """Return why a model cannot be called so on every file system, in a sentence; empty where it can."""
    if not name or len(name) > _LONGEST_NAME:
        return f"A model's name has 1 to {_LONGEST_NAME} characters. Choose another."
    if not _NAME.fullmatch(name):
        return f"{name!r} cannot be a model's name. Use letters, digits, spaces and . - + ( ) between them."
    if _RESERVED.fullmatch(name):
        return f"{name!r} is a name that Windows keeps for itself. Choose another."
    return ""


def is_taken(name: str, places: Iterable[Path]) -> bool:
    """Return whether a model of `model_places(places)` has this name; upper and lower case are one."""
    wanted = name.casefold()
    every = (place for place in model_places(places) if place.is_dir())
    return any(path.name.casefold() == wanted for place in every for path in place.iterdir())


def rename_model(record: ModelRecord, name: str, places: Iterable[Path] = ()) -> ModelRecord:
    """Give a model's folder, its `model.json` and its card another name, and return its record.

    Models of these places that were fine-tuned from it get its new name; others know it by its weights.

    Raises:
        ModelError: The name cannot be used or is taken, or the model came with the program or lies elsewhere.
        OutputError: The folder cannot be renamed.
    """
    places = tuple(places)
    folder = own_folder(record, places)
    reason = why_not_a_name(name)
    if reason:
        raise ModelError(reason)
    if name == record.name:
        return record
    if is_taken(name, places) and name.casefold() != record.name.casefold():
        raise ModelError(f"There is a model {name} already. Choose another name.")
    target = folder.parent / name
    children = Lineage(list_models(places)).children(record)
    try:
        # One step, after which the model has its new name: what is written in it below is a courtesy to readers.
        folder.rename(target)
    except OSError as error:
        raise OutputError(_not_changed(folder, "renamed", error)) from error
    renamed = read_record(target)
    with suppress(OutputError):
        write_text(target / "model.json", renamed.to_json())
        if renamed.card:
            write_text(target / "README.md", retitled_card(renamed.card, record, name))
        for child in children:
            _name_parent(child, name)
    return renamed


def retitled_card(card: str, record: ModelRecord, name: str) -> str:
    """Return a model's card with its new name as heading; a heading that is not its old name stays."""
    heading, end, rest = card.partition("\n")
    return f"# {name}{end}{rest}" if heading.strip() in (f"# {record.name}", f"# {record.display_name}") else card


def delete_model(record: ModelRecord, places: Iterable[Path] = ()) -> None:
    """Remove a model's folder; no model that came with the program, and none outside of `model_places(places)`.

    Raises:
        ModelError: It is not one of those.
        OutputError: It cannot be removed, as where a program holds its files; then nothing of it is gone.
    """
    folder = own_folder(record, places)
    _refuse_other_files(folder)
    aside = folder.parent / f"{_DELETING}{time.time_ns()}-{folder.name}"
    try:
        # Renamed first: a folder is then there with all its files, or not at all.
        folder.rename(aside)
    except OSError as error:
        raise OutputError(_not_changed(folder, "deleted", error)) from error
    shutil.rmtree(aside, ignore_errors=True)


def _name_parent(child: ModelRecord, name: str) -> None:
    told = child.training.get("parent")
    training = {**child.training, "parent": {**told, "name": name}} if isinstance(told, Mapping) else child.training
    if child.folder is not None:
        write_text(child.folder / "model.json", replace(child, parent=name, training=training).to_json())


def _refuse_other_files(folder: Path) -> None:
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise OutputError(_not_changed(folder, "deleted", error)) from error
    strange = [name for name in names if name not in (*MODEL_FILES, *CARD_FILES, *SYSTEM_FILES)]
    if strange:
        raise ModelError(f"{folder} holds more than a model ({', '.join(strange[:3])}). Remove the folder by hand.")


def own_folder(record: ModelRecord, places: Iterable[Path]) -> Path:
    """Return the folder of a model that may be changed; raise `ModelError` where it may not."""
    folder = record.folder
    if folder is None:
        raise ModelError(f"The model {record.name} has not been saved yet.")
    parent = folder.absolute().parent.resolve()
    if parent == shipped_models().resolve():
        raise ModelError(f"{record.display_name} came with the program and stays as it is. Fine-tune or copy it first.")
    if folder.is_symlink() or parent not in [place.resolve() for place in model_places(places)]:
        raise ModelError(f"{folder} is not in a models folder of a project or of yours. Change it by hand.")
    return folder


def _put_in_place(aside: Path, folder: Path) -> None:
    """Rename `aside` to `folder`; what was there goes when the new one stands.

    A folder cannot be replaced in one step. Between the two steps the old one is found under its other name.
    """
    old = folder.parent / f"{REPLACED}{folder.name}"
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)  # left where a process ended just before it was removed
        folder.replace(old)
    try:
        aside.replace(folder)
    except OSError:
        if old.exists():
            old.replace(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sweep(place: Path) -> None:
    """Remove what processes that were killed left half-written or half-deleted, once no process can be at it."""
    for path in [*place.glob(f"{_WRITING}*"), *place.glob(f"{_DELETING}*")]:
        if path.is_dir() and time.time() - path.stat().st_mtime > _DAY:
            shutil.rmtree(path, ignore_errors=True)


def _not_changed(folder: Path, done: str, error: OSError) -> str:
    reason = error.strerror or error
    return f"{folder} could not be {done} ({reason}). Close the programs that use the model and try again."
