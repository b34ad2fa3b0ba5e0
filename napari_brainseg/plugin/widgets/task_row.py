"""The row of a long action: its start button or, while it runs, a bar with label, time left and Cancel in its place."""

from __future__ import annotations

import time

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_brainseg.base.progress import Progress


class TaskRow(QWidget):
    """A start button that turns into progress and Cancel, and back."""

    start_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.start_button = QPushButton(text)
        self.start_button.setObjectName("primary")
        self.start_button.clicked.connect(self.start_requested)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.clicked.connect(self.cancel_requested)
        self._running = _running_page(self.bar, self.label, self.cancel_button)
        self._running.hide()
        self._started = 0.0
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.start_button)
        layout.addWidget(self._running)

    @property
    def running(self) -> bool:
        """Whether the row shows progress instead of the button."""
        return not self._running.isHidden()

    def show_running(self, message: str) -> None:
        """Put bar and Cancel in the place of the button."""
        self._started = time.monotonic()
        self.bar.setRange(0, 0)
        self.label.setText(message)
        self.start_button.hide()
        self._running.show()

    def show_progress(self, progress: Progress) -> None:
        """Move the bar; the label says what is done and, once it can be known, the time left."""
        if progress.total > 0:
            self.bar.setRange(0, progress.total)
            self.bar.setValue(progress.done)
        else:
            self.bar.setRange(0, 0)
            # What cannot be counted, such as loading the model, says nothing about the rest.
            self._started = time.monotonic()
        left = time_left(time.monotonic() - self._started, progress)
        self.label.setText(f"{progress.message} · {left}" if left else progress.message)

    def show_idle(self) -> None:
        """Bring the button back."""
        self._running.hide()
        self.start_button.show()


def time_left(elapsed: float, progress: Progress) -> str:
    """Return the time left in words, from the seconds elapsed and the share done; empty while it cannot be known."""
    if progress.fraction < 0.02 or progress.fraction >= 1 or elapsed < 0.5:
        return ""
    seconds = elapsed * (1 - progress.fraction) / progress.fraction
    return f"{seconds:.0f} s left" if seconds < 90 else f"{seconds / 60:.0f} min left"


def _running_page(bar: QProgressBar, label: QLabel, cancel: QPushButton) -> QWidget:
    page = QWidget()
    texts = QVBoxLayout()
    texts.setSpacing(3)
    texts.addWidget(bar)
    texts.addWidget(label)
    layout = QHBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addLayout(texts, 1)
    layout.addWidget(cancel, 0)
    return page
