"""`Project`: a folder of a person's work: cases with their labels and corrections, and the models made there."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_brainseg.annotation.case_source import CaseSource
from napari_brainseg.annotation.case_state import CaseState, LabelsVersion, now, read_record, read_state, user_name
from napari_brainseg.annotation.correction_files import (
    read_correction,
    read_facts,
    remove_correction,
    write_correction,
)
from napari_brainseg.annotation.corrections import Correction, describe_slices
from napari_brainseg.annotation.label_files import read_on_grid, write_on_grid
from napari_brainseg.base.errors import BrainsegError, InputError, LabelError, OutputError
from napari_brainseg.base.local_time import local_time
from napari_brainseg.base.paths import default_project, why_not_writable, write_text
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme, scheme_by_id

FORMAT = 1
PROJECT_FILE = "project.json"
# Device names that Windows keeps for itself, with any ending.
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_LONGEST_NAME = 80
_JOURNAL_FOLDER = "journal"


@dataclass(frozen=True)
class Confirmed:
    """How much a project holds to learn from."""

    slices: int
    cases: int

    def describe(self) -> str:
        """Return it in words: `7 slices in 1 case confirmed`."""
        if not self.slices:
            return "parts of slices confirmed" if self.cases else "no slices confirmed"
        slices = "1 slice" if self.slices == 1 else f"{self.slices} slices"
        cases = "1 case" if self.cases == 1 else f"{self.cases} cases"
        return f"{slices} in {cases} confirmed"


class Project:
    """A project folder. Its methods may be called from any thread of one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        # The number of the correction that was last read or written here, by case folder: a newer one is another's.
        self._known: dict[Path, int] = {}

    @classmethod
    def open_or_create(cls, folder: Path | str | None = None) -> Project:
        """Open the project in `folder` (the user's default one where None), making it where there is none.

        Raises:
            InputError: The folder holds a project that cannot be used.
            OutputError: There is none and none can be made.
        """
        folder = default_project() if folder is None else Path(folder).expanduser().absolute()
        path = folder / PROJECT_FILE
        if path.exists():
            return cls.open(folder)
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file. Choose a folder for the project.")
        write_text(path, json.dumps({"format": FORMAT, "made": now()}, indent=1) + "\n")
        return cls(folder)

    @classmethod
    def open(cls, folder: Path | str) -> Project:
        """Open the project in `folder`; raise `InputError` where there is none or it cannot be used."""
        folder = Path(folder).expanduser().absolute()
        path = folder / PROJECT_FILE
        if not path.is_file():
            raise InputError(f"{folder} is no project: it holds no {PROJECT_FILE}. Choose the folder of a project.")
        read_record(path, FORMAT)
        return cls(folder)

    @property
    def models(self) -> Path:
        """The folder of the models made in this project; it may not exist yet."""
        return self.folder / "models"

    @property
    def cases(self) -> Path:
        """The folder of the cases; it may not exist yet."""
        return self.folder / "cases"

    def why_not_writable(self) -> str | None:
        """Return why nothing can be saved here, found by really writing, or None."""
        return why_not_writable(self.folder)

    def case_folders(self) -> list[Path]:
        """Return the folders of all cases, by name."""
        try:
            return sorted(path.parent for path in self.cases.glob("*/state.json"))
        except OSError as error:
            raise InputError(f"{self.cases} cannot be read ({error.strerror}). Check the project folder.") from error

    def journal_folder(self, case: Case) -> Path:
        """Return where the journals of a case are kept, which may not exist yet; raise as `add_case` does."""
        return self.add_case(case) / _JOURNAL_FOLDER

    def journal_folders(self) -> list[Path]:
        """Return the folders of the journals of all cases."""
        try:
            return sorted(self.cases.glob(f"*/{_JOURNAL_FOLDER}"))
        except OSError as error:
            raise InputError(f"{self.cases} cannot be read ({error.strerror}). Check the project folder.") from error

    def states(self, skipped: list[str] | None = None) -> Iterator[tuple[Path, CaseState]]:
        """Yield the folder and the state of every case.

        Args:
            skipped: Takes a sentence for every state that cannot be read, which is then left out.

        Raises:
            InputError: The project cannot be read; without `skipped` also a damaged state.
        """
        for folder in self.case_folders():
            try:
                yield folder, read_state(folder)
            except InputError as error:
                if skipped is None:
                    raise
                skipped.append(str(error))

    def find(self, case: Case) -> Path | None:
        """Return the folder that this case has in the project, or None; raise `InputError` as `add_case` does."""
        source, name = CaseSource.of(case, self.folder), folder_name(case.id)
        named_so = [f for f in self.case_folders() if f.name == name or f.name.startswith(f"{name}-")]
        known = {folder: read_state(folder).source for folder in named_so}
        # Where a case lies decides before what it looks like: the files of another may only be out of reach just now.
        here = [folder for folder in named_so if known[folder].is_at(source, self.folder)]
        moved = here or [folder for folder in named_so if known[folder].has_moved_to(source, self.folder)]
        return moved[0] if moved else None

    def add_case(self, case: Case) -> Path:
        """Return the case's folder, made with its state where it is new; a case that has moved is found again.

        Raises:
            InputError: The case was not read from files.
            OutputError: The project cannot be written.
        """
        with self._lock:
            source = CaseSource.of(case, self.folder)
            folder = self.find(case)
            if folder is None:
                folder = self._free_folder(case.id)
                CaseState(source).write(folder)
            else:
                state = read_state(folder)
                if state.source != source:
                    state.with_source(source).write(folder)
            return folder

    def save_labels(self, case: Case, labels: LabelArray, scheme: LabelScheme, *, model: str = "") -> Path:
        """Save program values (Z, Y, X) as the next version of the case's labels and return the file.

        Raises:
            LabelError: A value of no class.
            InputError: The case was not read from files.
            OutputError: The project cannot be written.
        """
        with self._lock:
            folder = self.add_case(case)
            state = read_state(folder)
            number = 1 + max([0, *(v.number for v in state.versions)])
            version = LabelsVersion(number, scheme.id, user_name(), now(), model)
            path = folder / version.file
            write_on_grid(case, labels, scheme, path)
            replace(state, versions=(*state.versions, version)).write(folder)
            return path

    def latest_labels(self, case: Case) -> tuple[LabelArray, LabelsVersion] | None:
        """Return the newest labels of the case, program values (Z, Y, X) of their scheme, or None."""
        folder = self.find(case)
        versions = () if folder is None else read_state(folder).versions
        if folder is None or not versions:
            return None
        newest = versions[-1]
        return read_on_grid(case, scheme_by_id(newest.scheme_id), folder / newest.file), newest

    def save_correction(self, case: Case, correction: Correction, *, told: list[str] | None = None) -> Path:
        """Save what is confirmed of a case in the place of what was, and return the correction's json file.

        Slices that the project holds, and that this correction neither knows nor has taken back, stay confirmed:
        another window, or an earlier session, made them. Where their files are damaged they are left in their place.

        The new files are written first, then the state points at them, then the old ones go: a crash in between leaves
        the old correction or the new one.

        Args:
            case: The case.
            correction: What is confirmed of it.
            told: Takes a sentence where somebody else has meanwhile confirmed other labels in the same slices: this
                correction counts, and the files of the other stay beside it.

        Raises:
            LabelError: A value of no class, or one that was confirmed before and that the scheme cannot hold.
            InputError: The case was not read from files.
            OutputError: The project cannot be written.
        """
        with self._lock:
            folder = self.add_case(case)
            state = read_state(folder)
            number = 1 + (state.correction or 0)
            theirs = self._of_another(case, correction, folder, state)
            news = theirs is not None and state.correction != self._known.get(folder)
            against = correction.contradicts(theirs) if theirs is not None and news else ()
            correction, readable = _with_kept(correction, theirs, state)
            stamped = replace(correction, when=correction.when or now(), who=correction.who or user_name())
            path = write_correction(case, stamped, folder / "corrections", number)
            replace(state, correction=number, confirmed=stamped.slices).write(folder)
            self._known[folder] = number
            if against and theirs is not None and told is not None:
                told.append(
                    f"In {describe_slices(against)} of {case.id}, {theirs.who or 'somebody'} had confirmed other "
                    f"labels at {local_time(theirs.when)}. Yours count now; the others are kept in "
                    f"{folder / 'corrections' / f'{state.correction}.json'}."
                )
            if state.correction is not None and readable and not against:
                remove_correction(folder / "corrections", state.correction)
            return path

    def correction(self, case: Case) -> Correction | None:
        """Return what is confirmed of this open case, or None; raise `InputError` where its files are damaged."""
        folder = self.find(case)
        number = None if folder is None else read_state(folder).correction
        if folder is None or number is None:
            return None
        found = read_correction(case, folder / "corrections", number)
        self._known[folder] = number
        return found

    def has_changed(self, case: Case) -> bool:
        """Whether the images of an open case are other ones than those whose slices were confirmed."""
        folder = self.find(case)
        if folder is None:
            return False
        state = read_state(folder)
        return bool(state.confirmed) and state.source.has_changed(case)

    def corrections(
        self, channels: Sequence[str] = (), *, without: Case | None = None, skipped: list[str] | None = None
    ) -> Iterator[tuple[Case, Correction]]:
        """Yield every case with something confirmed, read again from its own files, and its correction.

        Args:
            channels: Only exams that have all of these, whether or not each case does: those a model was made for.
            without: A case that is left out, such as the one that is open.
            skipped: Takes a sentence for every case that cannot be read, which is then left out.

        Raises:
            InputError: A case has moved, changed its shape, grid or images, or a file of the project is damaged; not
                with `skipped`, unless it is the project itself that cannot be read.
        """
        for folder, state in self._confirmed_states(channels, without, skipped):
            try:
                found = self.read_corrected(folder, state)
            except BrainsegError as error:
                if skipped is None:
                    raise
                skipped.append(str(error))
            else:
                yield found

    def read_corrected(self, folder: Path, state: CaseState) -> tuple[Case, Correction]:
        """Return the case of a case folder, read again from its own files, and its correction.

        Raises:
            InputError: The case has moved, changed its shape, grid or images, or a file of the project is damaged.
            LabelError: The labels hold values that are not their scheme's.
        """
        case = state.source.read(self.folder)
        correction = read_correction(case, folder / "corrections", state.correction or 0)
        if state.source.has_changed(case):
            raise InputError(
                f"The images of {case.id} in {state.source.folder(self.folder)} are not those that were "
                "corrected. Put the old files back, or open the case and look at its confirmed slices again."
            )
        return case, correction

    def confirmed(self, channels: Sequence[str] = (), *, without: Case | None = None) -> Confirmed:
        """Return how many slices of how many cases `corrections` would give, from the state files alone."""
        counts = [len(state.confirmed) for _, state in self._confirmed_states(channels, without)]
        return Confirmed(sum(counts), len(counts))

    def _confirmed_states(
        self, channels: Sequence[str], without: Case | None, skipped: list[str] | None = None
    ) -> Iterator[tuple[Path, CaseState]]:
        # A case that was not read from files is in no project.
        left_out = None if without is None or not without.paths else self.find(without)
        for folder, state in self.states(skipped):
            fits = set(channels) <= set(state.source.expected)
            if fits and folder != left_out and _holds_something(folder, state):
                yield folder, state

    def _of_another(self, case: Case, correction: Correction, folder: Path, state: CaseState) -> Correction | None:
        """Return what the project holds of a case where it may differ from what was read or written here before."""
        number = state.correction
        if number is None:
            return None
        if number == self._known.get(folder) and not correction.missing_from(state.confirmed):
            return None
        try:
            return read_correction(case, folder / "corrections", number)
        except (InputError, LabelError):
            return None

    def _free_folder(self, case_id: str) -> Path:
        name = folder_name(case_id)
        taken = {path.name.lower() for path in self.cases.iterdir()} if self.cases.is_dir() else set()
        number, free = 2, name
        while free.lower() in taken:  # upper and lower case are one on Windows and macOS
            free, number = f"{name}-{number}", number + 1
        return self.cases / free


def _holds_something(folder: Path, state: CaseState) -> bool:
    """Whether anything of a case is confirmed: slices, or voxels that fill none, as imported labels can be."""
    if state.correction is None or state.confirmed:
        return state.correction is not None
    try:
        return read_facts(folder / "corrections", state.correction).voxels > 0
    except (InputError, LabelError):
        return False


def _with_kept(correction: Correction, kept: Correction | None, state: CaseState) -> tuple[Correction, bool]:
    """Return the correction with what the project alone knows (`kept`), and whether nothing of that is lost."""
    if kept is None:
        return correction, not correction.missing_from(state.confirmed)
    return correction.with_older(kept), True


def folder_name(case_id: str) -> str:
    """Return a name that every file system takes for a case's folder; different ids keep different names."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", case_id).strip("._ ")[:_LONGEST_NAME]
    reserved = _RESERVED.fullmatch(safe)
    if safe and safe == case_id and not reserved:
        return safe
    if reserved or not safe:
        safe = f"case-{safe}" if safe else "case"
    return f"{safe}-{hashlib.sha256(case_id.encode()).hexdigest()[:6]}"
