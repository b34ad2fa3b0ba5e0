"""A panel that folds: a header with an arrow, a short summary beside it, and the content below."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from napari_brainseg.plugin.widgets.elided_label import ElidedLabel


class Fold(QFrame):
    """A titled section whose content can be folded away."""

    def __init__(
        self,
        title: str,
        content: QWidget,
        *,
        opened: bool = True,
        corner: QWidget | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("fold")
        self.content = content
        self.header = QToolButton()
        self.header.setObjectName("foldHeader")
        self.header.setText(title)
        self.header.setCheckable(True)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setCursor(Qt.CursorShape.PointingHandCursor)
        self.header.toggled.connect(self._on_toggled)
        self.summary = ElidedLabel()
        self.summary.setObjectName("fact")
        self.summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(self.header)
        top.addWidget(self.summary, 1)
        if corner is not None:
            top.addWidget(corner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 4, 10, 8)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(content)
        self.header.setChecked(opened)
        self._on_toggled(opened)

    @property
    def is_open(self) -> bool:
        """Whether the content is shown."""
        return self.header.isChecked()

    def set_open(self, opened: bool) -> None:
        """Fold or unfold."""
        self.header.setChecked(opened)

    def set_summary(self, text: str) -> None:
        """Show a short text at the right of the header."""
        self.summary.show_text(text)

    def _on_toggled(self, opened: bool) -> None:
        self.header.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.content.setVisible(opened)
