"""`TakeRow`: asks for which slices a new model's answer is taken into the working labels."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSpinBox, QVBoxLayout, QWidget

from napari_brainseg.plugin.widgets.style import hint, link


class TakeRow(QWidget):
    """Buttons for this slice, a range of slices and all of them.

    Signals:
        slices_requested(int, int): From the first to the second slice of the plane shown, both included.
        all_requested(): For the whole case.
        done_requested(): The person wants no more of it.
    """

    slices_requested = Signal(int, int)
    all_requested = Signal()
    done_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._here: int | None = None
        self.title = QLabel("Take the new answer")
        self.done_link = link("done")
        self.done_link.setToolTip("Offer the new answer no longer; Segment gives it again at any time")
        self.here_button, self.all_button = _button("This slice"), _button("All")
        self.here_button.setToolTip("One step that Ctrl+Z takes back. What you confirmed or changed stays.")
        self.all_button.setToolTip(self.here_button.toolTip())
        self.first, self.last = QSpinBox(), QSpinBox()
        for box, name in ((self.first, "First slice to take"), (self.last, "Last slice to take")):
            box.setAccessibleName(name)
            box.setMinimumWidth(58)
            box.setMaximumWidth(84)
            box.setMaximum(0)
        self.range_button = _button("Take")
        self.kept = hint("What you confirmed or changed by hand stays as it is.")
        self._lay_out()
        self.here_button.clicked.connect(self._on_here)
        self.all_button.clicked.connect(self.all_requested)
        self.range_button.clicked.connect(lambda: self.slices_requested.emit(self.first.value(), self.last.value()))
        self.done_link.clicked.connect(self.done_requested)

    def show_place(self, here: int | None, length: int, voxels: int) -> None:
        """Offer what can be taken.

        Args:
            here: The slice shown, or None where no single one is.
            length: How many slices the plane has.
            voxels: How many voxels of the case would change.
        """
        self._here = here
        self.here_button.setEnabled(here is not None and voxels > 0)
        self.all_button.setEnabled(voxels > 0)
        self.range_button.setEnabled(here is not None and voxels > 0)
        # The range begins as the whole of the plane, also of another one.
        whole = self.last.maximum() != length - 1
        for box in (self.first, self.last):
            box.setMaximum(max(0, length - 1))
        if whole:
            self.first.setValue(0)
            self.last.setValue(length - 1)

    def _on_here(self) -> None:
        if self._here is not None:
            self.slices_requested.emit(self._here, self._here)

    def _lay_out(self) -> None:
        top, buttons, numbers = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.title, 1)
        top.addWidget(self.done_link)
        for button in (self.here_button, self.all_button):
            buttons.addWidget(button, 1)
        for widget in (QLabel("Slices"), self.first, QLabel("to"), self.last):
            numbers.addWidget(widget)
        numbers.addWidget(self.range_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        for row in (top, buttons, numbers):
            row.setSpacing(6)
            layout.addLayout(row)
        layout.addWidget(self.kept)


def _button(text: str) -> QPushButton:
    button = QPushButton(text)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the canvas keeps the keyboard
    return button
