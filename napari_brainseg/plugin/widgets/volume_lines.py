"""`VolumeLines`: volumes of the regions, agreement with the reference, and values that no class has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_brainseg.annotation.volumes import VolumeRow
from napari_brainseg.plugin.widgets.style import error_line, say


class VolumeLines(QWidget):
    """A small table, one column per region, and a warning below it.

    Attributes:
        go_to_foreign_requested: The person wants to see the values that no class has.
    """

    go_to_foreign_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table = QGridLayout()
        self._table.setHorizontalSpacing(10)
        self._table.setVerticalSpacing(1)
        self.volume_labels: dict[str, QLabel] = {}
        self.dice_labels: dict[str, QLabel] = {}
        self._dice_title = _fact("Dice")
        self._dice_title.setToolTip("Against the labels that came with the case; 1.000 where both are empty")
        self.foreign_line = error_line()
        self._go = QPushButton("Go to it")
        self._go.setObjectName("link")
        self._go.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._go.clicked.connect(self.go_to_foreign_requested)
        self._go.hide()
        warning = QHBoxLayout()
        warning.addWidget(self.foreign_line, 1)
        warning.addWidget(self._go)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._table)
        layout.addLayout(warning)

    def show_regions(self, regions: Sequence[tuple[str, str]]) -> None:
        """Make one column for each region: its name, and its name in words."""
        while (item := self._table.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None and widget is not self._dice_title:
                widget.deleteLater()
        self.volume_labels, self.dice_labels = {}, {}
        self._table.addWidget(self._dice_title, 2, 0)
        for column, (name, long_name) in enumerate(regions, start=1):
            title = _fact(name)
            self.volume_labels[name], self.dice_labels[name] = QLabel(), QLabel()
            for row, label in enumerate((title, self.volume_labels[name], self.dice_labels[name])):
                label.setToolTip(long_name)
                self._table.addWidget(label, row, column)
            self._table.setColumnStretch(column, 1)
        self.show_dice({})

    def show_volumes(self, rows: Sequence[VolumeRow], scheme_title: str) -> None:
        """Show volumes, and the warning where a row is foreign."""
        foreign = 0
        for row in rows:
            if row.kind == "region" and row.name in self.volume_labels:
                self.volume_labels[row.name].setText(row.text)
            elif row.kind == "foreign":
                foreign = row.voxels
        voxels = "1 voxel has a value" if foreign == 1 else f"{foreign:,} voxels have values"
        say(self.foreign_line, f"{voxels} that {scheme_title} does not. Paint over it to export." if foreign else "")
        self._go.setVisible(bool(foreign))

    def show_dice(self, dice: Mapping[str, float]) -> None:
        """Show Dice against the reference, or nothing where there is none."""
        self._dice_title.setVisible(bool(dice))
        for name, label in self.dice_labels.items():
            label.setVisible(name in dice)
            label.setText(f"{dice[name]:.3f}" if name in dice else "")


def _fact(text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName("fact")
    return label
