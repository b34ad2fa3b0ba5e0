"""`FileStart`: reads a labels file to start work from; what the case itself has as labels stays what it is."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from qtpy.QtCore import QObject

from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.attaching import attach_labels
from napari_brainseg.cases.case import Case, Labels
from napari_brainseg.plugin.widgets.background import BackgroundTask, run_in_background
from napari_brainseg.plugin.widgets.case_layers import CaseLayers, same_exam
from napari_brainseg.plugin.widgets.segment_control import SegmentControl
from napari_brainseg.plugin.widgets.segment_panel import SegmentPanel
from napari_brainseg.plugin.widgets.working_labels import StartFrom


class FileStart(QObject):
    """Wires "start from a file" to reading beside the window and to the working labels."""

    def __init__(
        self, control: SegmentControl, panel: SegmentPanel, layers: CaseLayers, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._control, self._panel, self._layers = control, panel, layers
        self._task: BackgroundTask | None = None
        control.attach_requested.connect(self._on_requested)

    def close(self) -> None:
        """Drop what is still being read."""
        if self._task is not None:
            self._task.cancel()

    def _on_requested(self, path: Path) -> None:
        case = self._layers.case
        self.close()
        if case is not None:
            self._panel.show_error("")
            self._task = run_in_background(
                _labels_of(case, path),
                returned=lambda labels: self._on_read(case, path, labels),
                errored=lambda sentence: self._on_failed(case, sentence),
            )

    def _on_read(self, case: Case, path: Path, labels: Labels) -> None:
        if self._still(case):
            self._control.start_from(StartFrom("file", path=path, labels=labels))

    def _on_failed(self, case: Case, sentence: str) -> None:
        if self._still(case):
            self._panel.show_error(sentence)

    def _still(self, case: Case) -> bool:
        """Return whether the case that the file was chosen for is open still, be it with another spacing."""
        now = self._layers.case
        return now is not None and same_exam(case, now) and now.geometry.shape == case.geometry.shape


def _labels_of(case: Case, path: Path) -> Generator[Progress, None, Labels | None]:
    yield Progress(0, 0, "reading")
    return attach_labels(case, path).labels
