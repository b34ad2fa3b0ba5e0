"""`OrientedView`: the camera turned by the convention in every plane, with R L A P S I at the edges of the canvas."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components.overlays import TextOverlay
from napari.settings import get_settings
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_brainseg.plugin.layers import Role, identity_of
from napari_brainseg.plugin.widgets import orientation as convention
from napari_brainseg.plugin.widgets.orientation import EdgeLetters

UNKNOWN = "orientation unknown"
_EDGES = {"left": "middle_left", "right": "middle_right", "top": "top_center", "bottom": "bottom_center"}
_PREFERENCES = ("depth_axis_orientation", "vertical_axis_orientation", "horizontal_axis_orientation")
# What can turn the shown channel in the world, or show another one that was turned.
_TURNING = ("affine", "rotate", "scale", "shear", "visible")


class OrientedView(QObject):
    """Turns the camera of one viewer and says in letters which way it is turned."""

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._camera = viewer.scene.camera
        self._known: bool | None = None
        self._neurological = False
        self._closed = False
        self._users_orientation = self._camera.orientation
        self._shown_order: tuple[int, ...] = tuple(viewer.dims.order)
        self._overlays = {edge: TextOverlay(position=place, font_size=14) for edge, place in _EDGES.items()}
        self._connect()

    @property
    def neurological(self) -> bool:
        """Whether the patient's left is shown on the left."""
        return self._neurological

    @property
    def letters(self) -> EdgeLetters | None:
        """The letters that belong at the edges now, or None where the orientation is unknown or no case is open."""
        if not self._known or self._viewer.dims.ndim < 3:
            return None
        to_patient = self._world_to_patient()
        return convention.edge_letters(*(to_patient @ direction for direction in self._world_directions()))

    def show(self, known: bool | None) -> None:
        """Show a case whose orientation is known (True) or not (False), or no case (None: as the user had it)."""
        self._known = known
        for edge, overlay in self._overlays.items():
            key = f"brainseg_{edge}"
            if known is not None and key not in self._viewer.canvas.overlays:
                self._viewer.canvas.overlays[key] = overlay
            elif known is None and key in self._viewer.canvas.overlays:
                del self._viewer.canvas.overlays[key]
        self._turn()

    def set_neurological(self, neurological: bool) -> None:
        """Show the patient's left on the left (True) or on the right (False); the data stay as they are."""
        self._neurological = neurological
        self._turn()

    def close(self) -> None:
        """Take the letters away and give the user's own orientation back; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        self.show(None)
        self._viewer.dims.events.order.disconnect(self._on_order)
        self._viewer.dims.events.ndisplay.disconnect(self._turn)
        self._camera.events.orientation.disconnect(self._write)
        self._camera.events.angles.disconnect(self._write)
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self._viewer.layers.events.removed.disconnect(self._write)
        for name in _PREFERENCES:
            getattr(get_settings().application.events, name).disconnect(self._on_preference)
        for layer in self._viewer.layers:
            for event in _TURNING:
                getattr(layer.events, event).disconnect(self._write)

    def _connect(self) -> None:
        # First, before napari fits the view to a plane that is about to be put upright.
        self._viewer.dims.events.order.connect(self._on_order, position="first")
        self._viewer.dims.events.ndisplay.connect(self._turn)
        self._camera.events.orientation.connect(self._write)
        self._camera.events.angles.connect(self._write)
        self._viewer.layers.events.inserted.connect(self._on_inserted)
        self._viewer.layers.events.removed.connect(self._write)
        for layer in self._viewer.layers:
            self._watch(layer)
        for name in _PREFERENCES:
            # Last, after napari has reset the camera to the preference.
            getattr(get_settings().application.events, name).connect(self._on_preference, position="last")

    def _on_inserted(self, event: Any) -> None:
        self._watch(event.value)
        self._write()

    def _watch(self, layer: Any) -> None:
        for event in _TURNING:
            getattr(layer.events, event).connect(self._write)

    def _on_preference(self, event: Any = None) -> None:
        application = get_settings().application
        self._users_orientation = tuple(getattr(application, name) for name in _PREFERENCES)
        self._turn()

    def _on_order(self, event: Any = None) -> None:
        order = tuple(self._viewer.dims.order)
        settled = convention.settled_order(order, self._shown_order) if self._is_oriented() else order
        self._shown_order = settled
        if settled != order:
            self._viewer.dims.order = settled
        else:
            self._turn()

    def _is_oriented(self) -> bool:
        return bool(self._known) and len(self._displayed()) == 3

    def _displayed(self) -> tuple[int, ...]:
        # The case's axes are the last three of the viewer's, which have more while a layer of time points is open.
        before = self._viewer.dims.ndim - 3
        return tuple(axis - before for axis in self._viewer.dims.order[-3:] if axis >= before >= 0)

    def _turn(self, event: Any = None) -> None:
        displayed = self._displayed()
        if self._known is None:
            self._camera.orientation = self._users_orientation
        elif self._is_oriented() and len(displayed) == 3:
            settled = convention.settled_order(tuple(self._viewer.dims.order), self._shown_order)
            if settled != tuple(self._viewer.dims.order):
                self._viewer.dims.order = settled
                return
            depth, vertical, horizontal = displayed
            self._camera.orientation = convention.camera_orientation(
                (depth, vertical, horizontal), neurological=self._neurological
            )
        else:
            # As stored: rows run down, columns to the right.
            self._camera.orientation = ("away", "down", "right")
        self._write()

    def _write(self, event: Any = None) -> None:
        letters = self.letters
        unknown = self._known is False
        for edge, overlay in self._overlays.items():
            text = getattr(letters, edge) if letters is not None else UNKNOWN if unknown and edge == "top" else ""
            overlay.text = text
            overlay.font_size = 10 if unknown else 14
            overlay.visible = bool(text)

    def _world_directions(self) -> list[NDArray[np.float64]]:
        in_3d = self._viewer.dims.ndisplay == 3
        camera = self._camera
        directions = convention.screen_directions(
            tuple(str(value) for value in camera.orientation),  # type: ignore[arg-type]
            camera.view_direction if in_3d else None,
            camera.up_direction if in_3d else None,
        )
        world = []
        for direction in directions:
            in_world = np.zeros(self._viewer.dims.ndim)
            in_world[list(self._viewer.dims.order[-3:])] = direction
            world.append(in_world[-3:])
        return world

    def _world_to_patient(self) -> NDArray[np.float64]:
        # A layer that was turned by hand (napari's "rotate layers") carries the patient's axes with it.
        layer = self._shown_channel()
        if layer is None:
            return np.eye(3)
        origin = np.asarray(layer.data_to_world((0.0, 0.0, 0.0)))
        axes = np.array([np.asarray(layer.data_to_world(unit)) - origin for unit in np.eye(3)])
        return np.asarray(axes / np.linalg.norm(axes, axis=1, keepdims=True))

    def _shown_channel(self) -> Any:
        channels = []
        for layer in self._viewer.layers:
            identity = identity_of(layer)
            if identity is not None and identity.role is Role.CHANNEL and layer.ndim == 3:
                channels.append(layer)
        visible = [layer for layer in channels if layer.visible]
        return (visible or channels or [None])[-1]
