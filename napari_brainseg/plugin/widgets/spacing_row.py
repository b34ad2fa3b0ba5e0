"""The spacing of a case whose files do not say it, entered by the user in mm."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_brainseg.cases.volume import Spacing
from napari_brainseg.plugin.widgets.style import hint

_UNKNOWN = "Spacing unknown: sizes are in voxels. If you know it, enter it in mm (z between slices)."
_ENTERED = "Spacing as entered, in mm (z between slices). Set it again to correct it."


class SpacingRow(QWidget):
    """Three numbers in mm, slice distance first, and a button that sets them."""

    spacing_entered = Signal(object)  # (Z, Y, X) in mm

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boxes = [_millimetres() for _ in range(3)]
        self.set_button = QPushButton("Set")
        self.set_button.clicked.connect(lambda: self.spacing_entered.emit(tuple(box.value() for box in self.boxes)))
        self.set_button.setEnabled(False)
        numbers = QHBoxLayout()
        numbers.setSpacing(8)
        for axis, box in zip("zyx", self.boxes, strict=True):
            box.setPrefix(f"{axis} ")
            box.valueChanged.connect(self._on_value_changed)
            numbers.addWidget(box, 1)
        numbers.addWidget(self.set_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        self.state = hint(_UNKNOWN)
        layout.addWidget(self.state)
        layout.addLayout(numbers)

    def show_spacing(self, spacing: Spacing | None) -> None:
        """Show what was entered, mm along (Z, Y, X), or that nothing is known."""
        self.state.setText(_UNKNOWN if spacing is None else _ENTERED)
        for box, value in zip(self.boxes, spacing or (0.0, 0.0, 0.0), strict=True):
            box.setValue(value)

    def _on_value_changed(self) -> None:
        self.set_button.setEnabled(all(box.value() > 0 for box in self.boxes))


def _millimetres() -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(0.0, 50.0)
    box.setDecimals(2)
    box.setSingleStep(0.1)
    # Three of them and a button share the panel's width.
    box.setMinimumWidth(40)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    return box
