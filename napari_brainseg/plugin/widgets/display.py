"""`Display`: how a case looks on the canvas, and everything about it that a key or a switch changes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Labels
from qtpy.QtCore import QObject

from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import SCHEMES
from napari_brainseg.plugin.layers import Role, difference_colours, identity_of
from napari_brainseg.plugin.widgets.class_visibility import colour_classes
from napari_brainseg.plugin.widgets.orientation_letters import OrientedView

# A key that is let go sooner was tapped, not held.
TAP_SECONDS = 0.25
SMOOTH, PLAIN = "linear", "nearest"
_MAPS = (Role.PROBABILITY, Role.UNCERTAINTY)


class Display(QObject):
    """Orientation, overlay, outlines, channels, smoothness and scale bar of one viewer; `close` puts all of it back."""

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._view = OrientedView(viewer, self)
        self._channels: tuple[str, ...] = ()
        self._closed = False
        self._smooth = True
        self._outlined = False
        self._colour_blind = False
        self._hidden: list[Any] = []
        self._pressed_at = 0.0
        self._filled_opacity: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self._before: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()
        self._scale_bar_before: bool = viewer.canvas.overlays.scale_bar.visible
        for layer in viewer.layers:
            self._adopt(layer)
        viewer.layers.events.inserted.connect(self._on_inserted)

    @property
    def view(self) -> OrientedView:
        """The camera's orientation and the letters at the edges."""
        return self._view

    @property
    def overlay_visible(self) -> bool:
        """Whether the labels are shown over the image."""
        return not self._hidden

    @property
    def smooth(self) -> bool:
        """Whether images are interpolated; labels never are."""
        return self._smooth

    @property
    def outlined(self) -> bool:
        """Whether labels are outlines."""
        return self._outlined

    def show_case(self, case: Case | None) -> None:
        """Show the layers of `case`, which are in the viewer already, by the convention; None when it was closed."""
        self.set_channels(() if case is None else case.expected)
        self.show_case_orientation(None if case is None else case.geometry.affine is not None)

    def show_case_orientation(self, known: bool | None) -> None:
        """Orient the view and write the letters (True), show as stored and say so (False), or do neither (None)."""
        self.overlay_on()
        self._view.show(known)
        self._show_scale_bar()

    def set_channels(self, names: Sequence[str]) -> None:
        """Say which channels a case of this kind has, in the order of the keys Shift+1, 2, 3, 4."""
        self._channels = tuple(names)

    def set_neurological(self, neurological: bool) -> None:
        """Show the patient's left on the left of the screen; the data stay as they are."""
        self._view.set_neurological(neurological)

    def set_colour_blind(self, colour_blind: bool) -> None:
        """Draw labels in colours that colour-blind people tell apart, or in the usual ones."""
        self._colour_blind = colour_blind
        for layer in self._viewer.layers:
            self._colour(layer)

    def overlay_off(self) -> None:
        """Hide the labels and maps that are shown, and remember them."""
        if not self._hidden:
            self._hidden = [layer for layer in self._viewer.layers if layer.visible and _is_overlay(layer)]
            for layer in self._hidden:
                layer.visible = False

    def overlay_on(self) -> None:
        """Show again what `overlay_off` hid."""
        hidden, self._hidden = self._hidden, []
        for layer in hidden:
            # Setting True twice would set napari's tool back to the one at the time of hiding.
            if layer in self._viewer.layers and not layer.visible:
                layer.visible = True

    def overlay_toggle(self) -> None:
        """Hide the overlay, or show it again."""
        if self._hidden:
            self.overlay_on()
        else:
            self.overlay_off()
        self._viewer.status = "Overlay on" if self.overlay_visible else "Overlay off (H shows it)"

    def hold_overlay(self, pressed: bool) -> None:
        """Toggle the overlay while a key is held; a tap leaves it toggled."""
        if pressed:
            self._pressed_at = time.monotonic()
            self.overlay_toggle()
        elif time.monotonic() - self._pressed_at > TAP_SECONDS:
            self.overlay_toggle()

    def outline_toggle(self) -> None:
        """Draw labels as outlines, or filled."""
        self._outlined = not self._outlined
        for layer in self._viewer.layers:
            self._outline(layer)

    def smooth_toggle(self) -> None:
        """Draw images smooth, or as plain pixels."""
        self._smooth = not self._smooth
        for layer in self._viewer.layers:
            self._smoothen(layer)
        self._viewer.status = "Images are drawn smooth" if self._smooth else "Images are drawn as plain pixels"

    def show_channel(self, number: int) -> None:
        """Show the case's channel `number` (1 is the first) and hide its other channels; labels stay."""
        images = self._channel_layers()
        names = self._channels or tuple(reversed(images))
        if not 1 <= number <= len(names):
            self._viewer.status = f"There is no channel {number}."
        elif names[number - 1] not in images:
            self._viewer.status = f"This case has no {names[number - 1]}."
        else:
            shown = names[number - 1]
            images[shown].visible = True
            for name, layer in images.items():
                layer.visible = name == shown
            self._viewer.status = f"Channel {number}: {shown}"
            self._show_scale_bar()

    def close(self) -> None:
        """Disconnect, and put back whatever was changed; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        self.overlay_on()
        if self._outlined:
            self.outline_toggle()
        if self._colour_blind:
            self.set_colour_blind(False)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._view.close()
        self._viewer.canvas.overlays.scale_bar.visible = self._scale_bar_before
        for layer, attributes in self._before.items():
            if layer in self._viewer.layers:
                for name, value in attributes.items():
                    setattr(layer, name, value)

    def _on_inserted(self, event: Any) -> None:
        self._adopt(event.value)
        self._show_scale_bar()

    def _adopt(self, layer: Any) -> None:
        self._smoothen(layer)
        if self._outlined:
            self._outline(layer)
        if self._colour_blind:
            self._colour(layer)

    def _colour(self, layer: Any) -> None:
        identity = identity_of(layer)
        if identity is None or not isinstance(layer, Labels) or identity.scheme_id not in SCHEMES:
            return
        scheme = SCHEMES[identity.scheme_id]
        if identity.role is Role.DIFFERENCE:
            layer.colormap = difference_colours(scheme, colour_blind=self._colour_blind)
        elif identity.role is not Role.SPLIT:  # a part takes its class's colour when it is made
            colour_classes(layer, scheme, colour_blind=self._colour_blind)

    def _smoothen(self, layer: Any) -> None:
        identity = identity_of(layer)
        if isinstance(layer, Image) and identity is not None and identity.role in (Role.CHANNEL, *_MAPS):
            self._change(layer, "interpolation2d", SMOOTH if self._smooth else PLAIN)

    def _outline(self, layer: Any) -> None:
        if not isinstance(layer, Labels) or identity_of(layer) is None:
            return
        self._change(layer, "contour", 1 if self._outlined else 0)
        if self._outlined:
            # A line one voxel wide can hardly be seen through; what is filled must be.
            self._filled_opacity.setdefault(layer, layer.opacity)
            layer.opacity = 1.0
        elif layer in self._filled_opacity:
            layer.opacity = self._filled_opacity.pop(layer)

    def _change(self, layer: Any, attribute: str, value: Any) -> None:
        self._before.setdefault(layer, {}).setdefault(attribute, getattr(layer, attribute))
        setattr(layer, attribute, value)

    def _channel_layers(self) -> dict[str, Any]:
        found = {}
        for layer in self._viewer.layers:
            identity = identity_of(layer)
            if isinstance(layer, Image) and identity is not None and identity.role is Role.CHANNEL:
                found[identity.name] = layer
        return found

    def _show_scale_bar(self) -> None:
        channels = self._channel_layers().values()
        in_mm = any(str(unit) in ("millimeter", "mm") for layer in channels for unit in layer.units)
        self._viewer.canvas.overlays.scale_bar.visible = in_mm or (not channels and self._scale_bar_before)


def _is_overlay(layer: Any) -> bool:
    identity = identity_of(layer)
    return isinstance(layer, Labels) or (identity is not None and identity.role in _MAPS)
