"""`Shortcuts`: binds what `KEYS` lists, on the working layer or in the window, and takes all of it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeyEvent, QKeySequence
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QShortcut,
    QTextEdit,
    QWidget,
)

from napari_brainseg.plugin.widgets.canvas import focus_canvas
from napari_brainseg.plugin.widgets.keys import HELP, KEYS, Key, ShortcutActions, Where

# Letters, digits and Page Up and Down mean something of their own in these.
_FIELDS = (QLineEdit, QTextEdit, QPlainTextEdit, QAbstractSpinBox, QComboBox)
_LETTING_GO = (QEvent.Type.WindowDeactivate, QEvent.Type.ApplicationDeactivate)


class Shortcuts(QObject):
    """The keys of one window, from its making until `close`.

    Args:
        viewer: The viewer whose canvas gets the focus back after a key.
        window: The main window.
        actions: What the keys call.
    """

    def __init__(self, viewer: Any, window: QWidget, actions: ShortcutActions) -> None:
        super().__init__(window)
        self._viewer = viewer
        self._actions = actions
        self._layer: Any = None
        self._bound: list[tuple[Any, dict[str, Any]]] = []
        self._held: Key | None = None
        self._shortcuts = [self._in_window(key, window) for key in KEYS if key.where is Where.WINDOW]
        self._application = _application()
        self._application.focusChanged.connect(self._on_focus)
        self._on_focus(None, self._application.focusWidget())

    @property
    def working_layer(self) -> Any:
        """The labels layer that the keys 0-4, G, undo and redo are bound on, or None."""
        return self._layer

    def set_working_layer(self, layer: Any, parts: Sequence[Any] = ()) -> None:
        """Bind the layer's keys on `layer` and on its `parts` while it is split; what was bound gets its own back.

        Args:
            layer: The working labels, or None, which binds none.
            parts: The layers in which the labels are edited meanwhile.
        """
        wanted = () if layer is None else (layer, *parts)
        for bound, unbound in self._bound:
            if not any(bound is other for other in wanted):
                _unbind(bound, unbound)
        kept = [entry for entry in self._bound if any(entry[0] is other for other in wanted)]
        new = [other for other in wanted if not any(entry[0] is other for entry in kept)]
        self._layer, self._bound = layer, kept + [(other, self._bind(other)) for other in new]

    def close(self) -> None:
        """Let go of every key; harmless when repeated."""
        if not self._shortcuts:
            return
        self._release()
        self.set_working_layer(None)
        self._application.focusChanged.disconnect(self._on_focus)
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts = []
        self.setParent(None)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Watch, while a key is held, for its going up or the window's losing the keyboard; nothing is kept."""
        if event is None or self._held is None:
            return False
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyRelease and not event.isAutoRepeat():
            if event.key() == QKeySequence(self._held.key)[0].key():
                self._release()
        elif event.type() in _LETTING_GO:
            self._release()
        return False

    def _bind(self, layer: Any) -> dict[str, Any]:
        unbound = {}
        layer.events.help.connect(_keep_help)
        layer.help = HELP
        if self._viewer.layers.selection.active is layer:
            self._viewer.help = HELP
        for key in KEYS:
            if key.where is Where.LAYER:
                name = key.key.replace("+", "-")
                unbound[name] = layer.bind_key(name, _on_layer(partial(self._press, key)), overwrite=True)
        return unbound

    def _in_window(self, key: Key, window: QWidget) -> QShortcut:
        shortcut = QShortcut(QKeySequence(key.key), window)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.setAutoRepeat(False)
        shortcut.activated.connect(partial(self._press, key))
        return shortcut

    def _on_focus(self, old: QWidget | None, new: QWidget | None) -> None:
        # A disabled shortcut takes nothing: the field gets the key, Page Up and Down included.
        for shortcut in self._shortcuts:
            shortcut.setEnabled(not isinstance(new, _FIELDS))

    def _press(self, key: Key) -> None:
        action: Callable[..., object] = getattr(self._actions, key.action)
        if key.held:
            self._release()
            self._held = key
            self._application.installEventFilter(self)
            action(True)
        elif key.number is not None:
            action(key.number)
        else:
            action()
        focus_canvas(self._viewer)

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._application.removeEventFilter(self)
            getattr(self._actions, held.action)(False)


def _unbind(layer: Any, unbound: dict[str, Any]) -> None:
    layer.events.help.disconnect(_keep_help)
    # napari writes its own again with the next tool.
    layer.help = ""
    for name, former in unbound.items():
        layer.bind_key(name, former, overwrite=True)


def _keep_help(event: Any) -> None:
    if event.help != HELP:
        event.source.help = HELP


def _on_layer(call: Callable[[], None]) -> Callable[[Any], None]:
    # napari wants a function with a name, and calls it with the layer.
    def pressed(layer: Any) -> None:
        call()

    return pressed


def _application() -> QApplication:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    return application
