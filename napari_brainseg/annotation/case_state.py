"""`CaseState`: the one small file per case that is the truth of a project."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_brainseg.annotation.case_source import CaseSource
from napari_brainseg.annotation.corrections import ConfirmedSlice
from napari_brainseg.base.errors import InputError
from napari_brainseg.base.paths import write_text

FORMAT = 1
STATE_FILE = "state.json"


@dataclass(frozen=True)
class LabelsVersion:
    """One numbered version of a case's labels.

    Attributes:
        number: 1 for the first.
        scheme_id: What the values mean.
        who: The user name of the person who saved it.
        when: ISO time with its offset.
        model: The model they come from, or what else made them; empty where nothing is known.
    """

    number: int
    scheme_id: str
    who: str
    when: str
    model: str = ""

    @property
    def file(self) -> str:
        """The name of its file in the case's folder."""
        return f"labels-{self.number}.nii.gz"


@dataclass(frozen=True)
class CaseState:
    """What a project knows of one case.

    Attributes:
        source: Where the case's files are.
        versions: Its labels, the oldest first.
        correction: The number of the correction that counts, or None.
        confirmed: The slices confirmed in that correction.
    """

    source: CaseSource
    versions: tuple[LabelsVersion, ...] = ()
    correction: int | None = None
    confirmed: tuple[ConfirmedSlice, ...] = ()

    def with_source(self, source: CaseSource) -> CaseState:
        """Return the state with the files' new place."""
        return replace(self, source=source)

    def write(self, folder: Path) -> None:
        """Write the state file of the case folder aside and rename it; raise `OutputError` where that fails."""
        record = {
            "format": FORMAT,
            "source": self.source.to_json(),
            "labels": [
                {"number": v.number, "scheme": v.scheme_id, "who": v.who, "when": v.when, "model": v.model}
                for v in self.versions
            ],
            "correction": self.correction,
            "confirmed": slices_to_json(self.confirmed),
        }
        write_text(folder / STATE_FILE, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def read_state(folder: Path) -> CaseState:
    """Return the state in a case folder; raise `InputError` where its file cannot be used."""
    path = folder / STATE_FILE
    record = read_record(path, FORMAT)
    try:
        return CaseState(
            source=CaseSource.from_json(record["source"]),
            versions=tuple(
                LabelsVersion(int(v["number"]), str(v["scheme"]), str(v["who"]), str(v["when"]), str(v["model"]))
                for v in record["labels"]
            ),
            correction=None if record["correction"] is None else int(record["correction"]),
            confirmed=slices_from_json(record["confirmed"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} lacks what a case of a project needs ({error}). Restore it from a copy.") from error


def read_record(path: Path, newest: int) -> Mapping[str, Any]:
    """Return the JSON object in `path`; raise `InputError` where it is damaged or of a format above `newest`."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). Check the project folder.") from error
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}). Restore it from a copy.") from error
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        raise InputError(f"{path} was not written by this program. Choose another project folder.")
    if record["format"] > newest:
        raise InputError(f"{path} was written by a newer version of this program. Update napari-brainseg.")
    return record


def slices_to_json(slices: tuple[ConfirmedSlice, ...]) -> list[list[int]]:
    """Return slices as pairs of axis and index."""
    return [[s.axis, s.index] for s in sorted(slices)]


def slices_from_json(pairs: Any) -> tuple[ConfirmedSlice, ...]:
    """Return the slices kept as pairs; raise TypeError or ValueError where they are none."""
    return tuple(ConfirmedSlice(int(axis), int(index)) for axis, index in pairs)


def now() -> str:
    """Return the time as ISO text with its offset from UTC."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")


def user_name() -> str:
    """Return the login name of the person, or an empty string where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user id, as in some containers; no pwd module
        return ""
