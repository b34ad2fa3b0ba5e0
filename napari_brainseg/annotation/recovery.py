"""Recovery files: unsaved labels, written aside while somebody works and offered at the next start."""

from __future__ import annotations

import gzip
import json
import logging
import re
import zlib
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_brainseg.annotation import reopening
from napari_brainseg.base.errors import InputError, OutputError
from napari_brainseg.base.paths import user_data, written_aside
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.cases.reading import OpenOptions
from napari_brainseg.cases.volume import Shape, Spacing

SUFFIX = ".recovery.gz"
_FORMAT = 1
# Fast: nine million mostly equal voxels take a few hundredths of a second, and the file is small anyway.
_COMPRESSION = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecoveryNote:
    """What unsaved labels are, as the first line of their file says it.

    Attributes:
        case_id: The case they belong to.
        layer_id: The layer that held them; one file per layer.
        name: The layer's name on screen.
        scheme_id: The scheme of their values.
        shape: (Z, Y, X).
        spacing: mm along (Z, Y, X), or None where unknown.
        case_files: The files of the case's channels, by which it can be opened again.
        options: How they are read to give the case as it was, with its reference labels.
        saved: ISO 8601 time of writing.
    """

    case_id: str
    layer_id: str
    name: str
    scheme_id: str
    shape: Shape
    spacing: Spacing | None = None
    case_files: tuple[Path, ...] = ()
    options: OpenOptions = field(default_factory=OpenOptions, compare=False)
    saved: str = ""

    @property
    def saved_at(self) -> datetime | None:
        """When it was written, in local time."""
        return datetime.fromisoformat(self.saved).astimezone() if self.saved else None


@dataclass(frozen=True)
class Recovery:
    """Unsaved labels that were found in a file."""

    path: Path
    note: RecoveryNote

    def load(self) -> LabelArray:
        """Return the labels, uint8 (Z, Y, X), program values of the noted scheme.

        Raises:
            InputError: The file is damaged or gone.
        """
        try:
            with gzip.open(self.path) as file:
                file.readline()
                data = file.read()
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{self.path} cannot be read ({error}). The unsaved work in it is lost.") from error
        if len(data) != np.prod(self.note.shape):
            raise InputError(f"{self.path} does not hold {self.note.shape} voxels. The unsaved work in it is lost.")
        return np.frombuffer(data, np.uint8).reshape(self.note.shape).copy()

    def discard(self) -> None:
        """Delete the file; harmless when it is gone.

        Raises:
            OutputError: The file cannot be deleted.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be deleted ({error.strerror}). Delete it by hand.") from error


def recovery_folder() -> Path:
    """Return where recovery files are written unless a project is open."""
    return user_data() / "recovery"


def recovery_path(folder: Path, note: RecoveryNote) -> Path:
    """Return the file of a layer's unsaved labels."""
    case = re.sub(r"[^\w.-]+", "_", note.case_id)[:80] or "case"
    return folder / f"{case}-{note.layer_id[:12]}{SUFFIX}"


def write_recovery(labels: LabelArray, note: RecoveryNote, folder: Path | None = None) -> Recovery:
    """Write unsaved labels, replacing what was written for the same layer before.

    Raises:
        OutputError: The folder cannot be written.
    """
    path = recovery_path(folder or recovery_folder(), note)
    note = replace(note, saved=datetime.now(UTC).isoformat(timespec="seconds"))
    head = {
        "format": _FORMAT,
        **asdict(note),
        "case_files": [str(p) for p in note.case_files],
        "options": reopening.to_json(note.options),
    }
    with written_aside(path, overwrite=True) as aside, gzip.open(aside, "wb", compresslevel=_COMPRESSION) as file:
        file.write(json.dumps(head).encode() + b"\n")
        file.write(np.ascontiguousarray(labels, np.uint8).tobytes())
    return Recovery(path, note)


def list_recoveries(folder: Path | None = None) -> list[Recovery]:
    """Return the unsaved labels in a folder, the newest first; files that cannot be read are left alone."""
    found = []
    folder = folder or recovery_folder()
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
        # A name that starts with a dot was being written when the program ended; the file before it is still there.
        note = None if path.name.startswith(".") else _read_note(path)
        if note is not None:
            found.append(Recovery(path, note))
    return sorted(found, key=lambda r: r.note.saved, reverse=True)


def _read_note(path: Path) -> RecoveryNote | None:
    try:
        with gzip.open(path) as file:
            head: dict[str, Any] = json.loads(file.readline())
        spacing = head["spacing"]
        depth, rows, columns = head["shape"]
        return RecoveryNote(
            case_id=head["case_id"],
            layer_id=head["layer_id"],
            name=head["name"],
            scheme_id=head["scheme_id"],
            shape=(depth, rows, columns),
            spacing=None if spacing is None else (spacing[0], spacing[1], spacing[2]),
            case_files=tuple(Path(p) for p in head["case_files"]),
            options=reopening.from_json(head["options"]) if "options" in head else OpenOptions(),
            saved=head["saved"],
        )
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
        _log.warning("%s is no recovery file that can be read: %s", path, error)
        return None
