"""`ConfirmRow`: the button that confirms a slice, the menu that confirms several, and what takes them back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSpinBox, QToolButton, QVBoxLayout, QWidget

from napari_brainseg.plugin.widgets.confirmed_strip import StripLegend


class Several(StrEnum):
    """What the menu does with more than one slice."""

    SEEN = "confirm all seen and left unchanged"
    CASE = "confirm the whole case"
    LAST_BACK = "take back what was confirmed last"
    ALL_BACK = "take back everything"


@dataclass(frozen=True)
class Confirmable:
    """What there is to confirm and to take back in the plane shown.

    Attributes:
        words: How many slices are confirmed: `7 of 137 slices`; empty without a case.
        confirmed: Whether the slice shown is.
        here: The slice shown, or None.
        length: How many slices there are.
        seen: How many were seen and left unchanged, and are not confirmed yet.
        last: How many were confirmed at one go the last time.
        anything: Whether anything is confirmed, in whatever plane.
    """

    words: str = ""
    confirmed: bool = False
    here: int | None = None
    length: int = 0
    seen: int = 0
    last: int = 0
    anything: bool = False


class ConfirmRow(QWidget):
    """Says what is asked for; it knows nothing of labels.

    Signals:
        confirm_requested(): The person confirms the shown slice.
        unconfirm_requested(): The person takes that back.
        several_requested(object): One of `Several`.
        range_requested(int, int): Confirm the slices from the first to the second, both included.
        range_back_requested(int, int): Take these back.
    """

    confirm_requested = Signal()
    unconfirm_requested = Signal()
    several_requested = Signal(object)
    range_requested = Signal(int, int)
    range_back_requested = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._here: int | None = None
        self.confirm_button, self.unconfirm_button = _button("Confirm slice  K"), _button("Take back")
        self.confirm_button.setObjectName("primary")
        self.unconfirm_button.setToolTip("Take the confirmation of this slice back: Shift+K")
        self.unconfirm_button.hide()
        self.several_button = QToolButton()
        self.several_button.setObjectName("tool")
        # With an arrow of its own: napari's would be drawn over the last letter.
        self.several_button.setText("several ▾")
        self.several_button.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.several_button.setToolTip("Confirm or take back more than one slice")
        self.several_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.several_button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.text = QLabel()
        self.text.setObjectName("fact")
        self._make_menu()
        self._make_range()
        self._lay_out()
        self.confirm_button.clicked.connect(self.confirm_requested)
        self.unconfirm_button.clicked.connect(self.unconfirm_requested)
        self.show_confirmable(Confirmable())

    def show_confirmable(self, state: Confirmable) -> None:
        """Show what is confirmed, and offer what can be."""
        self._here = state.here
        self.text.setText(f"{state.words} confirmed" if state.words else "")
        self.unconfirm_button.setVisible(state.confirmed)
        several = {
            Several.SEEN: (f"All seen and left unchanged ({_slices(state.seen)})", state.seen),
            Several.CASE: (f"The whole case ({_slices(state.length)})", state.length),
            Several.LAST_BACK: (f"Take back what was confirmed last ({_slices(state.last)})", state.last),
            Several.ALL_BACK: ("Take back everything", state.anything),
        }
        for what, (words, possible) in several.items():
            self.menu_actions[what].setText(words)
            self.menu_actions[what].setEnabled(bool(possible))
        self.range_action.setEnabled(state.length > 0)
        for box in (self.first, self.last):
            box.setMaximum(max(0, state.length - 1))

    def show_range(self, shown: bool = True) -> None:
        """Open or close the fields for a range, which begin with the slice shown."""
        if shown:
            for box in (self.first, self.last):
                box.setValue(self._here or 0)
        self.range_fields.setVisible(shown)

    def _make_menu(self) -> None:
        menu = QMenu(self.several_button)
        self.range_action = QAction("A range of slices …", menu)
        self.range_action.triggered.connect(lambda: self.show_range())
        self.menu_actions: dict[Several, QAction] = {}
        menu.addAction(self.range_action)
        for what in Several:
            if what is Several.LAST_BACK:
                menu.addSeparator()
            action = QAction(what.value, menu)
            action.triggered.connect(lambda _checked=False, what=what: self.several_requested.emit(what))
            self.menu_actions[what] = action
            menu.addAction(action)
        self.several_button.setMenu(menu)

    def _make_range(self) -> None:
        self.range_fields = QWidget()
        self.first, self.last = QSpinBox(), QSpinBox()
        for box, name in ((self.first, "First slice"), (self.last, "Last slice")):
            box.setAccessibleName(name)
            box.setMinimumWidth(58)
        self.range_button, self.range_back_button = _button("Confirm these"), _button("Take back these")
        self.close_button = QToolButton()
        self.close_button.setObjectName("link")
        self.close_button.setText("close")
        numbers, buttons = QHBoxLayout(), QHBoxLayout()
        for widget in (QLabel("Slices"), self.first, QLabel("to"), self.last):
            numbers.addWidget(widget)
        numbers.addStretch(1)
        numbers.addWidget(self.close_button)
        for button in (self.range_button, self.range_back_button):
            buttons.addWidget(button, 1)
        layout = _column(self.range_fields)
        layout.addLayout(numbers)
        layout.addLayout(buttons)
        self.range_fields.hide()
        self.range_button.clicked.connect(lambda: self.range_requested.emit(self.first.value(), self.last.value()))
        self.range_back_button.clicked.connect(
            lambda: self.range_back_requested.emit(self.first.value(), self.last.value())
        )
        self.close_button.clicked.connect(lambda: self.show_range(False))

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.confirm_button, 3)
        buttons.addWidget(self.unconfirm_button, 2)
        buttons.addWidget(self.several_button)
        layout = _column(self)
        layout.addLayout(buttons)
        layout.addWidget(self.range_fields)
        layout.addWidget(self.text)
        layout.addWidget(StripLegend())


def _slices(number: int) -> str:
    return "1 slice" if number == 1 else f"{number} slices"


def _column(widget: QWidget) -> QVBoxLayout:
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    return layout


def _button(text: str) -> QPushButton:
    button = QPushButton(text)
    # The canvas keeps the keyboard.
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button
