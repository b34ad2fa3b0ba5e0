"""Channels that lie on another grid than the case: a button for each that resamples; the notes say how they differ."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_brainseg.cases.case import Case


class OffGridRows(QWidget):
    """One row per channel that cannot be stacked as it is."""

    resample_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QPushButton] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)

    def show_case(self, case: Case) -> None:
        """Show the channels of `case` that wait for a resample; nothing when there are none."""
        while self._layout.count():
            item = self._layout.takeAt(0)
            widget = None if item is None else item.widget()
            if widget is not None:
                widget.deleteLater()
        self.buttons = {}
        for channel in case.off_grid:
            grid = case.grid_channel
            button = QPushButton(f"Resample {channel} onto {grid}")
            button.clicked.connect(lambda _=False, channel=channel: self.resample_requested.emit(channel))
            self.buttons[channel] = button
            self._layout.addWidget(button)
        self.setVisible(bool(case.off_grid))
