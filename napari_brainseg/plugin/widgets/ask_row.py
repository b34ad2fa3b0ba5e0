"""`AskRow`: one question below what it is about, with a text to enter or only yes or no; nothing modal."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_brainseg.plugin.widgets.style import hint, notice


class AskRow(QWidget):
    """Hidden until it asks; an answer or No hides it again."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._then: Callable[[str], None] | None = None
        self.words = hint()
        self.field = QLineEdit()
        self.yes_button, self.no_button = QPushButton("Yes"), QPushButton("No")
        frame = notice()
        inside = QVBoxLayout(frame)
        inside.setSpacing(6)
        inside.addWidget(self.words)
        inside.addWidget(self.field)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.no_button)
        buttons.addWidget(self.yes_button)
        inside.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(frame)
        self.yes_button.clicked.connect(self._on_yes)
        self.field.returnPressed.connect(self._on_yes)
        self.no_button.clicked.connect(self.withdraw)
        self.hide()

    def ask(self, words: str, yes: str, then: Callable[[str], None], text: str | None = None) -> None:
        """Ask one thing in the place of whatever was asked before.

        Args:
            words: The question.
            yes: What the button that answers it says.
            then: Called with the text that was entered, empty where none is asked for.
            text: What the field begins with; None for no field.
        """
        self._then = then
        self.words.setText(words)
        self.yes_button.setText(yes)
        self.no_button.setText("Cancel")
        self.field.setText(text or "")
        self.field.setVisible(text is not None)
        self.show()
        if text is not None:
            self.field.selectAll()
            self.field.setFocus()

    def withdraw(self) -> None:
        """Ask no longer."""
        self._then = None
        self.hide()

    def _on_yes(self) -> None:
        then, text = self._then, self.field.text().strip()
        self.withdraw()
        if then is not None:
            then(text)
