"""`ProjectControl`: where work is saved, tried before the work, and the labels that are kept there."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog

from napari_brainseg.annotation.case_state import LabelsVersion
from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.base.local_time import local_time
from napari_brainseg.base.paths import default_project
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme, scheme_by_id
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background
from napari_brainseg.plugin.widgets.place_row import PlaceRow
from napari_brainseg.plugin.widgets.style import say


@dataclass(frozen=True, eq=False)
class Kept:
    """What a project holds of a case: labels and their scheme, in words which version, and what was confirmed.

    `problem` says in a sentence or two what of it could not be read.
    """

    labels: LabelArray | None = None
    scheme: LabelScheme | None = None
    version: str = ""
    model: str = ""
    correction: Correction | None = None
    problem: str = ""


class ProjectControl(QObject):
    """The open project, or none where nothing can be written.

    Signals:
        project_changed(object): Another `Project`, or None.
        kept_found(object, object): A `Case`, and what the project holds of it (`Kept`); also where that is nothing, or
            where it cannot be read.
        said(str): What was saved, or why not.
    """

    project_changed = Signal(object)
    kept_found = Signal(object, object)
    said = Signal(str)

    def __init__(self, row: PlaceRow, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._row = row
        self.project: Project | None = None
        self._task: BackgroundTask | None = None
        row.change_requested.connect(self._on_change_requested)

    def open(self, folder: Path | None = None) -> None:
        """Use the project in `folder` (the user's own by default), made where there is none; red where that fails."""
        folder = folder or default_project()
        project = None
        if self._row.show_folder(folder):
            try:
                project = Project.open_or_create(folder)
            except BrainsegError as error:
                say(self._row.problem, str(error))
        self.project = project
        self.project_changed.emit(project)

    def look_for(self, case: Case) -> None:
        """Look beside the window for what the project holds of a case; a search that still runs is given up."""
        self.close()
        if self.project is not None:
            self._task = run_in_background(
                _kept(self.project, case),
                returned=lambda kept: self.kept_found.emit(case, kept),
                errored=lambda problem: self.kept_found.emit(case, Kept(problem=problem)),
            )

    def save(self, case: Case, labels: LabelArray, scheme: LabelScheme, model: str) -> bool:
        """Save labels as the next version in the project; say and return whether it worked."""
        if self.project is None:
            self.said.emit("Nothing can be saved yet: choose a place for the project in the Case panel.")
            return False
        try:
            path = self.project.save_labels(case, np.asarray(labels), scheme, model=model)
        except BrainsegError as error:
            self.said.emit(str(error))
            return False
        self.said.emit(f"Saved {path.name} of {case.id} in the project.")
        return True

    def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()

    def _on_change_requested(self) -> None:
        start = "" if self._row.folder is None else str(self._row.folder)
        chosen = QFileDialog.getExistingDirectory(self._row, "Choose a folder for the project", start)
        if chosen:
            self.open(Path(chosen))


def _kept(project: Project, case: Case) -> Generator[Progress, None, Kept]:
    yield Progress(0, 0, "looking into the project")
    problems, found, correction = [], None, None
    # Each is read for itself: a damaged labels file must not cost what was confirmed.
    try:
        correction = project.correction(case)
        if project.has_changed(case):
            problems.append(
                f"The images of {case.id} are not those whose slices were confirmed. Look at these slices again; "
                "what you confirm anew or leave counts for the images as they are now."
            )
    except BrainsegError as error:
        problems.append(str(error))
    try:
        found = project.latest_labels(case)
    except BrainsegError as error:
        problems.append(str(error))
    problem = " ".join(dict.fromkeys(problems))
    if correction is not None and correction.is_empty:
        correction = None
    if found is not None:
        return _kept_labels(found, correction, problem)
    if correction is None:
        return Kept(problem=problem)
    # Confirming saves at once, so a window that was killed may leave a correction without any saved labels.
    words = f"as confirmed at {local_time(correction.when)}"
    return Kept(correction.labels, correction.scheme, words, correction.model, correction, problem)


def _kept_labels(found: tuple[LabelArray, LabelsVersion], correction: Correction | None, problem: str) -> Kept:
    labels, version = found
    scheme = scheme_by_id(version.scheme_id)
    if correction is not None and correction.scheme == scheme:
        # What is confirmed is saved at once, so it is never older than the labels.
        labels = np.where(correction.confirmed, correction.labels, labels)
    words = f"version {version.number} of {local_time(version.when)}"
    return Kept(labels, scheme, words, version.model, correction, problem)
