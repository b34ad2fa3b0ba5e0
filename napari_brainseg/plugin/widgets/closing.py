"""`Closing`: asks about unsaved work when the person closes the window or the dock, and about nothing otherwise."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from qtpy.QtCore import QEvent, QObject, Signal
from qtpy.QtWidgets import QMessageBox, QWidget


class Answer(Enum):
    """What the person wants to happen to unsaved work."""

    SAVE = "Save"
    LEAVE = "Close without saving"
    STAY = "Stay"


class Closing(QObject):
    """Watches the main window's close. A viewer that a script closes is empty by then, so nobody is asked.

    Signals:
        save_requested(): The person wants the work saved before the window closes.
        may_close(): The window is about to close unless napari's own question, which comes next, is answered with no.
        closing(): The window has closed; everything in it is still there.
    """

    save_requested = Signal()
    may_close = Signal()
    closing = Signal()

    def __init__(
        self,
        window: QWidget,
        unsaved: Callable[[], str],
        ask: Callable[..., Answer] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._window: QWidget | None = window
        self._unsaved, self._ask = unsaved, ask or ask_in_dialog
        self._asked = False
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stop the close where the person wants to stay, and tell of it once nobody can stop it any more."""
        window = self._window
        if window is None or watched is not window or event is None:
            return False
        if event.type() == QEvent.Type.Close:
            return self._stays(window, event)
        # A window that is minimised is hidden too, but by the system.
        hidden = event.type() == QEvent.Type.Hide and self._asked and not event.spontaneous()
        if hidden or event.type() == QEvent.Type.DeferredDelete:
            self.closing.emit()
        return False

    def ask_on_removal(self) -> None:
        """Ask about unsaved work when a person takes the dock out of the window, where nobody can stay any more."""
        window = self._window
        # A window that is not shown is a script's.
        if window is None or not window.isVisible():
            return
        what = self._unsaved()
        if what and self._ask(window, what, may_stay=False) is Answer.SAVE:
            self.save_requested.emit()

    def close(self) -> None:
        """Leave the window alone."""
        if self._window is not None:
            self._window.removeEventFilter(self)
        # Nothing may keep the window, or through the question the viewer, alive.
        self._window, self._unsaved = None, str

    def _stays(self, window: QWidget, event: QEvent) -> bool:
        what = self._unsaved()
        if what:
            answer = self._ask(window, what)
            if answer is Answer.SAVE:
                self.save_requested.emit()
            if answer is Answer.STAY or (answer is Answer.SAVE and self._unsaved()):
                event.ignore()
                return True
        self.may_close.emit()
        self._asked = True
        if not window.isVisible():  # a script's viewer: nobody is asked, and nothing will be hidden
            self.closing.emit()
        return False


def ask_in_dialog(window: QWidget, what: str, *, may_stay: bool = True) -> Answer:
    """Ask what to do with unsaved work; the only question of ours that waits for an answer."""
    box = QMessageBox(window)
    box.setWindowTitle("Unsaved work")
    box.setText(f"{what} not saved in the project.")
    box.setInformativeText(
        "Closed without saving, labels are kept and offered at the next start; what is confirmed is not."
    )
    buttons = {
        Answer.SAVE: box.addButton(Answer.SAVE.value, QMessageBox.ButtonRole.AcceptRole),
        Answer.LEAVE: box.addButton(Answer.LEAVE.value, QMessageBox.ButtonRole.DestructiveRole),
    }
    if may_stay:
        buttons[Answer.STAY] = box.addButton(Answer.STAY.value, QMessageBox.ButtonRole.RejectRole)
    box.exec()
    clicked = box.clickedButton()
    return next((answer for answer, button in buttons.items() if button is clicked), Answer.STAY)
