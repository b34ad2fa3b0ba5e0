"""`WorklistControl`: joins the Worklist panel, the places of the open case and the list of cases."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.case_worklist import corrected_text
from napari_brainseg.annotation.worklist import Place
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.plugin.widgets.canvas import focus_canvas
from napari_brainseg.plugin.widgets.case_list import CaseList
from napari_brainseg.plugin.widgets.confirmations import Confirmations
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.opening import Opening
from napari_brainseg.plugin.widgets.slice_places import SlicePlaces
from napari_brainseg.plugin.widgets.worklist_panel import WorklistPanel


class WorklistControl(QObject):
    """Keeps the panel to what is open, and does what it and the keys ask for.

    Signals:
        headline_changed(str): How many of the cases are corrected.
        said(str): Where one is and why, or why there is no further place or case.
    """

    headline_changed = Signal(str)
    said = Signal(str)

    def __init__(
        self,
        viewer: Any,
        panel: WorklistPanel,
        confirmations: Confirmations,
        bridge: EditingBridge,
        opening: Opening,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._panel, self._confirmations, self._bridge = viewer, panel, confirmations, bridge
        self.places = SlicePlaces(viewer, bridge, confirmations, self)
        self.cases = CaseList(opening, self)
        self.places.changed.connect(self._show_places)
        self.places.looked.connect(self.cases.show_outlook)
        self.places.said.connect(self.said)
        self.cases.changed.connect(self._show_cases)
        self.cases.said.connect(self.said)
        confirmations.changed.connect(self._on_confirmed)
        panel.case_chosen.connect(self._on_case_chosen)
        panel.sort_requested.connect(self.cases.sort)
        panel.place_chosen.connect(self._on_place_chosen)
        panel.next_requested.connect(self._on_next_requested)

    def show_case(self, case: Case) -> None:
        """Another case is open, or the open one was read again."""
        self.cases.show_case(case, len(self._confirmations.slices), wholly=self._confirmations_whole(case))
        self._show_places()

    def take_answer(self, result: Segmentation, slice: int | None) -> None:
        """Look at what a model gave for the whole case, or for one slice along Z."""
        self.places.take_answer(result, slice)

    def went_on_from(self, source: str) -> None:
        """Forget what a model gave where work goes on from other labels: `NewLabels.source` says from which."""
        if not source.startswith("model run"):
            self.places.forget_answer()

    def leave_case(self) -> None:
        """Let go of the open case."""
        self.places.forget()

    def close(self) -> None:
        """Stop what runs and disconnect."""
        self._confirmations.changed.disconnect(self._on_confirmed)
        self.places.close()
        self.cases.close()

    def _confirmations_whole(self, case: Case) -> bool:
        shape = case.geometry.shape
        return any(len(self._confirmations.confirmed_along(axis)) == shape[axis] for axis in range(3))

    def _on_confirmed(self) -> None:
        case = self._confirmations.case
        if case is not None:
            self.cases.show_case(case, len(self._confirmations.slices), wholly=self._confirmations_whole(case))

    def _on_case_chosen(self, place: int) -> None:
        self.cases.open(place)
        focus_canvas(self._viewer)

    def _on_place_chosen(self, place: Place) -> None:
        self.places.go_to(place)
        focus_canvas(self._viewer)

    def _on_next_requested(self) -> None:
        self.places.go_next()
        focus_canvas(self._viewer)

    def _show_cases(self) -> None:
        lines = self.cases.lines
        self._panel.show_cases(lines, self.cases.here)
        self.headline_changed.emit(corrected_text(lines))

    def _show_places(self) -> None:
        here = self.places.here
        reason = None if here is None else f"Slice {here.index}: {here.reason}."
        self._panel.show_places(self.places.next_places, reason, labelled=self._bridge.layer is not None)
