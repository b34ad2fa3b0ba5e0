"""`AskedVoxels`: which voxels napari's tools are asked to give the value that they have already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal
from skimage.draw import polygon, polygon_perimeter
from skimage.segmentation import flood

from napari_brainseg.annotation.brush import voxels_under_brush
from napari_brainseg.plugin.widgets.working_data import integers

Voxels = NDArray[np.integer[Any]]
_METHODS = ("paint", "fill", "paint_polygon")


class AskedVoxels(QObject):
    """Stand in front of a layer's `paint`, `fill` and `paint_polygon`, which napari's own tools call too.

    napari drops voxels that have the value already before any of its events, so that a person who paints "this is
    oedema" over oedema would not be heard.

    Args:
        layer: A three-dimensional labels layer (Z, Y, X).
        dims: The viewer's, for the axes that are painted.
        wanted: Whether anybody wants to know just now; else nothing is computed.

    Attributes:
        asked: Flat positions of voxels that have the value which is being painted; before anything is written.
        painted: The call is over.
    """

    asked = Signal(object)
    painted = Signal()

    def __init__(self, layer: Labels, dims: Any, wanted: Callable[[], bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layer, self._dims, self._wanted = layer, dims, wanted
        for name, find in zip(_METHODS, (self._brushed, self._filled, self._encircled), strict=True):
            setattr(layer, name, self._in_front_of(getattr(layer, name), find))

    def close(self) -> None:
        """Give the layer its own methods back."""
        for name in _METHODS:
            self._layer.__dict__.pop(name, None)

    def _in_front_of(self, method: Callable[..., None], find: Callable[[Any], Voxels]) -> Callable[..., None]:
        def call(where: Any, new_label: int, *args: Any, **options: Any) -> None:
            wanted = self._wanted()
            if wanted:
                voxels = find(where)
                same = integers(self._layer.data).reshape(-1)[voxels] == new_label
                if same.any():
                    self.asked.emit(voxels[same])
            method(where, new_label, *args, **options)
            if wanted:
                self.painted.emit()

        return call

    @property
    def _axes(self) -> list[int]:
        """The axes that are painted."""
        offset = self._dims.ndim - self._layer.ndim
        return sorted(axis - offset for axis in self._dims.order[-self._layer.n_edit_dimensions :])

    @property
    def _shape(self) -> tuple[int, int, int]:
        depth, rows, columns = self._layer.data.shape
        return depth, rows, columns

    def _brushed(self, where: Sequence[float]) -> Voxels:
        layer, centre = self._layer, [round(float(c)) for c in np.round(where)]
        spacing = [abs(float(step)) for step in layer.scale]
        return voxels_under_brush(centre, int(layer.brush_size), spacing, self._axes, self._shape)

    def _filled(self, where: Sequence[float]) -> Voxels:
        """Return the voxels of one value around that clicked on; in 3-D that one alone, which takes no time."""
        seed, shape, axes = tuple(round(float(c)) for c in np.round(where)), self._shape, self._axes
        if any(not 0 <= place < n for place, n in zip(seed, shape, strict=True)):
            return np.zeros(0, np.intp)
        if len(axes) > 2:
            return np.array([np.ravel_multi_index(seed, shape)])
        plane = tuple(slice(None) if axis in axes else seed[axis] for axis in range(3))
        labels, start = integers(self._layer.data)[plane], tuple(seed[axis] for axis in axes)
        region = flood(labels, start, connectivity=1) if self._layer.contiguous else labels == labels[start]
        return self._flat(np.nonzero(region), seed)

    def _encircled(self, points: Any) -> Voxels:
        corners, axes, shape = np.array(points, int), self._axes, self._shape
        if len(axes) != 2:
            return np.zeros(0, np.intp)
        rows, columns = corners[:, axes[0]], corners[:, axes[1]]
        limits = (shape[axes[0]], shape[axes[1]])
        inside, edge = polygon(rows, columns, limits), polygon_perimeter(rows, columns, limits, clip=False)
        both = tuple(np.concatenate(pair) for pair in zip(inside, edge, strict=True))
        return np.unique(self._flat(both, tuple(corners[0])))

    def _flat(self, places: Sequence[Voxels], at: Sequence[int]) -> Voxels:
        """Return flat positions of places along the two painted axes, in the slice through `at`."""
        along = dict(zip(self._axes, places, strict=True))
        full = [along.get(axis, np.full(places[0].shape, at[axis])) for axis in range(3)]
        return np.asarray(np.ravel_multi_index(full, self._shape), np.intp)
