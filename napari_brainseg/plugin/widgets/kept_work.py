"""`KeptWork`: brings what the project holds of the open case into the window, and confirmed slices into the project."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.cases.case import Case
from napari_brainseg.plugin.widgets.confirmations import Confirmations
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.project_control import Kept, ProjectControl
from napari_brainseg.plugin.widgets.working_labels import NewLabels, WorkingLabels


class KeptWork(QObject):
    """Joins the project, the confirmations and the working labels.

    Signals:
        said(str): What was found in the project, or what of it cannot be read.
    """

    said = Signal(str)

    def __init__(
        self,
        projects: ProjectControl,
        confirmations: Confirmations,
        working: WorkingLabels,
        bridge: EditingBridge,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._projects, self._confirmations = projects, confirmations
        self._working, self._bridge = working, bridge
        projects.project_changed.connect(self._on_project_changed)
        projects.kept_found.connect(self._on_kept_found)

    def begin(self, case: Case) -> None:
        """Start with a case of which nothing is confirmed, then look for what the project holds of it."""
        self._confirmations.begin(case, case.scheme)
        self._projects.look_for(case)

    def _on_project_changed(self) -> None:
        self._confirmations.forget_taken_back()
        if self._confirmations.case is not None:
            self._projects.look_for(self._confirmations.case)

    def _on_kept_found(self, case: Case, kept: Kept) -> None:
        """Go on from what the project holds, unless there is work in the window already."""
        if self._confirmations.case is None:
            return
        problem = kept.problem
        try:
            if kept.correction is not None:
                self._confirmations.restore(kept.correction)
                self._show_confirmed()
        except BrainsegError as error:
            problem = f"{problem} {error}".strip()
        self._confirmations.save()  # what was confirmed meanwhile, or in another project
        if kept.labels is not None and kept.scheme is not None and self._bridge.layer is None:
            self._working.put(NewLabels(kept.labels, kept.scheme, "labels of the project", kept.model), in_place=False)
            self.said.emit(f"Your labels of {case.id} were in the project: {kept.version}.")
        if problem:
            self.said.emit(problem)

    def _show_confirmed(self) -> None:
        """Let confirmed slices show what was confirmed, where labels are on screen before the project is read."""
        labels, scheme = self._bridge.labels, self._bridge.scheme
        if labels is None or scheme is None:
            return
        confirmed = self._confirmations.keep_confirmed(np.array(labels), scheme)
        if not np.array_equal(confirmed, labels):
            self._bridge.apply(confirmed, "start from what was confirmed before")
            self.said.emit("Slices that the project holds show what was confirmed there; Ctrl+Z undoes that.")
