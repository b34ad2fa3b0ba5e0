"""`RecoveryControl`: brings unsaved work of an earlier session back into its case."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import replace

from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.journal import Journal, JournalFile, journal_folder, list_journals
from napari_brainseg.annotation.journal_format import JournalNote
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import BrainsegError, InputError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.cases.reading import OpenOptions
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background
from napari_brainseg.plugin.widgets.case_layers import channel_files
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.journal_keeper import JournalKeeper
from napari_brainseg.plugin.widgets.journal_lock import in_use
from napari_brainseg.plugin.widgets.recovery_offer import RecoveryOffer
from napari_brainseg.plugin.widgets.working_labels import NewLabels, WorkingLabels

_log = logging.getLogger(__name__)


class RecoveryControl(QObject):
    """Wires the offer of unsaved work to opening its case and to the working labels.

    Signals:
        open_requested(object, object): The files of the case that unsaved work belongs to, and the `OpenOptions`.
        said(str): What was restored, or why not.
        looked(): Whatever unsaved work there is, is on offer now.
    """

    open_requested = Signal(object, object)
    said = Signal(str)
    looked = Signal()

    def __init__(
        self,
        offer: RecoveryOffer,
        keeper: JournalKeeper,
        working: WorkingLabels,
        bridge: EditingBridge,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._offer, self._keeper, self._working, self._bridge = offer, keeper, working, bridge
        self._case: Case | None = None
        self._wanted: Journal | None = None
        self._task: BackgroundTask | None = None
        offer.restore_requested.connect(self._on_restore)
        offer.discard_requested.connect(self._on_discard)

    def look(self, project: Project | None) -> None:
        """Look beside the window for unsaved work, in a project and outside of it, and offer it."""
        self.close()
        self._task = run_in_background(_found(project), returned=self._on_found, errored=self.said.emit)

    def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()

    def show_case(self, case: Case) -> None:
        """Restore into the case that was opened for it."""
        self._case = case
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._restore(case, wanted)

    def give_up(self) -> None:
        """Forget what waited for a case that could not be opened."""
        self._wanted = None

    def _on_restore(self, journal: Journal) -> None:
        if self._case is not None and _belongs(journal.note, self._case):
            self._restore(self._case, journal)
        elif journal.note.case_files:
            self._wanted = journal
            self.open_requested.emit(list(journal.note.case_files), _still_possible(journal.note.options))
        else:
            self.said.emit(f"Open {journal.note.case_id} first, then restore its labels.")

    def _restore(self, case: Case, journal: Journal) -> None:
        note = journal.note
        if not _belongs(note, case) or tuple(note.shape) != case.geometry.shape:
            self.said.emit(
                f"The unsaved labels of {note.case_id} are not of the open case. Open the case they belong to."
            )
            return
        try:
            # Unsaved work, such as an earlier row that was restored, keeps its layer and its own journal.
            if self._bridge.layer is None or self._bridge.dirty:
                empty = NewLabels(journal.load() * 0, scheme_by_id(note.scheme_id), "empty labels")
                self._working.put(empty, in_place=False)
            self._keeper.restore(journal)
        except BrainsegError as error:
            self.said.emit(str(error))
            return
        self._offer.remove(journal)
        self.said.emit(f"Your unsaved labels of {case.id} are back, as of {journal.saved_at:%d %b %H:%M:%S}.")

    def _on_found(self, found: list[JournalFile]) -> None:
        self._offer.show_found(found)
        self.looked.emit()

    def _on_discard(self, journal: JournalFile) -> None:
        try:
            journal.discard()
        except BrainsegError as error:
            self.said.emit(str(error))


def _found(project: Project | None) -> Generator[Progress, None, list[JournalFile]]:
    yield Progress(0, 0, "looking for unsaved work")
    folders = [journal_folder()]
    try:
        folders += [] if project is None else project.journal_folders()
    except InputError as error:  # the project's own row says so too; work that lies elsewhere is still offered
        _log.warning("%s", error)
    journals, damaged = list_journals(folders)
    # What a window is at work on is neither lost nor to be discarded here.
    return [file for file in (*journals, *damaged) if not in_use(file.path)]


def _belongs(note: JournalNote, case: Case) -> bool:
    """Return whether labels are those of `case`: two patients may have one case id, but not one file."""
    files = channel_files(case)
    same_files = not note.case_files or not files or bool(set(note.case_files) & set(files))
    return note.case_id == case.id and same_files


def _still_possible(options: OpenOptions) -> OpenOptions:
    """Return the options without reference labels that are gone: they must not keep a person from unsaved work."""
    gone = options.labels is not None and not options.labels.exists()
    return replace(options, labels=None, scheme=None) if gone else options
