"""`KeptWork`: brings what the project holds of the open case into the window, and confirmed slices into the project."""

from __future__ import annotations

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
        working.keep_confirmed = confirmations.keep_confirmed
        working.began.connect(self._on_began)
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
                if self._working.show_confirmed():
                    self.said.emit("Slices that the project holds show what was confirmed there; Ctrl+Z undoes that.")
        except BrainsegError as error:
            problem = f"{problem} {error}".strip()
        self._confirmations.save()  # what was confirmed meanwhile, or in another project
        try:
            self._go_on_from(case, kept)
        except BrainsegError as error:
            problem = f"{problem} {error}".strip()
        if problem:
            self.said.emit(problem)

    def _go_on_from(self, case: Case, kept: Kept) -> None:
        if kept.labels is not None and kept.scheme is not None and self._bridge.layer is None:
            self._working.put(NewLabels(kept.labels, kept.scheme, "labels of the project", kept.model), in_place=False)
            self.said.emit(f"Your labels of {case.id} were in the project: {kept.version}.")

    def _on_began(self, source: str) -> None:
        """Forget what a model gave where a person goes on from other labels, and say what stays in them."""
        if not source.startswith("start from"):
            return
        self._confirmations.forget_prediction()
        count = len(self._confirmations.slices)
        if count:
            slices = "The confirmed slice stays" if count == 1 else f"The {count} confirmed slices stay"
            self.said.emit(f"{slices} as confirmed; take one back with Shift+K to change that.")
