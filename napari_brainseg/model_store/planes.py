"""The planes that a network for slices can cut a volume along: the same network in each, their answers averaged.

A network that sees a volume from three sides knows more of it than one that sees it from one, as quickly as three such
(after the view aggregation of QuickNAT, Roy 2019, arXiv:1801.04161, there with a network for each plane). A plane is of
use where its pixels are about square: thick slices are looked at along their own plane alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from napari_brainseg.base.errors import InputError

# The axis of (Z, Y, X) that the slices of each plane follow; it changes places with Z.
PLANES = {"axial": 0, "coronal": 1, "sagittal": 2}
_LONGEST = 2.0  # of a pixel, as a share of its width

_Array = TypeVar("_Array", bound=Any)


def check_planes(planes: Sequence[str]) -> None:
    """Raise `InputError` unless the planes are known, each named once, at least one of them."""
    if not planes or len(set(planes)) < len(planes) or not set(planes) <= set(PLANES):
        raise InputError(f"planes is {list(planes)}; choose from {', '.join(PLANES)}, each once.")


def turned(array: _Array, plane: str) -> _Array:
    """Return a view of an array or tensor (…, Z, Y, X) with the plane's slices first; turned twice it is as before."""
    view: _Array = array.swapaxes(-3, PLANES[plane] - 3)
    return view


def turned_shape(three: Sequence[Any], plane: str) -> tuple[Any, Any, Any]:
    """Return what belongs to the axes (Z, Y, X), such as a shape, in the order of the plane."""
    order = list(three)
    axis = PLANES[plane]
    order[0], order[axis] = order[axis], order[0]
    return order[0], order[1], order[2]


def usable(planes: Sequence[str], spacing: Sequence[float] | None) -> tuple[str, ...]:
    """Return the planes in which pixels of a spacing (Z, Y, X) are about square; of several that are not, the best one.

    Without a spacing the slices are those of the file, axial as far as anyone knows.
    """
    if len(planes) == 1:
        return tuple(planes)
    if spacing is None:
        return ("axial",) if "axial" in planes else (planes[0],)
    length = {plane: _length(spacing, plane) for plane in planes}
    square = tuple(plane for plane in planes if length[plane] <= _LONGEST)
    return square or (min(planes, key=lambda plane: length[plane]),)


def _length(spacing: Sequence[float], plane: str) -> float:
    """Return how long a pixel is, as a share of its width."""
    sides = [float(side) for side in turned_shape(spacing, plane)[1:]]
    return max(sides) / min(sides)
