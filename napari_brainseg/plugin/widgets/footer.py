"""The foot of the workbench: what does not scroll away."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_brainseg.plugin.widgets.style import link
from napari_brainseg.plugin.widgets.view_switches import ViewSwitches


class Footer(QWidget):
    """Links to the keys, the switches of the view and napari's file types, and what the program is not for.

    Signals:
        keys_requested(): The list of keys.
        types_requested(): The files that napari opens with this plugin.
    """

    keys_requested = Signal()
    types_requested = Signal()

    def __init__(self, switches: ViewSwitches, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        line = QLabel("For research use, not for diagnosis")
        line.setObjectName("hint")
        line.setAlignment(Qt.AlignmentFlag.AlignCenter)
        keys, view, types = link("Keys"), link("View"), link("File types of napari")
        keys.clicked.connect(self.keys_requested)
        view.setCheckable(True)
        view.toggled.connect(switches.setVisible)
        switches.hide()
        types.clicked.connect(self.types_requested)
        links = QHBoxLayout()
        links.addStretch(1)
        for button in (keys, view, types):
            links.addWidget(button)
        links.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 4, 10, 6)
        layout.setSpacing(2)
        layout.addWidget(switches)
        layout.addLayout(links)
        layout.addWidget(line)
