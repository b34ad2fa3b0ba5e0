"""`ViewSwitches`: the choices about the canvas that have no key."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget


class ViewSwitches(QWidget):
    """Neurological display, colours for the colour-blind, and napari's own wheel.

    Signals:
        neurological_requested: The patient's left on the left (True) or on the right (False).
        colour_blind_requested: Labels in vermilion, sky blue and yellow (True) or in the usual colours (False).
        napari_wheel_requested: The wheel zooms (True) or changes the slice (False).
    """

    neurological_requested = Signal(bool)
    colour_blind_requested = Signal(bool)
    napari_wheel_requested = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.neurological = QCheckBox("Neurological: patient's left on the left")
        self.neurological.setToolTip("Mirrors the picture, never the data; the letters at the edges follow.")
        self.neurological.toggled.connect(self.neurological_requested)
        self.colour_blind = QCheckBox("Colours that colour-blind people tell apart")
        self.colour_blind.toggled.connect(self.colour_blind_requested)
        self.napari_wheel = QCheckBox("Wheel zooms, Ctrl + wheel changes the slice")
        self.napari_wheel.setToolTip("As napari has it. Off: the wheel changes the slice, Ctrl + wheel zooms.")
        self.napari_wheel.toggled.connect(self.napari_wheel_requested)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for box in (self.neurological, self.colour_blind, self.napari_wheel):
            layout.addWidget(box)
