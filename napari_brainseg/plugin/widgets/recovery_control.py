"""`RecoveryControl`: brings unsaved work of an earlier session back into its case."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.recovery import Recovery, RecoveryNote, list_recoveries
from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.cases.reading import OpenOptions
from napari_brainseg.plugin.widgets.case_layers import channel_files
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.recovery_keeper import RecoveryKeeper
from napari_brainseg.plugin.widgets.recovery_lock import in_use
from napari_brainseg.plugin.widgets.recovery_offer import RecoveryOffer
from napari_brainseg.plugin.widgets.working_labels import NewLabels, WorkingLabels


class RecoveryControl(QObject):
    """Wires the offer of unsaved work to opening its case and to the working labels.

    Signals:
        open_requested(object, object): The files of the case that unsaved work belongs to, and the `OpenOptions`.
        said(str): What was restored, or why not.
    """

    open_requested = Signal(object, object)
    said = Signal(str)

    def __init__(
        self,
        offer: RecoveryOffer,
        keeper: RecoveryKeeper,
        working: WorkingLabels,
        bridge: EditingBridge,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._offer, self._keeper, self._working, self._bridge = offer, keeper, working, bridge
        self._case: Case | None = None
        self._wanted: Recovery | None = None
        offer.restore_requested.connect(self._on_restore)
        offer.discard_requested.connect(self._on_discard)
        # What another window is at work on is neither lost nor to be discarded here.
        offer.show_recoveries([found for found in list_recoveries(keeper.folder) if not in_use(found.path)])

    def show_case(self, case: Case) -> None:
        """Restore into the case that was opened for it."""
        self._case = case
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._restore(case, wanted)

    def give_up(self) -> None:
        """Forget what waited for a case that could not be opened."""
        self._wanted = None

    def _on_restore(self, recovery: Recovery) -> None:
        if self._case is not None and _belongs(recovery.note, self._case):
            self._restore(self._case, recovery)
        elif recovery.note.case_files:
            self._wanted = recovery
            self.open_requested.emit(list(recovery.note.case_files), _still_possible(recovery.note.options))
        else:
            self.said.emit(f"Open {recovery.note.case_id} first, then restore its labels.")

    def _restore(self, case: Case, recovery: Recovery) -> None:
        note = recovery.note
        if not _belongs(note, case) or tuple(note.shape) != case.geometry.shape:
            self.said.emit(
                f"The unsaved labels of {note.case_id} are not of the open case. Open the case they belong to."
            )
            return
        try:
            # Unsaved work, such as an earlier row that was restored, keeps its layer and its own recovery file.
            if self._bridge.layer is None or self._bridge.dirty:
                empty = NewLabels(recovery.load() * 0, scheme_by_id(note.scheme_id), "empty labels")
                self._working.put(empty, in_place=False)
            self._keeper.restore(recovery)
        except BrainsegError as error:
            self.said.emit(str(error))
            return
        self._offer.remove(recovery)
        self.said.emit(f"Your unsaved labels of {case.id} are back.")

    def _on_discard(self, recovery: Recovery) -> None:
        try:
            recovery.discard()
        except BrainsegError as error:
            self.said.emit(str(error))


def _belongs(note: RecoveryNote, case: Case) -> bool:
    """Return whether labels are those of `case`: two patients may have one case id, but not one file."""
    files = channel_files(case)
    same_files = not note.case_files or not files or bool(set(note.case_files) & set(files))
    return note.case_id == case.id and same_files


def _still_possible(options: OpenOptions) -> OpenOptions:
    """Return the options without reference labels that are gone: they must not keep a person from unsaved work."""
    gone = options.labels is not None and not options.labels.exists()
    return replace(options, labels=None, scheme=None) if gone else options
