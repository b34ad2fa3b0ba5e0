"""The Export panel: which values, which format, where, and a question in place when a file exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_brainseg.cases.labels import SCHEMES, LabelScheme
from napari_brainseg.plugin.widgets.place_row import PlaceRow
from napari_brainseg.plugin.widgets.style import error_line, hint, notice, say


@dataclass(frozen=True)
class ExportRequest:
    """What the form asks for: `kind` is `nifti`, `tif` or `csv`; `overwrite` was said by the user for these files."""

    kind: str
    folder: Path
    scheme: LabelScheme
    overwrite: bool = False


class ExportPanel(QWidget):
    """A form that yields an `ExportRequest`."""

    export_requested = Signal(object)  # ExportRequest

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.next_step = hint()
        self.scheme_box = QComboBox()
        self.scheme_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.place = PlaceRow("Folder")
        self.labels_button, self.other_button = QPushButton("Export NIfTI"), QPushButton("tif")
        self.labels_button.setObjectName("primary")
        self.csv_button = QPushButton("CSV")
        self.question = _ReplaceQuestion()
        self.done, self.error = hint(), error_line()
        self.done.setObjectName("good")
        self.done.hide()
        self.other_button.hide()
        self.csv_button.setToolTip("A table of the volumes of classes and regions")
        self._kinds = ("nifti", "tif")
        self._asked: ExportRequest | None = None
        self._working: str | None = None
        self._waiting = False  # for an answer, or for what is being written
        self._lay_out()
        self.labels_button.clicked.connect(lambda: self._request(self._kinds[0]))
        self.other_button.clicked.connect(lambda: self._request(self._kinds[1]))
        self.csv_button.clicked.connect(lambda: self._request("csv"))
        self.question.replace_button.clicked.connect(self._on_replace)
        self.question.keep_button.clicked.connect(lambda: self.show_idle())
        self.place.folder_shown.connect(self._show_next_step)
        self.place.show_none("There is no folder for exports yet. Choose one.")

    def show_working(self, name: str | None) -> None:
        """Name the layer that is exported, the one that Correct works on; None when there is none."""
        self._working = name
        self._show_next_step()

    def show_schemes(self, source: LabelScheme, *, tif_first: bool) -> None:
        """Offer every scheme, that of the source first; `tif_first` for cases that came as tifs."""
        self.scheme_box.clear()
        self.scheme_box.addItem(f"as source: {_in_words(source)}", source.id)
        for scheme in SCHEMES.values():
            if scheme != source:
                self.scheme_box.addItem(_in_words(scheme), scheme.id)
        self._kinds = ("tif", "nifti") if tif_first else ("nifti", "tif")
        self.labels_button.setText("Export tif" if tif_first else "Export NIfTI")
        self.other_button.setText("NIfTI")
        self.other_button.setVisible(tif_first)

    def show_exists(self, request: ExportRequest, paths: Sequence[Path]) -> None:
        """Ask, in place, whether existing files may be replaced."""
        self._asked = request
        say(self.done, "")
        names = paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more"
        self.question.label.setText(f"{names} {'exists' if len(paths) == 1 else 'exist'} already in this folder.")
        self.question.show()
        self._wait(True)

    def show_busy(self, text: str) -> None:
        """Say what is being written; the buttons wait."""
        say(self.done, text)
        say(self.error, "")
        self.question.hide()
        self._wait(True)

    def show_done(self, text: str) -> None:
        """Say what was written."""
        self.show_idle()
        say(self.done, text)

    def show_error(self, text: str) -> None:
        """Say in one red sentence why nothing was written."""
        self.show_idle()
        say(self.error, text)

    def show_idle(self) -> None:
        """Bring the buttons back."""
        self._asked = None
        self.question.hide()
        say(self.done, "")
        say(self.error, "")
        self._wait(False)

    def _request(self, kind: str) -> None:
        assert self.place.folder is not None  # the buttons wait for one
        scheme = SCHEMES[str(self.scheme_box.currentData())]
        self.export_requested.emit(ExportRequest(kind, self.place.folder, scheme))

    def _on_replace(self) -> None:
        asked = self._asked
        if asked is not None:
            self.show_idle()
            self.export_requested.emit(ExportRequest(asked.kind, asked.folder, asked.scheme, overwrite=True))

    def _show_next_step(self) -> None:
        """Say what Export does, or what it waits for."""
        if not self._working:
            say(self.next_step, "Segment, or start from labels, before exporting.")
        elif self.place.folder is None:
            say(self.next_step, "Choose a folder before exporting.")
        else:
            say(self.next_step, f"Writes {self._working}.")
        ready = bool(self._working) and self.place.folder is not None and not self._waiting
        for button in (self.labels_button, self.other_button, self.csv_button):
            button.setEnabled(ready)

    def _wait(self, waiting: bool) -> None:
        self._waiting = waiting
        self._show_next_step()

    def _lay_out(self) -> None:
        form = QGridLayout()
        form.setColumnStretch(1, 1)
        form.addWidget(QLabel("Values"), 0, 0)
        form.addWidget(self.scheme_box, 0, 1)
        form.addWidget(self.place, 1, 0, 1, 2)
        buttons = QHBoxLayout()
        buttons.addWidget(self.labels_button, 1)
        buttons.addWidget(self.other_button)
        buttons.addWidget(self.csv_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.next_step)
        layout.addLayout(form)
        layout.addWidget(self.question)
        layout.addLayout(buttons)
        layout.addWidget(self.done)
        layout.addWidget(self.error)


class _ReplaceQuestion(QWidget):
    """`x exists. [Replace] [Keep]`, in the panel itself."""

    def __init__(self) -> None:
        super().__init__()
        frame: QFrame = notice()
        self.label = hint()
        self.replace_button, self.keep_button = QPushButton("Replace"), QPushButton("Keep the old")
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.keep_button)
        row.addWidget(self.replace_button)
        inner = QVBoxLayout(frame)
        inner.addWidget(self.label)
        inner.addLayout(row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(frame)
        self.hide()


def _in_words(scheme: LabelScheme) -> str:
    return f"{scheme.title} ({' '.join(str(v) for v in scheme.disk_values)})"
