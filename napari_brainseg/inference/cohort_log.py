"""Which cases of a cohort are done: `brainseg.jsonl` beside the masks, one line for each case begun or finished.

Lines are only ever added, each in one piece; the last one of a case counts. A line that was cut off by a crash is
passed over. Loads no torch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_brainseg import __version__
from napari_brainseg.base.errors import OutputError
from napari_brainseg.cases.finding import CaseFiles
from napari_brainseg.model_store.store import ModelRecord

LOG_NAME = "brainseg.jsonl"


@dataclass(frozen=True)
class Job:
    """What decides the result of a case; each a digest of it.

    Attributes:
        models: The models' descriptions and weights.
        settings: Settings of the run that differ from their defaults, but for those that change no label.
        sources: Names, sizes and times of the case's files.
    """

    models: str
    settings: str
    sources: str


@dataclass(frozen=True)
class Entry:
    """A case that was begun or finished.

    Attributes:
        case: Its key: folder below that of the masks, and id.
        job: What it was made from.
        files: The masks that were written, relative to the log's folder; empty while it has only begun.
        maps: Maps that were written beside them.
        model: The model's name and version.
        facts: Seconds by stage, and notes.
    """

    case: str
    job: Job
    files: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()
    model: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def difference(self, job: Job) -> str:
        """Return in words how this one was made where another job would be made otherwise; empty where it would not."""
        if self.job.models != job.models:
            return f"with another model, {self.model}" if self.model else "with another model"
        if self.job.settings != job.settings:
            return "with other settings"
        return "from other files" if self.job.sources != job.sources else ""


class CohortLog:
    """The log of one folder of masks."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG_NAME
        self._entries: dict[str, Entry] = {}
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            text = ""
        except OSError as error:
            raise OutputError(f"{self.path} cannot be read ({error.strerror}). Choose another folder.") from error
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            entry = _entry(line)
            if entry is not None:
                self._entries[entry.case] = entry

    def get(self, case: str) -> Entry | None:
        """Return the last entry of a case."""
        return self._entries.get(case)

    def add(self, entries: Iterable[Entry]) -> None:
        """Add lines at the end.

        Raises:
            OutputError: The folder cannot be written.
        """
        added = list(entries)
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        lines = ["\n"] if self._torn else []
        lines += [json.dumps({**asdict(e), "version": __version__, "time": moment}) + "\n" for e in added]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # One write in append mode, so that two runs into one folder do not cut each other's lines.
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(handle, "".join(lines).encode())
            finally:
                os.close(handle)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written ({error.strerror}). Choose another folder.") from error
        self._torn = False
        self._entries.update({entry.case: entry for entry in added})


def models_digest(records: Sequence[ModelRecord]) -> str:
    """Return a digest of descriptions and weights; that of models which were never saved is of the description."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(record.to_json().encode())
        weighed = record.folder is not None and record.external is None  # others name the SHA-256 of their weights
        if weighed and record.weights_path.is_file():
            digest.update(record.weights_path.read_bytes())
    return digest.hexdigest()[:16]


def settings_digest(settings: Any, without: Sequence[str] = ()) -> str:
    """Return a digest of the fields of settings that differ from their defaults, so that new fields change nothing."""
    chosen = [
        f"{f.name}={getattr(settings, f.name)}"
        for f in fields(settings)
        if f.name not in without and getattr(settings, f.name) != f.default
    ]
    return hashlib.sha256("\n".join(chosen).encode()).hexdigest()[:16]


def sources_digest(files: CaseFiles) -> str:
    """Return a digest of names, sizes and whole seconds of the time of change of a case's images and labels."""
    paths = [path for group in files.channels.values() for path in group]
    told = []
    for path in (*paths, *files.undecided, *files.labels):
        try:
            status = path.stat()
        except OSError:
            continue  # reading it will say what is wrong
        told.append(f"{path.name} {status.st_size} {int(status.st_mtime)}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _entry(line: str) -> Entry | None:
    try:
        facts = json.loads(line)
        known = {f.name for f in fields(Entry)}
        kept = {name: value for name, value in facts.items() if name in known}
        kept["job"] = Job(**kept["job"])
        for name in ("files", "maps"):
            kept[name] = tuple(kept[name])
        return Entry(**kept)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
