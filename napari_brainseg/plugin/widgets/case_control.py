"""`CaseControl`: wires the Case panel to opening and to the case's layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog

from napari_brainseg.base.errors import InputError
from napari_brainseg.base.paths import sample_data
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.reading import (
    OpenOptions,
    attach_labels,
    find_cases,
    reread_labels,
    resample_onto_grid,
    with_spacing,
)
from napari_brainseg.cases.slices import is_tif_name, patient_and_number
from napari_brainseg.cases.volume import Spacing
from napari_brainseg.plugin.layers import LayerIdentity, Role, identity_of
from napari_brainseg.plugin.widgets.case_layers import CaseLayers
from napari_brainseg.plugin.widgets.case_panel import CasePanel
from napari_brainseg.plugin.widgets.opening import Opening, channel_options, expected_channels

FILE_FILTER = "Images (*.nii *.nii.gz *.tif *.tiff);;All files (*)"


class CaseControl(QObject):
    """Opens cases and keeps the panel and the layers to what is open.

    Signals:
        leaving(): Another case is about to take the place of the open one.
        opened(object): A `Case` is open and its layers are there.
        changed(object): Labels, a channel or the spacing of the open `Case` changed.
    """

    leaving = Signal()
    opened = Signal(object)
    changed = Signal(object)

    def __init__(self, viewer: Any, panel: CasePanel, layers: CaseLayers, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._panel, self._layers = viewer, panel, layers
        self.opening = Opening(self)
        self._connect_opening()
        self._connect_panel()
        panel.show_samples(sample_cases())

    @property
    def case(self) -> Case | None:
        """The open case, or None."""
        return self._layers.case

    def open_paths(self, paths: list[Path], options: OpenOptions | None = None) -> None:
        """Open files and folders, without asking which reader; `options` count for the first case."""
        self.opening.open_paths(paths, options)

    def attach(self, path: Path) -> None:
        """Attach labels from a file or a folder to the open case."""
        self._change(partial(attach_labels, path=path), f"Reading {path.name} …")

    def close(self) -> None:
        """Stop reading and disconnect."""
        self.opening.close()

    def _connect_opening(self) -> None:
        self.opening.busy.connect(self._panel.show_busy)
        self.opening.failed.connect(self._on_failed)
        self.opening.cases_found.connect(self._on_cases_found)
        self.opening.case_read.connect(self._on_case_read)
        self.opening.case_changed.connect(self._on_case_changed)
        self._layers.strangers_appeared.connect(self._on_strangers)

    def _connect_panel(self) -> None:
        panel = self._panel
        panel.open_folder_requested.connect(self._on_open_folder)
        panel.open_files_requested.connect(self._on_open_files)
        panel.attach_requested.connect(self._on_attach)
        panel.sample_requested.connect(lambda path: self.open_paths([path]))
        panel.drop_area.paths_dropped.connect(lambda paths: self.open_paths(paths))
        panel.case_chosen.connect(self.opening.open_index)
        panel.channel_form.channels_chosen.connect(self.opening.read_with_channels)
        panel.scheme_chosen.connect(self._on_scheme_chosen)
        panel.off_grid.resample_requested.connect(self._on_resample)
        panel.spacing_row.spacing_entered.connect(self._on_spacing)

    def _on_open_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self._panel, "Open a case folder, or a folder of cases")
        if chosen:
            self.open_paths([Path(chosen)])

    def _on_open_files(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(self._panel, "Open the files of a case", filter=FILE_FILTER)
        if chosen:
            self.open_paths([Path(name) for name in chosen])

    def _on_attach(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self._panel, "Attach labels to the open case", filter=FILE_FILTER)
        if chosen:
            self.attach(Path(chosen))

    def _on_scheme_chosen(self, scheme_id: str) -> None:
        self._change(partial(reread_labels, scheme_id=scheme_id), "Reading the labels again …")

    def _on_resample(self, channel: str) -> None:
        self._change(partial(resample_onto_grid, channel=channel), f"Resampling {channel} …")

    def _on_spacing(self, spacing: Spacing) -> None:
        self._change(partial(with_spacing, spacing=spacing), "Setting the spacing …")

    def _change(self, work: Any, message: str) -> None:
        case = self.case
        if case is not None:
            self.opening.change(case, work, message)

    def _on_cases_found(self, files: list[Any], index: int) -> None:
        self._panel.show_cases([found.id for found in files], index)

    def _on_case_read(self, case: Case) -> None:
        self.leaving.emit()
        self._layers.show(case)
        self._show_in_panel(case)
        self.opened.emit(case)

    def _on_case_changed(self, case: Case) -> None:
        self._layers.show(case)
        self._show_in_panel(case)
        self.changed.emit(case)

    def _show_in_panel(self, case: Case) -> None:
        options, now = self.opening.channel_choice(case)
        self._panel.show_case(case, options, now)

    def _on_failed(self, sentence: str) -> None:
        """Say why, and where only the channels are in doubt, ask for them."""
        self._panel.show_error(sentence)
        if self.case is not None:  # a scheme that does not fit: the drop-down goes back to what counts
            self._show_in_panel(self.case)
            self._panel.show_error(sentence)
        files = self.opening.current
        if files is not None and files.undecided and not files.channels:
            options, chosen = channel_options(files)
            self._panel.show_channel_choice(expected_channels(files), options, chosen)
            self._panel.show_error("The names do not say which channels these files are. Choose below.")

    def _on_strangers(self, strangers: list[Any]) -> None:
        """Make one case of layers that napari's own ways brought: dropped files, File > Open, the command line."""
        identities = [found for layer in strangers if (found := identity_of(layer)) is not None]
        if not any(identity.role is Role.CHANNEL for identity in identities):
            return
        # Finding tells again what belongs together: slices of one patient, or several cases.
        known = [layer for layer in self._layers.ours() if not any(layer is new for new in strangers)]
        mine = [identity for layer in known if (identity := identity_of(layer)) is not None]
        parts = [*(mine if _one_exam(mine, identities) else ()), *identities]
        paths = list(dict.fromkeys(path for identity in parts for path in identity.source))
        if paths:
            self.opening.open_paths(paths)


def _one_exam(open_now: Sequence[LayerIdentity], new: Sequence[LayerIdentity]) -> bool:
    """Return whether new layers are of the open exam: of its patient, and no channel of it from another folder."""
    here = {identity.name: _folder(identity) for identity in open_now if identity.role is Role.CHANNEL}
    there = [identity for identity in new if identity.role is Role.CHANNEL]
    elsewhere = any(here.get(identity.name, _folder(identity)) != _folder(identity) for identity in there)
    return not elsewhere and {_patient(i) for i in there} == {_patient(i) for i in open_now if i.role is Role.CHANNEL}


def _patient(identity: LayerIdentity) -> str:
    """Return whose layer it is: one slice that is opened alone is named after itself, not after its patient."""
    source = identity.source
    slices = bool(source) and is_tif_name(source[0])
    return patient_and_number(source[0].stem)[0] if slices else identity.case_id


def _folder(identity: LayerIdentity) -> Path | None:
    return identity.source[0].parent if identity.source else None


def sample_cases() -> dict[str, Path]:
    """Return the folders of the sample cases by a title to choose them by; empty where they are not there."""
    folder = sample_data()
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        try:
            if path.is_dir() and find_cases(path):
                found[path.name.replace("_", " ")] = path
        except InputError:
            continue
    return found
