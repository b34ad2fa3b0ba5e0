"""`ExportControl`: wires the Export panel to writing; what is written is always the layer that Correct works on."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog

from napari_brainseg.annotation.volumes import VolumeRow, write_volumes_csv
from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case, Naming
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.writing import output_paths, write_labels, write_outputs
from napari_brainseg.model_store.domain import unlike_in_words
from napari_brainseg.model_store.store import find_model
from napari_brainseg.plugin.layers import identity_of
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background
from napari_brainseg.plugin.widgets.case_layers import CaseLayers
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.export_panel import ExportPanel, ExportRequest


@dataclass(frozen=True, eq=False)
class Export:
    """One export: what was asked for, and a copy of the labels as they were then."""

    request: ExportRequest
    result: Segmentation
    volumes: tuple[VolumeRow, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that are written."""
        folder, result = self.request.folder, self.result
        if self.request.kind == "csv":
            return (folder / f"{result.case_id}_volumes.csv",)
        if self.request.kind == "nifti" and result.naming is Naming.LGG:
            return (folder / f"{result.case_id}_seg.nii.gz",)
        return output_paths(result, folder)

    def write(self) -> Generator[Progress, None, Sequence[Path]]:
        """Write the files aside, compare, rename; yield once before."""
        yield Progress(0, 0, "writing")
        request, paths = self.request, self.paths
        if request.kind == "csv":
            case_id = self.result.case_id
            return [write_volumes_csv(self.volumes, paths[0], case_id=case_id, overwrite=request.overwrite)]
        if request.kind == "nifti" and self.result.naming is Naming.LGG:
            return [write_labels(self.result, paths[0], scheme=request.scheme, overwrite=request.overwrite)]
        return write_outputs(self.result, request.folder, scheme=request.scheme, overwrite=request.overwrite)


class ExportControl(QObject):
    """Writes the working labels and their volumes, and asks in the panel before anything is replaced."""

    def __init__(
        self, panel: ExportPanel, layers: CaseLayers, bridge: EditingBridge, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._panel, self._layers, self._bridge = panel, layers, bridge
        self._task: BackgroundTask | None = None
        self.model_folders: tuple[Path, ...] = ()
        self._working: Any = None
        panel.export_requested.connect(self._on_export_requested)
        panel.place.change_requested.connect(self._on_change_place)

    def show_case(self, case: Case) -> None:
        """Offer the values and the format of this case."""
        self._panel.show_schemes(case.scheme, tif_first=case.naming is Naming.LGG)

    def show_working(self, layer: Any) -> None:
        """Name the layer that is written, and go on doing so when it is renamed."""
        if self._working is not None:
            self._working.events.name.disconnect(self._on_renamed)
        self._working = layer
        if layer is not None:
            layer.events.name.connect(self._on_renamed)
        self._panel.show_working(None if layer is None else layer.name)

    def close(self) -> None:
        """Stop reporting; what is being written is finished or vanishes whole."""
        if self._task is not None:
            self._task.cancel()
        self.show_working(None)

    def _on_renamed(self) -> None:
        if self._working is not None:
            self._panel.show_working(self._working.name)

    def _on_export_requested(self, request: ExportRequest) -> None:
        case, labels, scheme = self._layers.case, self._bridge.labels, self._bridge.scheme
        if case is None or labels is None or scheme is None:
            return
        if self._bridge.filling:
            self._panel.show_error("A model run is filling in these labels. Export them when it is over, or cancel it.")
            return
        identity = identity_of(self._bridge.layer)
        model = "" if identity is None else identity.model
        result = Segmentation.for_case(case, np.array(labels), scheme, model=model)
        export = Export(request, result, self._bridge.volumes())
        existing = [path for path in export.paths if path.exists()]
        if existing and not request.overwrite:
            self._panel.show_exists(request, existing)
            return
        self._panel.show_busy(f"Writing {export.paths[0].name} …")
        unlike = self._unlike(case, model)
        self._task = run_in_background(
            export.write(),
            returned=lambda paths: self._on_written(export, paths, unlike),
            errored=self._panel.show_error,
        )

    def _unlike(self, case: Case, models: str) -> tuple[str, ...]:
        """Return how the case is unlike what the models of its labels (`name version + …`) were made for."""
        told: list[str] = []
        for model in models.split(" + "):
            try:
                told += unlike_in_words(case, [find_model(model.rpartition(" ")[0], self.model_folders)])
            except ModelError:
                continue  # drawn by hand, or the model is gone
        return tuple(dict.fromkeys(told))

    def _on_written(self, export: Export, paths: Sequence[Path], unlike: Sequence[str]) -> None:
        first = paths[0]
        text = f"Wrote {first.name}" if len(paths) == 1 else f"Wrote {len(paths)} files, {first.name} and on,"
        where = f"{text} to {first.parent}."
        if export.request.kind == "nifti" and export.result.geometry.affine is None:
            where += " " + _place_unknown(export.result)
        self._panel.show_done(" ".join((where, *unlike)))

    def _on_change_place(self) -> None:
        start = "" if self._panel.place.folder is None else str(self._panel.place.folder)
        chosen = QFileDialog.getExistingDirectory(self._panel, "Choose a folder for exports", start)
        if chosen:
            self._panel.place.show_folder(Path(chosen))


def _place_unknown(result: Segmentation) -> str:
    if result.geometry.spacing is None:
        return "Its place in space and its spacing are unknown, and it says so."
    return "It has the spacing that you entered; its place in space is unknown, and it says so."
