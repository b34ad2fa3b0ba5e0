"""`SegmentControl`: wires the Segment panel to the model run and its result to the working labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog

from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, scheme_by_id
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.inference.delivery import Delivery
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.consent import allow, is_allowed, what_runs
from napari_brainseg.model_store.store import default_model_for, list_models
from napari_brainseg.plugin.layers import METADATA_KEY, Role, result_maps
from napari_brainseg.plugin.widgets.canvas import focus_canvas
from napari_brainseg.plugin.widgets.case_control import FILE_FILTER
from napari_brainseg.plugin.widgets.case_layers import CaseLayers, largest_slice
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.live_run import LiveRun, RunTarget
from napari_brainseg.plugin.widgets.segment_panel import SegmentPanel, SegmentRequest
from napari_brainseg.plugin.widgets.segmenting import Segmenting
from napari_brainseg.plugin.widgets.working_labels import StartFrom, WorkingLabels


class SegmentControl(QObject):
    """Runs models on the open case and offers other labels to start from.

    Signals:
        predicted(object, str): Labels as the model gave them, in the working layer's scheme, and the model.
        answered(object, object): The `Segmentation` as the model gave it, once it is shown, and the only slice along Z
            that was meant, or None for all.
        attach_requested(object): A labels file (`Path`) was chosen to start from.
    """

    predicted = Signal(object, str)
    answered = Signal(object, object)
    attach_requested = Signal(object)

    def __init__(
        self,
        viewer: Any,
        panel: SegmentPanel,
        layers: CaseLayers,
        working: WorkingLabels,
        bridge: EditingBridge,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._panel, self._layers, self._working = viewer, panel, layers, working
        self.segmenting = Segmenting(self)
        self.live = LiveRun(viewer, layers, working, bridge, self)
        self.model_folders: tuple[Path, ...] = ()
        self._request: SegmentRequest | None = None
        self._kept = False
        self._looked_at: tuple[float, ...] = ()
        self._had_working = False
        self._connect()

    def show_case(self, case: Case | None) -> None:
        """Stop a run of the case before and offer what fits this one."""
        self.cancel()
        self._panel.show_error("")
        self._panel.show_outcome("")
        self.refresh_models()
        self._panel.show_case(case)
        self.refresh_starts()

    def refresh_models(self, chosen: str | None = None) -> None:
        """Read the list of models again; `chosen` names one to select, else the selection stays where it can."""
        records = list_models(self.model_folders)
        by_name = {record.name: record for record in records}
        case = self._layers.case
        fitting = None if case is None else default_model_for(case, records)
        current = self._panel.model
        # One that was saved into a project that is no longer open is not in the list.
        wanted = chosen if chosen in by_name else None
        name = wanted or (current.name if current is not None and _fits(current.channels, case) else None)
        selected = by_name.get(name or "", fitting)
        self._panel.show_models(records, selected)
        taught = [r for r in records if r.parent is not None and case is not None and _fits(r.channels, case)]
        if selected is not None and name is None and taught and selected.parent is None:
            newest = max(taught, key=lambda record: str(record.training.get("date", "")))  # ISO times in UTC
            self._panel.show_outcome(
                f"{selected.display_name} is chosen. {newest.display_name}, which was fine-tuned, is in the list."
            )

    def refresh_starts(self) -> None:
        """Offer what labels there are now to start from, and ask about a result only where labels exist."""
        self._panel.show_start_options(self._working.options())
        self._panel.show_working(bool(self._layers.ours(Role.WORKING)))

    def cancel(self) -> None:
        """Stop a run and take back what it delivered; harmless when none is under way."""
        self.segmenting.cancel()
        self.live.take_back()

    def close(self) -> None:
        """Stop what runs."""
        self.cancel()
        self.segmenting.close()

    def _connect(self) -> None:
        panel, segmenting = self._panel, self.segmenting
        panel.segment_requested.connect(self._on_segment_requested)
        panel.task.cancel_requested.connect(self._on_cancel)
        panel.start_from_requested.connect(self._on_start_from)
        segmenting.progressed.connect(self._on_progressed)
        segmenting.segmented.connect(self._on_segmented)
        segmenting.failed.connect(panel.show_error)
        segmenting.finished.connect(self._on_finished)
        segmenting.devices_known.connect(panel.show_devices)
        segmenting.unavailable.connect(panel.show_unavailable)
        self._layers.labels_changed.connect(self.refresh_starts)

    def _on_segment_requested(self, request: SegmentRequest) -> None:
        case = self._layers.case
        if case is None or self.segmenting.running:
            return
        if request.model.external is not None and not is_allowed(request.model.external):
            words = f"{what_runs(request.model.external)} Allow it from now on?"
            self._panel.ask_row.ask(words, "Allow and run", lambda _text: self._on_allowed(request))
            return
        self._request = request
        self._looked_at = tuple(self._viewer.dims.point)
        self._had_working = bool(self._layers.ours(Role.WORKING))
        self._panel.show_error("")
        self._panel.show_outcome("")
        self._panel.show_notes(())
        self._panel.task.show_running("starting")
        shown = shown_slice(self._viewer, case)
        self.live.begin(self._target(case, request, None if request.whole_case else shown))
        settings = SegmentSettings(
            device=request.device,
            probabilities=request.probabilities,
            slices=None if request.whole_case else (shown, shown + 1),
            start=shown,
            flips=request.flips,
            # Also where it is not shown: it costs a twentieth of the time and says where to look next.
            uncertainty="entropy",
        )
        self.segmenting.start(case, request.model, settings)

    def _on_allowed(self, request: SegmentRequest) -> None:
        """Write down that this user lets the model run, and run it."""
        try:
            allow(request.model)
        except BrainsegError as error:
            self._panel.show_error(str(error))
            return
        self._on_segment_requested(request)

    def _target(self, case: Case, request: SegmentRequest, slice: int | None) -> RunTarget:
        model = f"{request.model.name} {request.model.version}"
        name = "segmentation" if not self._had_working else f"segmentation ({model})"
        in_place = request.replace and self._had_working
        return RunTarget(case, scheme_by_id(request.model.scheme_id), model, name, in_place, slice)

    def _on_progressed(self, progress: Progress) -> None:
        self._panel.task.show_progress(progress)
        if isinstance(progress, Delivery):
            self.live.deliver(progress)

    def _on_cancel(self) -> None:
        self.segmenting.cancel()
        what = "What you changed meanwhile stays." if self._kept else "Nothing was changed."
        self._panel.show_outcome(f"Cancelled. {what}")

    def _on_segmented(self, result: Segmentation) -> None:
        """Put the result where the user asked for it."""
        request = self._request
        if request is None:
            return
        try:
            new = self.live.finish(result)
        except BrainsegError as error:
            self._panel.show_error(f"{error} Let the result become a layer of its own instead.")
            return
        self._show_maps(result if request.uncertainty else replace(result, uncertainty=None))
        self._panel.show_notes(result.notes)
        if new is not None:
            self.predicted.emit(new, result.model)
            self.answered.emit(result, new.slice)
        if request.whole_case and not self._had_working:
            self._go_to_tumour(result.labels)
        focus_canvas(self._viewer)

    def _show_maps(self, result: Segmentation) -> None:
        """Show the maps that were asked for in the place of those of an earlier run."""
        maps = result_maps(result)
        given = {attributes["metadata"][METADATA_KEY].role for _, attributes, _ in maps}
        for former in self._layers.ours(*given) if given else ():
            self._viewer.layers.remove(former)
        if not maps:
            return
        active = self._viewer.layers.selection.active
        self._layers.add(maps)
        # New layers come on top and become active; the labels are what the next stroke is for.
        self._layers.put_in_order()
        self._viewer.layers.selection.active = active

    def _go_to_tumour(self, labels: LabelArray) -> None:
        """Show the slice with most tumour, unless the shown one has some or the user has looked elsewhere meanwhile."""
        case = self._layers.case
        if case is None or tuple(self._viewer.dims.point) != self._looked_at:
            return
        largest = largest_slice(labels)
        if largest is not None and not labels[shown_slice(self._viewer, case)].any():
            go_to_slice(self._viewer, case, largest)

    def _on_finished(self) -> None:
        self._panel.task.show_idle()
        self._kept = self.live.take_back()  # unless the run is finished
        self.refresh_starts()

    def _on_start_from(self, option: StartFrom) -> None:
        if option.kind == "file":
            chosen, _ = QFileDialog.getOpenFileName(self._panel, "Start from a labels file", filter=FILE_FILTER)
            if chosen:
                self.attach_requested.emit(Path(chosen))
            return
        self.start_from(option)

    def start_from(self, option: StartFrom) -> None:
        """Begin with labels that exist; what goes wrong is said in the panel."""
        self._panel.show_error("")
        try:
            self._working.start_from(option, in_place=bool(self._panel.result_box.currentData()))
        except BrainsegError as error:
            self._panel.show_error(str(error))
        focus_canvas(self._viewer)


def shown_slice(viewer: Any, case: Case) -> int:
    """Return the index along Z of the slice through the point that is looked at, whatever plane is shown."""
    step = (case.geometry.spacing or (1.0, 1.0, 1.0))[0]
    return int(np.clip(round(viewer.dims.point[-3] / step), 0, case.geometry.shape[0] - 1))


def go_to_slice(viewer: Any, case: Case, index: int) -> None:
    """Show the slice `index` along Z."""
    step = (case.geometry.spacing or (1.0, 1.0, 1.0))[0]
    viewer.dims.set_point(viewer.dims.ndim - 3, index * step)


def _fits(channels: tuple[str, ...], case: Case | None) -> bool:
    return case is None or set(channels) <= set(case.expected)
