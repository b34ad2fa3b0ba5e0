"""The narrow file patterns that napari may open with this plugin without asking, if the user wants that."""

from __future__ import annotations

import json

from napari.settings import get_settings
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_brainseg.base.errors import OutputError
from napari_brainseg.base.paths import user_data, write_text
from napari_brainseg.plugin.widgets.style import hint, notice

PLUGIN = "napari-brainseg"
_SUFFIXES = (".nii.gz", ".nii")
_OLD = ("flair", "t1", "t1ce", "t2", "seg")
_NEW = ("t2f", "t1n", "t1c", "t2w", "seg")
# Never `*/`: that would take every folder away from napari.
PATTERNS: tuple[str, ...] = (
    *(f"*_{channel}{suffix}" for channel in _OLD for suffix in _SUFFIXES),
    *(f"*-{channel}{suffix}" for channel in _NEW for suffix in _SUFFIXES),
    "*TCGA_*_[0-9]*.tif",
)


def registered() -> tuple[str, ...]:
    """Return the patterns that napari opens with this plugin now."""
    chosen = get_settings().plugins.extension2reader
    return tuple(pattern for pattern in PATTERNS if chosen.get(pattern) == PLUGIN)


def register() -> int:
    """Give napari the patterns that nobody has chosen a reader for, and return how many are ours."""
    plugins = get_settings().plugins
    new = {pattern: PLUGIN for pattern in PATTERNS if pattern not in plugins.extension2reader}
    plugins.extension2reader = {**plugins.extension2reader, **new}
    return len(registered())


def take_back() -> None:
    """Remove our patterns from napari's settings, and nothing else."""
    plugins = get_settings().plugins
    mine = registered()
    plugins.extension2reader = {k: v for k, v in plugins.extension2reader.items() if k not in mine}


class PatternsRow(QWidget):
    """Offers the patterns on the first dock; afterwards says that they are in use, or nothing."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = hint()
        self.yes_button, self.no_button = QPushButton("Yes"), QPushButton("Not now")
        self.back_button = QPushButton("Take back")
        frame = notice()
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for button in (self.no_button, self.back_button, self.yes_button):
            buttons.addWidget(button)
        inner = QVBoxLayout(frame)
        inner.setContentsMargins(8, 6, 8, 6)
        inner.addWidget(self.label)
        inner.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 0, 10, 8)
        layout.addWidget(frame)
        self.yes_button.clicked.connect(self._on_yes)
        self.no_button.clicked.connect(self._on_no)
        self.back_button.clicked.connect(self._on_back)
        self.refresh()

    def refresh(self) -> None:
        """Show the offer on the first dock, and nothing once it was answered."""
        self._show(answered=_answered())

    def _show(self, *, answered: bool) -> None:
        mine = len(registered())
        self.setVisible(not answered)
        self.yes_button.setVisible(not mine)
        self.no_button.setVisible(not mine)
        self.back_button.setVisible(bool(mine))
        offer = (
            "May napari open BraTS and LGG files (*_flair.nii.gz, *-t2f.nii.gz, TCGA_*.tif …) with this plugin, "
            "without asking each time? Choices that you have made stay."
        )
        self.label.setText(f"napari opens {mine} file patterns with this plugin now." if mine else offer)

    def _on_yes(self) -> None:
        register()
        _remember_answer(True)
        self._show(answered=False)
        self.changed.emit()

    def _on_no(self) -> None:
        _remember_answer(False)
        self.refresh()
        self.changed.emit()

    def _on_back(self) -> None:
        take_back()
        _remember_answer(False)
        self.refresh()
        self.changed.emit()

    def show_in_use(self) -> None:
        """Show the row again, so that the patterns can be taken back, or accepted after all."""
        self._show(answered=False)


def _answered() -> bool:
    try:
        kept = json.loads((user_data() / "window.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(kept, dict) and "patterns" in kept


def _remember_answer(yes: bool) -> None:
    try:
        write_text(user_data() / "window.json", json.dumps({"patterns": yes}) + "\n")
    except OutputError:
        return  # the offer comes again; nothing is lost
