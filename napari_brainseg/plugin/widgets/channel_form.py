"""Which file (or, for LGG, which plane of the tif) is which channel: one drop-down per channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QPushButton, QWidget

NONE_TEXT = "– (missing)"


class ChannelForm(QWidget):
    """Rows of channel and drop-down; says the whole assignment when Apply is pressed."""

    channels_chosen = Signal(object)  # dict[str, object]: channel -> the value of the chosen option

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boxes: dict[str, QComboBox] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(1, 1)
        self.apply_button = QPushButton("Read with these channels")
        self.apply_button.clicked.connect(self._on_apply)

    def show_channels(
        self, channels: Sequence[str], options: Mapping[str, object], chosen: Mapping[str, object]
    ) -> None:
        """Offer `options` (text to value) for each of `channels`; what is `chosen` is preselected."""
        while self._grid.count():
            item = self._grid.takeAt(0)
            widget = None if item is None else item.widget()
            if widget is not None and widget is not self.apply_button:
                widget.deleteLater()
        self.boxes = {}
        for row, channel in enumerate(channels):
            box = _box(options, chosen.get(channel))
            self.boxes[channel] = box
            self._grid.addWidget(QLabel(channel), row, 0)
            self._grid.addWidget(box, row, 1)
        self._grid.addWidget(self.apply_button, len(channels), 0, 1, 2)

    def _on_apply(self) -> None:
        chosen = {channel: box.currentData() for channel, box in self.boxes.items()}
        self.channels_chosen.emit({channel: value for channel, value in chosen.items() if value is not None})


def _box(options: Mapping[str, object], chosen: object) -> QComboBox:
    box = QComboBox()
    box.addItem(NONE_TEXT, None)
    for text, value in options.items():
        box.addItem(text, value)
        if value == chosen:
            box.setCurrentIndex(box.count() - 1)
    # Long file names are cut in the closed box and shown whole in the tool tip.
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(12)
    box.setToolTip(box.currentText())
    box.currentTextChanged.connect(box.setToolTip)
    return box
