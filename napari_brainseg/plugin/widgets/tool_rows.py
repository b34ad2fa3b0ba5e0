"""`ToolRows`: tools, brush size, opacity and outline of the layer that is painted in."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QGridLayout, QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from napari_brainseg.annotation.brush import describe_brush
from napari_brainseg.cases.volume import Spacing

TOOLS = {
    "pan_zoom": ("Move", "Move and zoom the picture"),
    "paint": ("Brush", "Paint the selected class: key P"),
    "erase": ("Eraser", "Paint background: key E or 0"),
    "fill": ("Fill", "Give a connected patch the selected class: key F"),
    "polygon": ("Polygon", "Fill an outline, click by click; double-click ends it: key G"),
}
LARGEST_BRUSH = 60


class ToolRows(QWidget):
    """Controls of one labels layer, in step with napari's own."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Labels | None = None
        self._spacing: Spacing | None = None
        self.tool_buttons: dict[str, QToolButton] = {}
        self.brush_slider = _slider(1, LARGEST_BRUSH)
        self.brush_text = QLabel()
        self.opacity_slider = _slider(0, 100)
        self.outline_box = QCheckBox("Outline")
        self.outline_box.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.outline_box.setToolTip("Outlines instead of filled areas: key U")
        self._lay_out()
        self.brush_slider.valueChanged.connect(self._on_brush_slider)
        self.opacity_slider.valueChanged.connect(self._on_opacity_slider)
        self.outline_box.toggled.connect(self._on_outline_box)
        viewer.dims.events.order.connect(self._show_brush)

    def show_layer(self, layer: Labels | None, spacing: Spacing | None) -> None:
        """Control this layer, and no other."""
        self._disconnect()
        self._layer, self._spacing = layer, spacing
        if layer is None:
            return
        layer.events.mode.connect(self._show_mode)
        layer.events.brush_size.connect(self._show_brush)
        layer.events.n_edit_dimensions.connect(self._show_brush)
        layer.events.opacity.connect(self._show_look)
        layer.events.contour.connect(self._show_look)
        self._show_mode()
        self._show_brush()
        self._show_look()

    def close_down(self) -> None:
        """Let the layer and the viewer go."""
        self._disconnect()
        self._layer = None
        self._viewer.dims.events.order.disconnect(self._show_brush)

    def _lay_out(self) -> None:
        tools = QHBoxLayout()
        tools.setSpacing(2)
        group = QButtonGroup(self)
        group.setExclusive(False)
        for mode, (text, tip) in TOOLS.items():
            button = QToolButton()
            button.setObjectName("tool")
            button.setText(text)
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(lambda _checked, mode=mode: self._on_tool(mode))
            self.tool_buttons[mode] = button
            group.addButton(button)
            tools.addWidget(button, 1)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(4)
        grid.addLayout(tools, 0, 0, 1, 3)
        grid.addWidget(QLabel("Size"), 1, 0)
        grid.addWidget(self.brush_slider, 1, 1)
        grid.addWidget(self.brush_text, 1, 2)
        grid.addWidget(QLabel("Opacity"), 2, 0)
        grid.addWidget(self.opacity_slider, 2, 1)
        grid.addWidget(self.outline_box, 2, 2)
        grid.setColumnStretch(1, 1)

    def _disconnect(self) -> None:
        if self._layer is None:
            return
        events = self._layer.events
        events.mode.disconnect(self._show_mode)
        events.brush_size.disconnect(self._show_brush)
        events.n_edit_dimensions.disconnect(self._show_brush)
        events.opacity.disconnect(self._show_look)
        events.contour.disconnect(self._show_look)

    def _show_mode(self) -> None:
        if self._layer is not None:
            for mode, button in self.tool_buttons.items():
                button.setChecked(mode == str(self._layer.mode))

    def _show_brush(self) -> None:
        layer = self._layer
        if layer is None:
            return
        _move(self.brush_slider, int(layer.brush_size))
        offset = self._viewer.dims.ndim - layer.ndim
        painted = [axis - offset for axis in self._viewer.dims.order[-layer.n_edit_dimensions :]]
        self.brush_text.setText(describe_brush(int(layer.brush_size), self._spacing, painted))

    def _show_look(self) -> None:
        if self._layer is not None:
            _move(self.opacity_slider, round(self._layer.opacity * 100))
            self.outline_box.blockSignals(True)
            self.outline_box.setChecked(self._layer.contour > 0)
            self.outline_box.blockSignals(False)

    def _on_tool(self, mode: str) -> None:
        if self._layer is not None:
            self._viewer.layers.selection.active = self._layer
            self._layer.mode = mode
            self._show_mode()

    def _on_brush_slider(self, size: int) -> None:
        if self._layer is not None:
            self._layer.brush_size = size

    def _on_opacity_slider(self, percent: int) -> None:
        if self._layer is not None:
            self._layer.opacity = percent / 100

    def _on_outline_box(self, checked: bool) -> None:
        if self._layer is not None:
            self._layer.contour = 1 if checked else 0


def _slider(low: int, high: int) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return slider


def _move(slider: QSlider, value: int) -> None:
    slider.blockSignals(True)
    slider.setValue(value)
    slider.blockSignals(False)
