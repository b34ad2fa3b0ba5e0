"""`ShownSlice`: which slice of the working labels is shown, in which plane, and going to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_brainseg.annotation.corrections import ConfirmedSlice
from napari_brainseg.plugin.layers import Role, identity_of


class ShownSlice(QObject):
    """The viewer's slice of one layer.

    Args:
        viewer: The viewer.
        layer: Returns the layer, (Z, Y, X), or None.

    Signals:
        changed(): Another slice or plane is shown.
    """

    changed = Signal()

    def __init__(self, viewer: Any, layer: Callable[[], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._layer = viewer, layer
        events = viewer.dims.events
        self._events: tuple[Any, ...] = (events.point, events.order, events.ndisplay)
        self._tell: Callable[[Any], None] = lambda _event: self.changed.emit()
        for event in self._events:
            event.connect(self._tell)

    def close(self) -> None:
        """Disconnect from the viewer; harmless when repeated."""
        for event in self._events:
            event.disconnect(self._tell)
        self._events = ()

    @property
    def slice(self) -> ConfirmedSlice | None:
        """The slice that is shown, or None in 3-D, outside the layer or without one."""
        layer, dims = self._layer(), self._viewer.dims
        if layer is None or dims.ndisplay != 2:
            return None
        offset = dims.ndim - layer.ndim
        axes = [axis - offset for axis in dims.not_displayed if axis >= offset]
        if len(axes) != 1:
            return None
        index = round(float(layer.world_to_data(dims.point)[axes[0]]))
        return ConfirmedSlice(axes[0], index) if 0 <= index < layer.data.shape[axes[0]] else None

    @property
    def visible(self) -> bool:
        """Whether the layer, or a part of it while it is split, is drawn."""
        layer = self._layer()
        return any(one.visible for one in self._viewer.layers if one is layer or _is_part(one))

    def go_to(self, axis: int, index: int) -> None:
        """Show the slice `index` along `axis`, if that is the one that can be scrolled."""
        layer = self._layer()
        if layer is None:
            return
        offset = self._viewer.dims.ndim - layer.ndim
        corner = [float(index) if a == axis else 0.0 for a in range(layer.ndim)]
        self._viewer.dims.set_point(axis + offset, float(layer.data_to_world(corner)[axis]))


def _is_part(layer: Any) -> bool:
    identity = identity_of(layer)
    return identity is not None and identity.role is Role.SPLIT
