"""Add a model of another program to the list: an nnU-Net v2 results folder or a MONAI bundle. Nothing of it is loaded.

The model folder that is written holds its description and a card; weights and code stay where they are.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from napari_brainseg.base.errors import InputError, ModelError
from napari_brainseg.base.paths import write_text
from napari_brainseg.cases.case import BRATS_CHANNELS, LGG_CHANNELS
from napari_brainseg.cases.naming import channel_of
from napari_brainseg.cases.orientations import reorientation_for
from napari_brainseg.model_store.described import AddSettings, Described
from napari_brainseg.model_store.external import KINDS, PACKAGES, External
from napari_brainseg.model_store.folders import folder_written_aside, is_taken, why_not_a_name
from napari_brainseg.model_store.monai_bundle import describe_bundle, is_bundle
from napari_brainseg.model_store.nnunet_results import describe_nnunet, results_folder
from napari_brainseg.model_store.store import ModelRecord, read_record

_PYTHONS = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe")
_PATIENCE = 60  # seconds in which a Python must have said what it has
_ASK = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
_CHANNELS = dict.fromkeys((*BRATS_CHANNELS, *LGG_CHANNELS))


def describe_model(path: Path, python: Path, settings: AddSettings) -> tuple[ModelRecord, str]:
    """Return what would be added, and where its order of axes was learnt (empty where nothing tells it).

    The environment's Python is asked for the version of its package; nothing else is run.

    Args:
        path: The results folder or bundle.
        python: An environment's folder, or its interpreter.
        settings: What the person says of the model.

    Raises:
        InputError: The folder is neither, or there is no such Python.
        LabelError: Its labels are not known here.
        ModelError: A file is missing, channels are not known here, or the environment lacks the package.
    """
    path, described = path.absolute(), _described(path.absolute(), settings)
    interpreter = python_of(python)
    external = replace(described.external, python=interpreter, package=_package(interpreter, described.external.kind))
    source = described.orientation_from
    if settings.orientation:
        if settings.orientation != "file":
            reorientation_for(settings.orientation)
        external = replace(external, orientation=settings.orientation.replace("file", ""))
        source = "--orientation"
    record = ModelRecord(
        name=settings.name or _name_of(described, path),
        version="1",
        title=described.title,
        network={"name": KINDS[external.kind]},
        channels=_channels(described, settings),
        scheme_id=described.scheme.id,
        outputs=tuple(c.name for c in described.scheme.classes),
        spatial_dims=3,
        training={"added": datetime.now(UTC).isoformat(timespec="seconds")},
        external=external,
    )
    return record, source


def add_model(record: ModelRecord, place: Path, places: Iterable[Path] = (), *, replaces: bool = False) -> ModelRecord:
    """Write what `describe_model` returned into a models folder.

    Raises:
        ModelError: The name cannot be used or is taken, or what has it is no external model.
        OutputError: The folder cannot be written.
    """
    folder, reason = place / record.name, why_not_a_name(record.name)
    if reason:
        raise ModelError(reason)
    old = replaces and folder.exists()
    if old and read_record(folder).external is None:
        raise ModelError(f"{folder} holds a model of its own, which is not replaced. Choose another name with --name.")
    if not old and is_taken(record.name, (place, *places)):
        raise ModelError(
            f"There is a model {record.name} already. Choose another name with --name, or --replace it where it is the "
            "former state of this one."
        )
    with folder_written_aside(folder, overwrite=old) as aside:
        write_text(aside / "model.json", record.to_json())
        write_text(aside / "README.md", external_card(record))
    return read_record(folder)


def python_of(place: Path) -> Path:
    """Return the interpreter of an environment's folder, or the interpreter itself; raise `InputError` for neither."""
    candidates = [place / name for name in _PYTHONS] if place.is_dir() else [place]
    for one in candidates:
        if one.is_file():
            return one.absolute()  # not resolved: a link leads out of the environment
    raise InputError(f"{place} is no Python environment. Give the folder of one, or its python.")


def external_card(record: ModelRecord) -> str:
    """Return the card of an external model, Markdown."""
    external = record.external
    assert external is not None
    scheme = record.scheme
    names = {c.value: c.long_name for c in scheme.classes}
    given = [f"- {value}: {names[own]}" for value, own in external.values.items() if own]
    given += [
        f"- channel {number}: {', '.join(names[own] for own in region) or 'background'}"
        for number, region in enumerate(external.regions)
    ]
    order = f"in the order {external.orientation}" if external.orientation else "in the order of each case's own files"
    parts = [
        f"# {record.name}",
        f"{record.title}. **For research use, not for diagnosis.**",
        "## Where it is",
        f"{KINDS[external.kind]} in `{external.path}`; runs with `{external.python}` ({external.package}) as a program "
        "of its own. Neither weights nor code were copied.",
        "## What it takes and gives",
        f"Channels {', '.join(record.channels)}, as files {order}. Its labels are shown as {scheme.title}:",
        "\n".join(given),
        "## Limits",
        "It gives labels alone, without probabilities or uncertainty, always for the whole case, and cannot be "
        "fine-tuned here. What it learnt from, and how good it is, is not recorded: ask who made it.",
    ]
    return "\n\n".join(parts) + "\n"


def _described(path: Path, settings: AddSettings) -> Described:
    if is_bundle(path):
        return describe_bundle(path, settings)
    folder = results_folder(path)
    if folder is None:
        raise InputError(
            f"{path} is neither an nnU-Net v2 results folder (dataset.json, plans.json, fold_0 …) nor a MONAI bundle "
            "(configs/metadata.json). Choose another folder."
        )
    return describe_nnunet(folder, settings)


def _channels(described: Described, settings: AddSettings) -> tuple[str, ...]:
    """Return the channels by the names that they have here."""
    words = described.channel_words
    known = tuple(word.lower() if word.lower() in _CHANNELS else channel_of(word) or "" for word in words)
    if settings.channels:
        unknown = [name for name in settings.channels if name not in _CHANNELS]
        if unknown:
            raise ModelError(f"There is no channel {unknown[0]!r}. Choose from {', '.join(_CHANNELS)}.")
        if words and len(words) != len(settings.channels):
            raise ModelError(
                f"The model takes {len(words)} channels ({', '.join(words)}), but {len(settings.channels)} were named."
            )
        return settings.channels
    if not known or not all(known) or len(set(known)) < len(known):
        raise ModelError(
            f"Which images the model takes cannot be told from {', '.join(words) or 'its files'}. Name them in its "
            "order with --channels, such as --channels t1,t1ce,t2,flair."
        )
    return known


def _package(python: Path, kind: str) -> str:
    """Return the package that runs such a model and its version there."""
    name = PACKAGES[kind]
    try:
        asked = subprocess.run(
            [python, "-I", "-c", _ASK, name], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{python} cannot be run ({error}). Give the Python of another environment.") from error
    version = asked.stdout.strip()
    if asked.returncode or not re.fullmatch(r"\d[\w.+!-]*", version):
        raise ModelError(f"{python} has no {name}. Run: {python} -m pip install {name}")
    return f"{name} {version}"


def _name_of(described: Described, path: Path) -> str:
    """Return a name made of the folder's."""
    external: External = described.external
    folder = external.path.parent.name if external.kind == "nnunet" else path.name
    words = re.sub(r"^Dataset\d+_", "", folder)
    return re.sub(r"[^\w.+-]+", "-", words).strip(".-_") or json.dumps(folder)
