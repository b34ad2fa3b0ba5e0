"""`WheelGuard`: scrolling a panel never turns a number or a choice that happens to lie under the mouse."""

from __future__ import annotations

from qtpy.QtCore import QChildEvent, QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractSlider, QAbstractSpinBox, QComboBox, QScrollBar, QWidget

_TURNED_BY_THE_WHEEL = (QComboBox, QAbstractSlider, QAbstractSpinBox)


class WheelGuard(QObject):
    """Passes the wheel on to whatever scrolls, where it lies over a field that has not the keyboard.

    Args:
        column: The widget whose fields, also those added later, are guarded.
    """

    def __init__(self, column: QWidget) -> None:
        super().__init__(column)
        self._watch(column)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the wheel from fields, and look after new ones."""
        if event is None:
            return False
        if isinstance(event, QChildEvent) and event.type() in (QEvent.Type.ChildAdded, QEvent.Type.ChildPolished):
            self._watch(event.child())
        elif event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            if not _is_field(watched):
                return False
            # An event that is filtered but not accepted goes on to the parent, which scrolls.
            event.ignore()
            return True
        return False

    def _watch(self, root: QObject | None) -> None:
        for widget in () if root is None else (root, *root.findChildren(QWidget)):
            if isinstance(widget, QWidget):
                widget.removeEventFilter(self)
                widget.installEventFilter(self)
                if _is_field(widget) and widget.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


def _is_field(widget: QObject | None) -> bool:
    return isinstance(widget, _TURNED_BY_THE_WHEEL) and not isinstance(widget, QScrollBar)
