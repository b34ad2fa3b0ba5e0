"""Which case to look at next: the cases of a project and of a folder, ranked without opening an image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

from napari_brainseg.annotation.case_state import CaseState, read_record
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import InputError
from napari_brainseg.base.paths import write_text
from napari_brainseg.cases.case import Case, Naming
from napari_brainseg.cases.finding import CaseFiles
from napari_brainseg.cases.reading import OpenOptions

FORMAT = 1
OUTLOOK_FILE = "outlook.json"


@dataclass(frozen=True)
class Outlook:
    """What a look at a case's labels gave, kept beside its state; losing it costs nothing but a rank.

    Attributes:
        expected_error: As `worklist.expected_error` says, 0 to 1; None where nothing is labelled.
        voxels: How many voxels the scheme's outermost region has.
        ml: Its volume in mL, or None where the spacing is unknown.
    """

    expected_error: float | None
    voxels: int
    ml: float | None

    @property
    def volume_text(self) -> str:
        """The volume in words: `61.2 mL`, or `1,204 voxels` where the spacing is unknown."""
        return f"{self.ml:.1f} mL" if self.ml is not None else f"{self.voxels:,} voxels"

    def is_like(self, other: Outlook) -> bool:
        """Whether the two give the same rank and the same volume, as far as a list shows them."""

        def shown(outlook: Outlook) -> tuple[str, float | None]:
            error = outlook.expected_error
            return outlook.volume_text, None if error is None else round(error, 2)

        return shown(self) == shown(other)


@dataclass(frozen=True)
class CaseLine:
    """One case of the worklist.

    Attributes:
        id: The case.
        files: Its images; empty where they are no longer where the project had them.
        folder: Where the images lie, or lay.
        options: How to read them as they were read.
        confirmed: How many slices are confirmed.
        wholly: Whether every slice along one axis is.
        labelled: Whether there are labels of it, of a model or saved.
        outlook: What its labels looked like last, or None.
        rank: 1 for the case to look at first; None where it is corrected.
    """

    id: str
    files: tuple[Path, ...]
    folder: Path
    options: OpenOptions = field(default_factory=OpenOptions)
    confirmed: int = 0
    wholly: bool = False
    labelled: bool = False
    outlook: Outlook | None = None
    rank: int | None = None

    @property
    def corrected(self) -> bool:
        """Whether slices of it are confirmed, so that there is something to learn from."""
        return self.confirmed > 0

    @property
    def state(self) -> str:
        """How far work on it is, in a word or two."""
        if not self.files:
            return "moved"
        if self.wholly:
            return "all confirmed"
        if self.confirmed:
            return f"{self.confirmed} confirmed"
        return "labelled" if self.labelled else "new"

    def is_of(self, id: str, files: Sequence[Path]) -> bool:
        """Whether this is the case `id` of these images: two patients may have one id, but not one file."""
        return self.id == id and bool(set(self.files) & {path.resolve() for path in files})


def rank_cases(
    project: Project | None, found: Sequence[CaseFiles] = (), skipped: list[str] | None = None
) -> list[CaseLine]:
    """Return every case of a project and of the folders that were opened, the one to look at first in front.

    First come cases of which nothing is confirmed, by the share of wrong voxels expected in them; those that no model
    has looked at follow, in the order of `found`, then those that are corrected and those whose files are gone.

    Args:
        project: The project, or None.
        found: Cases that need not be in it.
        skipped: Takes a sentence for every case whose state cannot be read.

    Raises:
        InputError: The project cannot be read; without `skipped` also a damaged state.
    """
    lines = [] if project is None else _lines_of(project, skipped)
    for files in found:
        images = tuple(path for group in files.channels.values() for path in group)
        if not any(line.is_of(files.id, images) for line in lines):
            resolved = tuple(dict.fromkeys(path.resolve() for path in (*images, *files.undecided)))
            lines.append(CaseLine(files.id, resolved, files.folder, labelled=bool(files.labels)))
    return ranked(lines)


def ranked(lines: Sequence[CaseLine]) -> list[CaseLine]:
    """Return the lines in the order of `rank_cases`, with their ranks."""

    def order(line: CaseLine) -> tuple[bool, bool, float]:
        error = None if line.outlook is None else line.outlook.expected_error
        return not line.files, line.corrected, inf if error is None else -error

    in_order = sorted(lines, key=order)
    open_ones = [line for line in in_order if line.files and not line.corrected]
    ranks = {id(line): rank for rank, line in enumerate(open_ones, 1)}
    return [replace(line, rank=ranks.get(id(line))) for line in in_order]


def corrected_text(lines: Sequence[CaseLine]) -> str:
    """Return how far the whole is: `3 of 14 corrected`, or an empty text without cases."""
    return f"{sum(line.corrected for line in lines)} of {len(lines)} corrected" if lines else ""


def note_outlook(project: Project, case: Case, outlook: Outlook) -> None:
    """Keep what the labels of a case look like; the case comes into the project where it is not.

    Raises:
        InputError: The case was not read from files.
        OutputError: The project cannot be written.
    """
    record = {
        "format": FORMAT,
        "expected_error": outlook.expected_error,
        "voxels": outlook.voxels,
        "ml": outlook.ml,
    }
    write_text(project.add_case(case) / OUTLOOK_FILE, json.dumps(record, indent=1) + "\n")


def read_outlook(folder: Path) -> Outlook | None:
    """Return what is known of the case in this folder of a project; None where nothing is, or it is damaged."""
    try:
        record = read_record(folder / OUTLOOK_FILE, FORMAT)
        error, ml = record["expected_error"], record["ml"]
        return Outlook(
            None if error is None else float(error), int(record["voxels"]), None if ml is None else float(ml)
        )
    except (InputError, KeyError, TypeError, ValueError):  # it can be found again by looking at the labels
        return None


def _lines_of(project: Project, skipped: list[str] | None) -> list[CaseLine]:
    return [_line_of(state, folder, project.folder) for folder, state in project.states(skipped)]


def _line_of(state: CaseState, folder: Path, project: Path) -> CaseLine:
    source, outlook = state.source, read_outlook(folder)
    place = source.folder(project)
    names = [name for group in source.files.values() for name in group]
    confirmed = [slice.axis for slice in state.confirmed]
    return CaseLine(
        source.id,
        () if place is None else tuple(dict.fromkeys((place / name).resolve() for name in names)),
        Path(source.absolute) if place is None else place,
        # Tif slices do not say how far apart they lie; NIfTI files do.
        OpenOptions(channels=source.order or None, spacing=source.spacing if source.naming is Naming.LGG else None),
        len(confirmed),
        any(confirmed.count(axis) == length for axis, length in enumerate(source.shape)),
        bool(state.versions) or bool(outlook and outlook.voxels),
        outlook,
    )
