"""`ClassPalette`: one row per class: show or hide, select, volume, lock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QLabel, QSizePolicy, QToolButton, QWidget

from napari_brainseg.annotation.volumes import VolumeRow
from napari_brainseg.cases.labels import LabelClass, LabelScheme
from napari_brainseg.plugin.widgets.elided_label import ElidedLabel
from napari_brainseg.plugin.widgets.icons import SIZE, eye_icon, lock_icon, swatch_icon

Colour = tuple[float, float, float]
ERASER = 0
# A longer text than this takes the line of a class for itself; what is said of the class comes below.
_SHORT_TEXT = 10


class ClassPalette(QWidget):
    """The classes of a scheme, and the eraser.

    Attributes:
        class_selected: The person chose a value to paint with; 0 is the eraser.
        hidden_changed: Other classes are to be hidden (frozenset of values).
        locked_changed: Other classes are to be locked (frozenset of values).
    """

    class_selected = Signal(int)
    hidden_changed = Signal(object)
    locked_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(4)
        self._grid.setVerticalSpacing(1)
        self._grid.setColumnStretch(2, 1)
        self._scheme: LabelScheme | None = None
        self._group = QButtonGroup(self)
        self._group.setExclusive(False)
        self._group.idClicked.connect(self._on_select_clicked)
        self.select_buttons: dict[int, QToolButton] = {}
        self.eye_buttons: dict[int, QToolButton] = {}
        self.lock_buttons: dict[int, QToolButton] = {}
        self.volume_labels: dict[str, QLabel] = {}

    @property
    def hidden(self) -> frozenset[int]:
        """Values of the hidden classes."""
        return frozenset(v for v, button in self.eye_buttons.items() if not button.isChecked())

    @property
    def locked(self) -> frozenset[int]:
        """Values of the locked classes."""
        return frozenset(v for v, button in self.lock_buttons.items() if button.isChecked())

    def show_scheme(self, scheme: LabelScheme | None, colours: Mapping[int, Colour]) -> None:
        """Show the classes of a scheme in these colours, all visible and unlocked; None shows nothing."""
        self._clear()
        self._scheme = scheme
        if scheme is None:
            return
        # Below each class there may be a line about it.
        for number, label_class in enumerate(scheme.classes):
            self._add_class(2 * number, label_class, colours[label_class.value])
        self._add_select(2 * len(scheme.classes), ERASER, "0  eraser", None, "Paint background: key 0")

    def show_colours(self, colours: Mapping[int, Colour]) -> None:
        """Show other colours for the same classes."""
        for value, button in self.select_buttons.items():
            if value in colours:
                button.setIcon(swatch_icon(colours[value], self._ink))

    def show_selected(self, value: int | None) -> None:
        """Mark the value that the brush has."""
        for mine, button in self.select_buttons.items():
            button.setChecked(mine == value)

    def show_hidden(self, hidden: Collection[int]) -> None:
        """Mark these classes, and no others, as hidden, without asking for it."""
        for value, button in self.eye_buttons.items():
            _set_quietly(button, value not in hidden)
            self._paint_eye(value)

    def show_volumes(self, rows: Iterable[VolumeRow]) -> None:
        """Show the volume of each class."""
        for row in rows:
            if row.kind == "class" and row.name in self.volume_labels:
                self.volume_labels[row.name].setText(row.text)

    def _add_class(self, row: int, label_class: LabelClass, colour: Colour) -> None:
        value = label_class.value
        eye = _small_button(f"Show or hide {label_class.long_name}", checked=True)
        eye.toggled.connect(partial(self._on_eye_toggled, value))
        lock = _small_button(f"Lock {label_class.long_name}: nothing paints it or paints over it", checked=False)
        lock.toggled.connect(partial(self._on_lock_toggled, value))
        self.eye_buttons[value], self.lock_buttons[value] = eye, lock
        self._paint_eye(value)
        self._paint_lock(value)
        self._grid.addWidget(eye, row, 0)
        tip = f"Paint {label_class.long_name}: key {label_class.shortcut}"
        text = f"{value}  {label_class.name}"
        self._add_select(row, value, text, colour, tip)
        volume = QLabel()
        volume.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.volume_labels[label_class.name] = volume
        if len(text) <= _SHORT_TEXT:
            self._grid.addWidget(_about(label_class), row, 2)
            self._grid.addWidget(volume, row, 3)
        else:
            self._grid.addWidget(_about(label_class), row + 1, 1, 1, 2)
            self._grid.addWidget(volume, row + 1, 3)
        self._grid.addWidget(lock, row, 4)

    def _add_select(self, row: int, value: int, text: str, colour: Colour | None, tip: str) -> None:
        button = QToolButton()
        button.setObjectName("classButton")
        button.setText(text)
        button.setIcon(swatch_icon(colour, self._ink))
        button.setIconSize(QSize(SIZE, SIZE))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setCheckable(True)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        self.select_buttons[value] = button
        self._group.addButton(button, value)
        if len(text) <= _SHORT_TEXT:
            self._grid.addWidget(button, row, 1)
        else:
            self._grid.addWidget(button, row, 1, 1, 3)

    def _clear(self) -> None:
        for button in self._group.buttons():
            self._group.removeButton(button)
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for table in (self.select_buttons, self.eye_buttons, self.lock_buttons):
            table.clear()
        self.volume_labels.clear()

    @property
    def _ink(self) -> QColor:
        return self.palette().color(self.foregroundRole())

    def _paint_eye(self, value: int) -> None:
        button = self.eye_buttons[value]
        button.setIcon(eye_icon(button.isChecked(), self._ink))

    def _paint_lock(self, value: int) -> None:
        button = self.lock_buttons[value]
        button.setIcon(lock_icon(button.isChecked(), self._ink))

    def _on_select_clicked(self, value: int) -> None:
        self.show_selected(value)
        self.class_selected.emit(value)

    def _on_eye_toggled(self, value: int) -> None:
        self._paint_eye(value)
        self.hidden_changed.emit(self.hidden)

    def _on_lock_toggled(self, value: int) -> None:
        self._paint_lock(value)
        self.locked_changed.emit(self.locked)


def _small_button(tip: str, *, checked: bool) -> QToolButton:
    button = QToolButton()
    button.setObjectName("iconButton")
    button.setCheckable(True)
    button.setChecked(checked)
    button.setToolTip(tip)
    button.setIconSize(QSize(SIZE, SIZE))
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button


def _about(label_class: LabelClass) -> QLabel:
    differs = label_class.disk != label_class.value
    disk = f"{label_class.disk} on disk"
    label = ElidedLabel(mode=Qt.TextElideMode.ElideRight)
    label.setObjectName("fact")
    label.show_text(disk if differs else label_class.long_name)
    label.setToolTip(f"{label_class.long_name}, {disk}")
    return label


def _set_quietly(button: QToolButton, checked: bool) -> None:
    button.blockSignals(True)
    button.setChecked(checked)
    button.blockSignals(False)
