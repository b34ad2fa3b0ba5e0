"""`CaseList`: the cases of the project and of the folders opened in this session, and the way from one to the next."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.case_worklist import CaseLine, Outlook, note_outlook, rank_cases, ranked
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.finding import CaseFiles
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background
from napari_brainseg.plugin.widgets.opening import Opening


@dataclass(frozen=True)
class _Open:
    """What the window knows of the open case, which the project may not know yet."""

    id: str
    files: tuple[Path, ...]
    confirmed: int
    wholly: bool
    outlook: Outlook | None = None
    told: Outlook | None = None  # as it was kept in the project


class CaseList(QObject):
    """Lists cases in an order that stays while one works, and opens them.

    Signals:
        changed(): The lines are others, or say something else.
        said(str): Why no other case was opened, or what of the project cannot be read.
    """

    changed = Signal()
    said = Signal(str)

    def __init__(self, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._opening = opening
        self._project: Project | None = None
        self._found: list[CaseFiles] = []
        self._known: list[CaseLine] = []
        self._order: list[CaseLine] = []
        self._open: _Open | None = None
        self._wanted: CaseLine | None = None
        self._task: BackgroundTask | None = None
        self._notes: list[BackgroundTask] = []
        opening.cases_found.connect(self._on_cases_found)
        opening.case_read.connect(lambda _case: self._forget_wanted())
        opening.failed.connect(lambda _why: self._forget_wanted())

    @property
    def lines(self) -> list[CaseLine]:
        """The cases as they are listed; the open one with what the window knows of it."""
        now = ranked([self._as_it_is(line) for line in self._known])
        return [found for old in self._order if (found := _same(now, old)) is not None]

    @property
    def here(self) -> int | None:
        """The place in the list of the case that is open, or that is being opened."""
        wanted = self._wanted
        for place, line in enumerate(self._order):
            if line is wanted or (wanted is None and self._open is not None and line.is_of(*self._identity)):
                return place
        return None

    def show_project(self, project: Project | None) -> None:
        """List the cases of another project."""
        self._project = project
        self.refresh()

    def show_case(self, case: Case, confirmed: int, *, wholly: bool) -> None:
        """Say which case is open, and how many slices of it are confirmed."""
        files = tuple(path for group in case.paths.values() for path in group)
        same = self._open is not None and self._identity == (case.id, files)
        former = self._open if same else None
        new = _Open(case.id, files, confirmed, wholly)
        if former is None:  # what the window knows of the case before is newer than what was read of it
            self._known = [self._as_it_is(line) for line in self._known]
        else:
            new = replace(new, outlook=former.outlook, told=former.told)
        if new != self._open:
            self._open = new
            self.changed.emit()

    def show_outlook(self, case: Case, outlook: Outlook) -> None:
        """Show what the labels of the open case look like, and keep it in the project."""
        if self._open is None or self._open.id != case.id or self._open.outlook == outlook:
            return
        told, self._open = self._open.told, replace(self._open, outlook=outlook)
        self.changed.emit()
        if self._project is None or not case.paths or (told is not None and told.is_like(outlook)):
            return
        self._open = replace(self._open, told=outlook)
        self._notes = [task for task in self._notes if not task.over]
        # A place that cannot be written is told where a person saves; a rank is not worth a second sentence.
        noted = _noted(self._project, case, outlook)
        self._notes.append(run_in_background(noted, returned=self._on_noted, errored=lambda _why: None))

    def refresh(self) -> None:
        """Read the states of the project's cases again, beside the window."""
        if self._task is not None:
            self._task.cancel()
        self._task = run_in_background(
            _listed(self._project, tuple(self._found)), returned=self._on_listed, errored=self.said.emit
        )

    def sort(self) -> None:
        """Bring the lines into the order of their ranks."""
        self._order = ranked([self._as_it_is(line) for line in self._known])
        self.changed.emit()

    def step(self, by: int) -> None:
        """Open the next (1) or previous (-1) case of the list whose files are there, and say so where there is none."""
        here = self.here
        target = (-1 if by > 0 else len(self._order)) if here is None else here
        target += by
        while 0 <= target < len(self._order) and not self._order[target].files:
            target += by
        if 0 <= target < len(self._order):
            self.open(target)
        else:
            self.said.emit("There is no further case in the list.")

    def open(self, place: int) -> None:
        """Open the case at this place of the list; what is open already stays as it is."""
        line = self._order[place]
        if place == self.here:
            return
        if not line.files:
            gone = f"The files of {line.id} are no longer in {line.folder}."
            self.said.emit(f"{gone} Put them back, or open them from their new place.")
            return
        self._wanted = line
        index = next((n for n, files in enumerate(self._found) if line.is_of(files.id, _images(files))), None)
        if index is not None:
            self._opening.open_found(self._found, index)
        else:
            self._opening.open_paths([line.folder], line.options, name=line.id)
        self.changed.emit()

    def close(self) -> None:
        """Stop reading."""
        for task in (self._task, *self._notes):
            if task is not None:
                task.cancel()

    @property
    def _identity(self) -> tuple[str, tuple[Path, ...]]:
        return ("", ()) if self._open is None else (self._open.id, self._open.files)

    def _as_it_is(self, line: CaseLine) -> CaseLine:
        open_case = self._open
        if open_case is None or not line.is_of(*self._identity):
            return line
        outlook = open_case.outlook or line.outlook
        return replace(
            line,
            confirmed=open_case.confirmed,
            wholly=open_case.wholly,
            outlook=outlook,
            labelled=line.labelled or bool(outlook and outlook.voxels),
        )

    def _on_noted(self, _nothing: Any) -> None:
        if not any(line.is_of(*self._identity) for line in self._known):
            self.refresh()

    def _on_cases_found(self, files: Sequence[CaseFiles], index: int) -> None:
        new = [case for case in files if not any(case == other for other in self._found)]
        if new:
            # The newest folder in front: it is what the person works on now.
            self._found = [*new, *self._found]
            self.refresh()

    def _on_listed(self, listed: tuple[list[CaseLine], list[str]]) -> None:
        self._known, problems = listed
        same = len(self._known) == len(self._order) and all(_same(self._known, line) for line in self._order)
        if not same:
            self._order = ranked([self._as_it_is(line) for line in self._known])
        else:
            self._order = [found for line in self._order if (found := _same(self._known, line)) is not None]
        if self._wanted is not None:
            self._wanted = _same(self._order, self._wanted)
        self.changed.emit()
        if problems:
            self.said.emit(problems[0])

    def _forget_wanted(self) -> None:
        self._wanted = None
        self.changed.emit()


def _same(lines: Sequence[CaseLine], line: CaseLine) -> CaseLine | None:
    """Return the line of the same case, as it is in `lines`."""
    key = (line.id, line.folder)
    return next((other for other in lines if (other.id, other.folder) == key or other.is_of(line.id, line.files)), None)


def _images(files: CaseFiles) -> list[Path]:
    return [path for group in files.channels.values() for path in group] + list(files.undecided)


def _listed(
    project: Project | None, found: Sequence[CaseFiles]
) -> Generator[Progress, None, tuple[list[CaseLine], list[str]]]:
    yield Progress(0, 0, "listing the cases")
    problems: list[str] = []
    try:
        return rank_cases(project, found, problems), problems
    except BrainsegError as error:
        return rank_cases(None, found), [str(error)]


def _noted(project: Project, case: Case, outlook: Outlook) -> Generator[Progress, None, None]:
    yield Progress(0, 0, "keeping what was seen")
    note_outlook(project, case, outlook)
