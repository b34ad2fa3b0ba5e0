"""Which way round a slice is shown, and which patient direction lies at which edge; plain numbers, no viewer.

Arrays lie in LPS+: axis 0 (Z) runs to superior, axis 1 (Y) to posterior, axis 2 (X) to the patient's left.

The radiological convention: axial anterior up, coronal superior up, both with the patient's left on the right of the
screen; sagittal superior up with anterior on the left. The neurological one mirrors axial and coronal; sagittal is the
same in both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z, Y, X = range(3)
AXIAL, CORONAL, SAGITTAL = (Z, Y, X), (Y, Z, X), (X, Z, Y)
PLANE_NAMES = {Z: "axial", Y: "coronal", X: "sagittal"}
# The letters towards the end and towards the start of each axis.
_ENDS, _STARTS = "SPL", "IAR"
# A direction between two axes gets both letters, the nearer axis first; below this share of it an axis is left out.
_OBLIQUE = 0.35


@dataclass(frozen=True)
class EdgeLetters:
    """The patient directions at the edges of the canvas: R L A P S I, or two letters where it is oblique."""

    left: str
    right: str
    top: str
    bottom: str


def settled_order(order: tuple[int, ...], previous: tuple[int, ...]) -> tuple[int, ...]:
    """Return `order` with the two displayed axes so that the plane can be shown by the convention.

    napari's "roll" also transposes the plane: from sagittal it leads to a coronal with superior to the side. That is
    put upright here; the roll after it then starts from the upright coronal, and would never come back to axial.

    Args:
        order: The order of axes that was asked for; the last two are rows and columns.
        previous: The order shown until now.
    """
    if (previous, order) == (CORONAL, _rolled(CORONAL)):
        return AXIAL
    *hidden, one, other = order
    return (*hidden, min(one, other), max(one, other))


def _rolled(order: tuple[int, ...]) -> tuple[int, ...]:
    return (order[-1], *order[:-1])


def camera_orientation(displayed: tuple[int, int, int], *, neurological: bool = False) -> tuple[str, str, str]:
    """Return napari's `camera.orientation`: which way the depth, vertical and horizontal axis run.

    The depth follows from the other two, so that a 3-D view is never the mirror image of the patient.

    Args:
        displayed: Patient axes (Z, Y, X as 0, 1, 2) in depth, vertical and horizontal direction.
        neurological: Show the patient's left on the left.
    """
    _, vertical, horizontal = displayed
    up = 1 if vertical == Z else -1
    right = -1 if neurological and horizontal == X else 1
    # Right, up and towards the viewer are right-handed, and so are left, posterior and superior: X, Y, Z.
    parity = np.linalg.det(np.eye(3)[[horizontal, vertical, displayed[0]]][:, [X, Y, Z]])
    towards = parity * up * right > 0
    return ("towards" if towards else "away", "up" if up > 0 else "down", "right" if right > 0 else "left")


def screen_directions(
    orientation: tuple[str, str, str],
    view: tuple[float, float, float] | None = None,
    up: tuple[float, float, float] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the directions to the right and to the top of the screen, in (depth, vertical, horizontal) of the scene.

    Args:
        orientation: The camera's orientation: depth, vertical, horizontal.
        view: In 3-D, the camera's view direction; in 2-D None.
        up: In 3-D, the camera's up direction; in 2-D None.
    """
    away, upwards, rightwards = (
        1.0 if value == wanted else -1.0 for value, wanted in zip(orientation, ("away", "up", "right"), strict=True)
    )
    if view is None or up is None:
        return np.array([0, 0, rightwards]), np.array([0, upwards, 0])
    # Unturned, the camera looks along (away, 0, 0) with (0, upwards, 0) up, and right is (0, 0, rightwards).
    return away * upwards * rightwards * np.cross(view, up), np.asarray(up, float)


def edge_letters(right: NDArray[np.float64], up: NDArray[np.float64]) -> EdgeLetters:
    """Return the letters at the edges, from the patient directions (Z, Y, X) to the right and to the top."""
    return EdgeLetters(left=_letters(-right), right=_letters(right), top=_letters(up), bottom=_letters(-up))


def _letters(direction: NDArray[np.float64]) -> str:
    sizes = np.abs(direction) / max(float(np.linalg.norm(direction)), 1e-12)
    nearest = [axis for axis in np.argsort(-sizes, kind="stable") if sizes[axis] > _OBLIQUE]
    return "".join(_ENDS[axis] if direction[axis] > 0 else _STARTS[axis] for axis in nearest)
