"""`JournalKeeper`: keeps every unsaved step of the working labels on disk, and brings unsaved work back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.journal import Journal, journal_folder
from napari_brainseg.annotation.journal_format import JournalNote
from napari_brainseg.annotation.journal_writer import JournalWriter
from napari_brainseg.annotation.project import Project
from napari_brainseg.annotation.reopening import options_of
from napari_brainseg.base.errors import BrainsegError, LabelError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.cases.volume import Shape
from napari_brainseg.plugin.layers import LayerIdentity, Role, identity_of
from napari_brainseg.plugin.widgets.case_layers import channel_files
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.journal_lock import JournalLocks


class JournalKeeper(QObject):
    """Hand the steps of an `EditingBridge` to a `JournalWriter`; nothing is written in the window's own thread.

    Attributes:
        open_case: Returns the open case, or None; set it, so that the case can be opened again.
        open_project: Returns the open project, in which journals are kept, or None; set it.
        problem_changed: Why the work is in memory alone, in a sentence; empty once it could be written again.
    """

    problem_changed = Signal(str)
    _told = Signal(str)

    def __init__(self, bridge: EditingBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.open_case: Callable[[], Case | None] = _nothing
        self.open_project: Callable[[], Project | None] = _nothing
        self._shape: Shape = (0, 0, 0)
        self._closed = False
        self.problem = ""
        self._told.connect(self._on_told)
        self._writer = JournalWriter(JournalLocks(), self._told.emit)
        bridge.working_changed.connect(self._on_working_changed)
        bridge.kept.connect(self._writer.add)
        bridge.leaving.connect(self._writer.leave)
        bridge.dirty_changed.connect(self._on_dirty_changed)
        self._on_working_changed(bridge.layer)

    def begin_again(self) -> None:
        """Write the unsaved labels anew: the case or the project has become another."""
        if self._bridge.dirty and not self._closed:
            self._begin(at_once=True)

    def flush(self) -> None:
        """Wait until every step that was made is on disk, or cannot be."""
        if not self._closed:
            self._writer.flush()

    def restore(self, journal: Journal) -> bool:
        """Put recovered labels into the working layer as one step that can be undone; False when they are the same.

        The file that they came from is deleted once they are on disk in that of the working layer.

        Raises:
            BrainsegError: The file is damaged, or the labels do not fit the working layer.
        """
        scheme = self._bridge.scheme
        if scheme is None:
            raise LabelError("There is no working layer to restore into. Open the case first.")
        labels = scheme_by_id(journal.note.scheme_id).convert(journal.load(), scheme)
        # Locks keep a brush away from a class; lost work comes back whole.
        locked = self._bridge.locked
        self._bridge.set_locked(())
        try:
            changed = self._bridge.apply(labels, "recovered work") is not None
        finally:
            self._bridge.set_locked(locked)
        self._bridge.mark_unsaved()
        # Only now, so that the labels are on their way to the file that replaces it.
        self._writer.replaces(journal.path)
        self.begin_again()
        return changed

    def close(self) -> None:
        """Write what is unsaved, wait for it and disconnect; harmless when repeated."""
        if self._closed:
            return
        self._closed, self.open_case, self.open_project = True, _nothing, _nothing
        bridge = self._bridge
        bridge.end_stroke()
        bridge.working_changed.disconnect(self._on_working_changed)
        bridge.kept.disconnect(self._writer.add)
        bridge.leaving.disconnect(self._writer.leave)
        bridge.dirty_changed.disconnect(self._on_dirty_changed)
        self._writer.close()

    def _on_working_changed(self, layer: Any) -> None:
        labels = self._bridge.settled
        if layer is not None and labels is not None:
            self._shape = (labels.shape[0], labels.shape[1], labels.shape[2])
            self._writer.follow(labels)
            if self._bridge.dirty:
                self._begin(at_once=True)

    def _on_dirty_changed(self, dirty: bool) -> None:
        if not dirty:
            self._writer.saved()
        else:
            # Before the end of a stroke there is nothing to keep yet.
            self._begin(at_once=not self._bridge.stroking)

    def _begin(self, *, at_once: bool) -> None:
        note, case = self._note(), self.open_case()
        if note is None:
            return
        same = case is not None and case.id == note.case_id
        if case is not None and same:
            note = replace(note, case_files=channel_files(case), options=options_of(case))
        places = partial(_places, self.open_project() if same else None, case)
        self._writer.begin(note, places, at_once=at_once)

    def _note(self) -> JournalNote | None:
        layer, scheme = self._bridge.layer, self._bridge.scheme
        if layer is None or scheme is None:
            return None
        identity = identity_of(layer) or LayerIdentity(layer.name, Role.LABELS, layer.name, layer_id=f"{id(layer):x}")
        return JournalNote(
            case_id=identity.case_id,
            layer_id=identity.layer_id,
            name=layer.name,
            scheme_id=scheme.id,
            shape=self._shape,
            spacing=self._bridge.spacing,
        )

    def _on_told(self, problem: str) -> None:
        sentence = f"Unsaved work is in memory only: {problem}" if problem else ""
        if sentence != self.problem:
            self.problem = sentence
            self.problem_changed.emit(sentence)


def _places(project: Project | None, case: Case | None) -> Iterator[Path]:
    """Yield where a journal may lie, the best place first; called in the writer's thread."""
    if project is not None and case is not None:
        # Not where the case was not read from files, or the project cannot be written just now.
        with suppress(BrainsegError):
            yield project.journal_folder(case)
    yield journal_folder()


def _nothing() -> None:
    return None
