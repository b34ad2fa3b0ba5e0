"""How the workbench looks: one style sheet from napari's theme, and small makers of the texts that panels share."""

from __future__ import annotations

from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QLabel, QToolButton, QWidget

PANEL_WIDTH = 340
# Red for what failed and green for what was done, legible on a dark and on a light window.
COLOURS = {"dark": ("#ff6b68", "#4cc38a"), "light": ("#b3261e", "#1b7f4d")}


def sheet(theme_id: str) -> str:
    """Return the style sheet of the workbench for a napari theme."""
    theme = get_theme(theme_id)
    red, green, blue = theme.text.as_rgb_tuple()
    grey = f"rgba({red}, {green}, {blue}, 165)"
    line = f"rgba({red}, {green}, {blue}, 40)"
    wash = f"rgba({red}, {green}, {blue}, 14)"
    accent = theme.current.as_hex()
    error, good = COLOURS[theme.type]
    ink = "white" if theme.type == "dark" else theme.text.as_hex()
    return f"""
    QLabel {{ background: transparent; }}
    QScrollBar:vertical {{ width: 8px; margin: 0; background: transparent; border: none; }}
    QScrollBar::handle:vertical {{ background: {line}; border-radius: 4px; min-height: 24px; }}
    QScrollBar::add-line:vertical, QScrollBar::sub-line:vertical {{ height: 0; border: none; background: none; }}
    QScrollBar::add-page:vertical, QScrollBar::sub-page:vertical {{ background: transparent; }}
    QLabel#hint {{ color: {grey}; }}
    QLabel#fact {{ color: {grey}; }}
    QLabel#error {{ color: {error}; }}
    QLabel#good {{ color: {good}; }}
    QLabel#strong {{ font-weight: 600; }}
    QFrame#fold {{ border: none; border-top: 1px solid {line}; background: transparent; }}
    QToolButton#foldHeader {{
        border: none; background: transparent; font-weight: 600; font-size: 13px; padding: 3px 0;
    }}
    QFrame#drop {{ border: 1px dashed {line}; border-radius: 6px; background: {wash}; }}
    QFrame#drop[over="true"] {{ border: 1px solid {accent}; }}
    QFrame#notice {{ border: 1px solid {line}; border-radius: 6px; background: {wash}; }}
    QDoubleSpinBox {{ min-width: 30px; max-width: 90px; padding: 1px 2px; }}
    QPushButton {{ padding: 4px 10px; min-height: 18px; }}
    QPushButton#primary {{ background: {accent}; color: {ink}; font-weight: 600; }}
    QPushButton#primary:disabled {{ background: {wash}; color: {grey}; }}
    QToolButton#tool, QToolButton#classButton {{
        background: {wash}; border: none; border-radius: 3px; padding: 3px 5px;
    }}
    QToolButton#tool:hover, QToolButton#classButton:hover {{ background: {line}; }}
    QToolButton#tool:checked, QToolButton#classButton:checked {{ background: {accent}; color: white; }}
    QToolButton#iconButton {{ background: transparent; border: none; padding: 2px; }}
    QPushButton#link, QToolButton#link {{
        background: transparent; border: none; padding: 0 2px; min-height: 0; color: {grey}; text-decoration: underline;
    }}
    """


def hint(text: str = "", parent: QWidget | None = None) -> QLabel:
    """Return a grey line that says what to do next or what was assumed; it wraps."""
    return _label(text, "hint", parent)


def error_line(parent: QWidget | None = None) -> QLabel:
    """Return a red line, hidden while it has no text."""
    label = _label("", "error", parent)
    label.hide()
    return label


def say(label: QLabel, text: str) -> None:
    """Show `text` in a label, or hide the label when there is none."""
    label.setText(text)
    label.setVisible(bool(text))


def notice(parent: QWidget | None = None) -> QFrame:
    """Return an empty box for a question that is not modal."""
    frame = QFrame(parent)
    frame.setObjectName("notice")
    return frame


def link(text: str) -> QToolButton:
    """Return a small underlined button."""
    button = QToolButton()
    button.setObjectName("link")
    button.setText(text)
    return button


def _label(text: str, name: str, parent: QWidget | None) -> QLabel:
    label = QLabel(text, parent)
    label.setObjectName(name)
    label.setWordWrap(True)
    # A path in a sentence has no place to break; without this it would widen the whole panel.
    label.setMinimumWidth(10)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
