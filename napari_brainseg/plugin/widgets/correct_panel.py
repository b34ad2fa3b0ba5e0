"""`CorrectPanel`: classes, tools, volumes, undo, confirming and splitting of the working labels."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_brainseg.annotation.edits import Edit
from napari_brainseg.annotation.overlap import ReferenceOverlap
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.plugin.widgets.class_palette import ClassPalette
from napari_brainseg.plugin.widgets.class_visibility import class_colours, hidden_classes, hide_classes
from napari_brainseg.plugin.widgets.confirm_row import ConfirmRow
from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge
from napari_brainseg.plugin.widgets.elided_button import ElidedButton
from napari_brainseg.plugin.widgets.split_layers import SplitBy, SplitLayers
from napari_brainseg.plugin.widgets.style import error_line, hint, say
from napari_brainseg.plugin.widgets.tool_rows import ToolRows
from napari_brainseg.plugin.widgets.volume_lines import VolumeLines

NEXT_STEP = "Segment the case, or start from labels that exist, to correct them here."
UNSAVED = " (unsaved)"
_PAINTING = ("paint", "fill", "polygon")
# A sentence about what was just done or refused stays this long.
_SAID_MS = 15_000


class CorrectPanel(QWidget):
    """Controls of the working labels; all editing goes through the bridge.

    Attributes:
        confirm_row: What confirms slices; `ConfirmControl` does what it asks for.
        headline_changed: What is worked on, in words, for the header of the panel.
    """

    headline_changed = Signal(str)

    def __init__(
        self, viewer: Any, bridge: EditingBridge, split: SplitLayers | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer, self._bridge = viewer, bridge
        self.split = split or SplitLayers(viewer, bridge, self)
        self._case: Case | None = None
        self._layer: Labels | None = None
        self._overlap: ReferenceOverlap | None = None
        self._controlled: Labels | None = None
        self._make_widgets(viewer)
        self._lay_out()
        self._connect()
        self._on_working_changed(bridge.layer)

    @property
    def headline(self) -> str:
        """What is worked on: `working on: segmentation`."""
        return "" if self._layer is None else f"working on: {self._layer.name}"

    def show_case(self, case: Case | None) -> None:
        """Compare with this case's own labels from now on, if it has any."""
        self._case = case
        self._measure_overlap()

    def show_problem(self, sentence: str) -> None:
        """Show in red why unsaved work is not on disk; nothing where it is."""
        say(self.problem_line, sentence)

    def show_said(self, sentence: str) -> None:
        """Show for a while what was just done, refused or found."""
        say(self.said_line, sentence)
        self._said_long_enough.start()

    def select_class(self, value: int) -> None:
        """Take the brush with the class of this value, 0 being the eraser; fill and polygon stay in the hand."""
        scheme = self._bridge.scheme
        if self._layer is None or scheme is None:
            return
        if not 0 <= value <= len(scheme.classes):
            self._bridge.refuse_class(value)
            return
        self._show_class(value)
        layer = self._layer
        if self.split.by is not None:
            layer = self._part_of(value) or layer
            value = 1 if value else 0
        self._viewer.layers.selection.active = layer
        layer.selected_label = value
        if str(layer.mode) not in _PAINTING:
            layer.mode = "paint"
        self._show_selected()

    def draw_polygon(self) -> None:
        """Take the polygon tool in the layer that is painted in."""
        if self._controlled is not None:
            self._viewer.layers.selection.active = self._controlled
            self._controlled.mode = "polygon"

    def close_down(self) -> None:
        """Join what is split, and disconnect from bridge and viewer."""
        self.split.close()
        self._let_go()
        self.tools.close_down()
        self._viewer.layers.selection.events.active.disconnect(self._on_active_changed)
        for signal, slot in self._connections():
            signal.disconnect(slot)

    # -- building

    def _make_widgets(self, viewer: Any) -> None:
        self.next_step = hint(NEXT_STEP)
        self.content = QWidget()
        self.working_line = hint()
        self.problem_line = error_line()
        self.palette_rows = ClassPalette()
        self.tools = ToolRows(viewer)
        self.volumes = VolumeLines()
        self.undo_button, self.redo_button = ElidedButton("Undo"), ElidedButton("Redo")
        for step in (self.undo_button, self.redo_button):
            step.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.confirm_row = ConfirmRow()
        # napari's own status line says where the mouse is as soon as that moves.
        self.said_line = hint()
        self.said_line.hide()
        self._said_long_enough = QTimer(self)
        self._said_long_enough.setSingleShot(True)
        self._said_long_enough.setInterval(_SAID_MS)
        self._said_long_enough.timeout.connect(self.said_line.hide)
        self.split_label = QLabel("Split into layers by")
        self.split_class_button, self.split_region_button = _button("class"), _button("region")
        self.split_class_button.setToolTip("One layer per class; painting in one edits the labels at once")
        self.split_region_button.setToolTip("One layer per region, inner over outer; painting in one edits the labels")
        self.join_button = _button("Join into one layer")

    def _lay_out(self) -> None:
        inside = QVBoxLayout(self.content)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(6)
        for widget in (self.working_line, self.problem_line, self.palette_rows, self.tools, self.volumes):
            inside.addWidget(widget)
        inside.addLayout(_row(self.undo_button, self.redo_button))
        inside.addWidget(self.confirm_row)
        inside.addWidget(self.said_line)
        inside.addLayout(_row(self.split_label, self.split_class_button, self.split_region_button, self.join_button))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.next_step)
        layout.addWidget(self.content)

    def _connections(self) -> list[tuple[Any, Any]]:
        bridge, split = self._bridge, self.split
        return [
            (bridge.working_changed, self._on_working_changed),
            (bridge.changed, self._on_changed),
            (bridge.edited, self._on_edited),
            (bridge.said, self.show_said),
            (bridge.history_changed, self._show_history),
            (bridge.dirty_changed, self._show_headline),
            (bridge.foreign_found, self._show_volumes),
            (bridge.spacing_changed, self._on_spacing_changed),
            (split.changed, self._on_split_changed),
        ]

    def _connect(self) -> None:
        for signal, slot in self._connections():
            signal.connect(slot)
        self._viewer.layers.selection.events.active.connect(self._on_active_changed)
        self.palette_rows.class_selected.connect(self.select_class)
        self.palette_rows.hidden_changed.connect(self._on_hidden_changed)
        self.palette_rows.locked_changed.connect(self._bridge.set_locked)
        self.volumes.go_to_foreign_requested.connect(self._bridge.go_to_foreign)
        self.undo_button.clicked.connect(self._bridge.undo)
        self.redo_button.clicked.connect(self._bridge.redo)
        self.split_class_button.clicked.connect(lambda: self.split.split(SplitBy.CLASS))
        self.split_region_button.clicked.connect(lambda: self.split.split(SplitBy.REGION))
        self.join_button.clicked.connect(self.split.join)

    # -- the working layer

    def _on_working_changed(self, layer: Labels | None) -> None:
        self._let_go()
        self._layer = layer
        scheme = self._bridge.scheme
        self.next_step.setVisible(layer is None)
        self.content.setVisible(layer is not None)
        if layer is not None and scheme is not None:
            layer.events.name.connect(self._show_headline)
            layer.events.colormap.connect(self._on_colormap)
            self._show_scheme(layer, scheme)
        self._on_active_changed()
        self._measure_overlap()
        self._show_volumes()
        self._show_history()
        self._on_split_changed()
        self._show_headline()

    def _let_go(self) -> None:
        if self._layer is not None:
            self._layer.events.name.disconnect(self._show_headline)
            self._layer.events.colormap.disconnect(self._on_colormap)
        self._layer = None
        self._control(None)

    def _show_scheme(self, layer: Labels, scheme: LabelScheme) -> None:
        self.palette_rows.show_scheme(scheme, class_colours(layer, scheme))
        self.palette_rows.show_hidden(hidden_classes(layer, scheme))
        self.volumes.show_regions([(r.name, r.long_name) for r in scheme.regions])

    def _control(self, layer: Labels | None) -> None:
        """Let tools and marks follow this layer: the working one, or the part of a split that is active."""
        if self._controlled is not None:
            self._controlled.events.selected_label.disconnect(self._show_selected)
            self._controlled.events.mode.disconnect(self._show_selected)
        self._controlled = layer
        if layer is not None:
            layer.events.selected_label.connect(self._show_selected)
            layer.events.mode.connect(self._show_selected)
        self.tools.show_layer(layer, self._bridge.spacing)
        self._show_selected()

    def _on_active_changed(self) -> None:
        active = self._viewer.layers.selection.active
        wanted = active if active in self.split.layers else self._layer
        if wanted is not self._controlled:
            self._control(wanted)

    def _on_spacing_changed(self) -> None:
        self._control(self._controlled)
        self._show_volumes()

    # -- showing

    def _show_headline(self) -> None:
        self.working_line.setText(f"{self.headline.capitalize()}{UNSAVED if self._bridge.dirty else ''}")
        self.headline_changed.emit(self.headline)

    def _show_selected(self) -> None:
        layer = self._controlled
        if layer is None:
            return
        value: int | None = 0 if str(layer.mode) == "erase" else int(layer.selected_label)
        if value and self.split.by is not None:
            value = self.split.value_of(layer)
        self.palette_rows.show_selected(value)

    def _show_volumes(self) -> None:
        rows, scheme = self._bridge.volumes(), self._bridge.scheme
        self.palette_rows.show_volumes(rows)
        self.volumes.show_volumes(rows, "" if scheme is None else scheme.title)
        self.volumes.show_dice({} if self._overlap is None else self._overlap.dice())

    def _show_history(self) -> None:
        history = self._bridge.history
        _show_step(self.undo_button, "Undo", history.next_undo, "Ctrl+Z")
        _show_step(self.redo_button, "Redo", history.next_redo, "Ctrl+Shift+Z")

    def _on_changed(self, edit: Edit) -> None:
        if self._overlap is not None:
            self._overlap.update(edit)
        self._show_volumes()

    def _on_edited(self, edit: Edit) -> None:
        # What is painted must be seen, also where its class was hidden with the brush in the hand.
        layer = self._layer
        if layer is not None and str(layer.mode) in _PAINTING and (edit.after == layer.selected_label).any():
            self._show_class(int(layer.selected_label))

    def _measure_overlap(self) -> None:
        labels, scheme, case = self._bridge.labels, self._bridge.scheme, self._case
        self._overlap = None
        if labels is not None and scheme is not None and case is not None and case.labels is not None:
            reference = case.labels.volume.data
            if reference.shape == labels.shape:
                self._overlap = ReferenceOverlap(labels, scheme, reference.astype("uint8"), case.labels.scheme)
        self._show_volumes()

    # -- classes and parts

    def _on_hidden_changed(self, hidden: frozenset[int]) -> None:
        scheme = self._bridge.scheme
        if self._layer is not None and scheme is not None:
            hide_classes(self._layer, scheme, hidden)

    def _show_class(self, value: int) -> None:
        """Show a class that is hidden, because it is going to be painted."""
        scheme = self._bridge.scheme
        if self._layer is not None and scheme is not None:
            hidden = hidden_classes(self._layer, scheme)
            if value in hidden:
                hide_classes(self._layer, scheme, hidden - {value})

    def _on_colormap(self) -> None:
        scheme = self._bridge.scheme
        if self._layer is not None and scheme is not None:
            self.palette_rows.show_colours(class_colours(self._layer, scheme))
            self.palette_rows.show_hidden(hidden_classes(self._layer, scheme))

    def _on_split_changed(self) -> None:
        whole, scheme = self.split.by is None, self._bridge.scheme
        several = scheme is not None and len(scheme.classes) > 1
        for widget in (self.split_label, self.split_class_button, self.split_region_button):
            widget.setVisible(whole and several)
        self.join_button.setVisible(not whole)
        self._on_active_changed()
        self._show_selected()

    def _part_of(self, value: int) -> Labels | None:
        """Return the layer of a split in which this class is painted; for the eraser, the one in the hand."""
        if value == 0:
            return self._controlled
        return next((part for part in self.split.layers if self.split.value_of(part) == value), None)


def _button(text: str) -> QPushButton:
    button = QPushButton(text)
    # The canvas keeps the keyboard.
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    for widget in widgets:
        row.addWidget(widget, 1 if isinstance(widget, QPushButton) else 0)
    return row


def _show_step(button: ElidedButton, verb: str, step: Edit | None, keys: str) -> None:
    name = "" if step is None else step.source
    button.show_text(f"{verb} {name}".strip())
    button.setToolTip(f"{verb} {name} in {step.where()}: {keys}" if step is not None else f"Nothing to {verb.lower()}")
    button.setEnabled(step is not None)
