"""The Case panel: opening, what was opened, what was assumed, and where work is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_brainseg.cases.case import Case, Labels
from napari_brainseg.cases.labels import SCHEMES, LabelScheme, values_of
from napari_brainseg.plugin.widgets.channel_form import ChannelForm
from napari_brainseg.plugin.widgets.drop_area import DropArea
from napari_brainseg.plugin.widgets.off_grid_rows import OffGridRows
from napari_brainseg.plugin.widgets.place_row import PlaceRow
from napari_brainseg.plugin.widgets.spacing_row import SpacingRow
from napari_brainseg.plugin.widgets.style import error_line, hint, say


class CasePanel(QWidget):
    """What is open, and every question that opening leaves."""

    open_folder_requested = Signal()
    open_files_requested = Signal()
    attach_requested = Signal()
    sample_requested = Signal(object)  # Path
    case_chosen = Signal(int)
    scheme_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.folder_button, self.files_button = QPushButton("Open folder…"), QPushButton("Open files…")
        self.folder_button.clicked.connect(self.open_folder_requested)
        self.files_button.clicked.connect(self.open_files_requested)
        self.sample_button = QPushButton("Sample")
        self.sample_menu = QMenu(self)
        self.sample_button.setMenu(self.sample_menu)
        self.drop_area = DropArea("Drop a case folder or its files here")
        self.busy, self.error = hint(), error_line()
        self.case_box = QComboBox()
        self.case_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.case_box.activated.connect(self.case_chosen)
        self.details = _CaseDetails()
        self.details.scheme_box.activated.connect(
            lambda index: self.scheme_chosen.emit(self.details.scheme_box.itemData(index))
        )
        self.details.attach_button.clicked.connect(self.attach_requested)
        self.channel_form, self.off_grid, self.spacing_row = ChannelForm(), OffGridRows(), SpacingRow()
        self.details.channels_button.toggled.connect(self.channel_form.setVisible)
        self.project_row = PlaceRow("Project")
        self._lay_out()
        self.show_nothing()

    def show_samples(self, samples: Mapping[str, Path]) -> None:
        """Fill the sample menu."""
        self.sample_menu.clear()
        for title, path in samples.items():
            action = self.sample_menu.addAction(title)
            if action is not None:
                action.triggered.connect(lambda _=False, path=path: self.sample_requested.emit(path))
        self.sample_button.setVisible(bool(samples))

    def show_nothing(self) -> None:
        """Show the panel before anything is open."""
        say(self.busy, "Open a case, or try a sample.")
        say(self.error, "")
        self.case_box.hide()
        self.details.hide()
        for widget in (self.channel_form, self.off_grid, self.spacing_row):
            widget.hide()

    def show_busy(self, text: str) -> None:
        """Say what is being read; empty when nothing is."""
        say(self.busy, text)
        if text:
            say(self.error, "")

    def show_error(self, text: str) -> None:
        """Say in one red sentence why opening failed; empty takes it away."""
        say(self.busy, "")
        say(self.error, text)

    def show_cases(self, names: Sequence[str], index: int) -> None:
        """List the cases of a folder; one alone needs no list."""
        self.case_box.clear()
        for number, name in enumerate(names, 1):
            self.case_box.addItem(f"{number} of {len(names)} · {name}")
        self.case_box.setCurrentIndex(index)
        self.case_box.setVisible(len(names) > 1)

    def show_case(self, case: Case, options: Mapping[str, object], chosen: Mapping[str, object]) -> None:
        """Show an open case; `options` and `chosen` say which file can be, and is, which channel."""
        say(self.busy, "")
        say(self.error, "")
        doubtful = bool(case.missing) and len(options) > len(chosen)
        self.details.show_case(case)
        self.details.channels_button.setVisible(len(options) > 1)
        self.channel_form.show_channels(case.expected, options, chosen)
        self.details.channels_button.setChecked(doubtful)
        self.channel_form.setVisible(doubtful)
        self.off_grid.show_case(case)
        self.spacing_row.show_spacing(case.geometry.spacing)
        self.spacing_row.setVisible(case.geometry.affine is None)

    def show_channel_choice(
        self, channels: Sequence[str], options: Mapping[str, object], chosen: Mapping[str, object]
    ) -> None:
        """Ask which file is which channel where names do not say it."""
        self.channel_form.show_channels(channels, options, chosen)
        self.channel_form.show()

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for button in (self.folder_button, self.files_button):
            buttons.addWidget(button, 1)
        buttons.addWidget(self.sample_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(buttons)
        rows: tuple[QWidget, ...] = (self.drop_area, self.busy, self.error, self.case_box, self.details)
        for widget in (*rows, self.channel_form, self.off_grid, self.spacing_row, self.project_row):
            layout.addWidget(widget)


class _CaseDetails(QWidget):
    """Grid, channels, labels and assumptions of the open case."""

    def __init__(self) -> None:
        super().__init__()
        self.geometry_label, self.channels_label = hint(), QLabel()
        self.channels_label.setWordWrap(True)
        self.channels_button = QToolButton()
        self.channels_button.setObjectName("link")
        self.channels_button.setText("change")
        self.channels_button.setCheckable(True)
        self.labels_label = QLabel()
        self.scheme_box = QComboBox()
        self.scheme_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.scheme_box.setMinimumContentsLength(10)
        self.scheme_box.setPlaceholderText("choose …")
        self.attach_button = QToolButton()
        self.attach_button.setObjectName("link")
        self.attach_button.setText("attach…")
        self.attach_button.setToolTip("Attach a labels file to the open case")
        self.notes = hint()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.geometry_label)
        layout.addLayout(_row(self.channels_label, self.channels_button))
        labels_row = QHBoxLayout()
        labels_row.setSpacing(4)
        labels_row.addWidget(self.labels_label)
        labels_row.addWidget(self.scheme_box, 1)
        labels_row.addWidget(self.attach_button)
        layout.addLayout(labels_row)
        layout.addWidget(self.notes)

    def show_case(self, case: Case) -> None:
        self.geometry_label.setText(case.geometry.describe())
        self.channels_label.setText("   ".join(_channel_texts(case)))
        self._show_labels(case.labels, case.label_choices)
        say(self.notes, "\n".join(f"• {note}" for note in case.notes))
        self.show()

    def _show_labels(self, labels: Labels | None, choices: Sequence[LabelScheme]) -> None:
        self.scheme_box.clear()
        self.scheme_box.setToolTip("")
        self.scheme_box.setVisible(labels is not None or bool(choices))
        self.labels_label.setText("No labels" if self.scheme_box.isHidden() else "Labels")
        # The likely schemes first; any other stays possible, and answers with a sentence when the values do not fit.
        likely = tuple(choices) if labels is None else labels.candidates or (labels.scheme,)
        for scheme in (*likely, *(s for s in SCHEMES.values() if s not in likely)):
            values = " ".join(str(v) for v in scheme.disk_values)
            assumed = ", assumed" if labels is not None and scheme == labels.scheme and labels.assumed else ""
            self.scheme_box.addItem(f"{scheme.title} ({values}){assumed}", scheme.id)
        if labels is None:
            self.scheme_box.setCurrentIndex(-1)  # shows the words that ask
            return
        self.scheme_box.setCurrentIndex(self.scheme_box.findData(labels.scheme.id))
        self.scheme_box.setToolTip(f"Values in the file: {_present(labels)}")


def _present(labels: Labels) -> str:
    """Return the values of the file, found by counting: sorting nine million voxels would stop the window."""
    values = np.array(values_of(np.asarray(labels.volume.data, np.uint8)), np.uint8)
    return " ".join(str(v) for v in sorted(labels.scheme.to_disk(values).tolist()))


def _channel_texts(case: Case) -> list[str]:
    names = [*case.expected, *(c for c in case.channels if c not in case.expected)]
    texts = []
    for name in names:
        state = "✓" if name in case.channels else "other grid" if name in case.off_grid else "– (missing)"
        texts.append(f"{name} {state}".replace(" ", "\u00a0"))
    return texts


def _row(stretched: QWidget, *others: QWidget) -> QHBoxLayout:
    layout = QHBoxLayout()
    layout.setSpacing(4)
    layout.addWidget(stretched, 1)
    for other in others:
        layout.addWidget(other)
    return layout
