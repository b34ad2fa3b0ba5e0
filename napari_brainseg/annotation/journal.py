"""Journals: unsaved labels, kept step by step while somebody works, and offered at the next start."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from napari_brainseg.annotation.journal_format import JournalNote, Moment, NewerJournalError, decode_journal
from napari_brainseg.base.errors import InputError, OutputError
from napari_brainseg.base.paths import user_data
from napari_brainseg.cases.labels import LabelArray

SUFFIX = ".journal"
# A file that is being written aside for so long belongs to a program that was killed.
_ABANDONED_SECONDS = 3600

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JournalFile:
    """A file that was found where journals are."""

    path: Path

    def discard(self) -> None:
        """Delete the file; harmless when it is gone.

        Raises:
            OutputError: The file cannot be deleted.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be deleted ({error.strerror}). Delete it by hand.") from error


@dataclass(frozen=True)
class Journal(JournalFile):
    """Unsaved labels that were found.

    Attributes:
        note: What they are.
        moment: Where they stand.
    """

    note: JournalNote
    moment: Moment

    @property
    def saved_at(self) -> datetime:
        """When the last step in it was finished, in local time."""
        return datetime.fromtimestamp(self.moment.at).astimezone()

    def load(self) -> LabelArray:
        """Return the labels after the last whole step, uint8 (Z, Y, X), program values of the noted scheme.

        Raises:
            InputError: The file is damaged or gone.
        """
        try:
            return decode_journal(self.path.read_bytes()).labels()
        except (OSError, ValueError) as error:
            raise InputError(_damaged(self.path, error)) from error


@dataclass(frozen=True)
class DamagedJournal(JournalFile):
    """A file from which nothing can be restored, and why, in a sentence."""

    reason: str


def journal_folder() -> Path:
    """Return where journals are kept of cases that are in no project."""
    return user_data() / "journal"


def journal_path(folder: Path, note: JournalNote) -> Path:
    """Return the file of a layer's unsaved labels."""
    case = re.sub(r"[^\w.-]+", "_", note.case_id)[:80] or "case"
    return folder / f"{case}-{note.layer_id[:12]}{SUFFIX}"


def list_journals(folders: Iterable[Path]) -> tuple[list[Journal], list[DamagedJournal]]:
    """Return the unsaved labels in some folders, the newest first, and the files that cannot be used."""
    journals, damaged = list[Journal](), list[DamagedJournal]()
    for path in _files(folders):
        try:
            contents = decode_journal(path.read_bytes())
        except NewerJournalError:
            damaged.append(DamagedJournal(path, f"{path} was written by a newer version. Update napari-brainseg."))
        except FileNotFoundError:
            continue  # another window has saved what was in it
        except (OSError, ValueError) as error:
            damaged.append(DamagedJournal(path, _damaged(path, error)))
        else:
            journals.append(Journal(path, contents.note, contents.moment))
    return sorted(journals, key=lambda journal: journal.moment.at, reverse=True), damaged


def _files(folders: Iterable[Path]) -> list[Path]:
    found = []
    for folder in folders:
        try:
            paths = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
        except OSError as error:
            _log.warning("%s cannot be searched for unsaved work: %s", folder, error)
            continue
        for path in paths:
            # A name that starts with a dot is being written, or was when the program ended.
            if not path.name.startswith("."):
                found.append(path)
            else:
                _remove_abandoned(path)
    return found


def _remove_abandoned(path: Path) -> None:
    try:
        if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
            path.unlink(missing_ok=True)
    except OSError:
        return  # in a folder that cannot be written, it stays


def _damaged(path: Path, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) else error
    return f"{path} cannot be read ({why}). The unsaved work in it is lost."
