"""What makes a slice or a label suspicious: nothing to see, outside of the head, or all alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.cases.volume import Volume

# Shares of a channel's bright values. Air in the LGG set reaches 3 % of them, and up to 10 % in slices above the head.
_DARK = 0.04
_BLANK = 0.1
_CORNERS = np.ix_((0, -1), (0, -1), (0, -1))
_TOUCHING = np.ones((3, 3, 3))

Channels = Mapping[str, Volume]
Places = NDArray[np.intp]  # (N, 3), voxels (z, y, x)


def background_and_brightness(image: NDArray[Any]) -> tuple[float, float]:
    """Return the usual value of the corners of a volume (Z, Y, X), and how far its bright values lie above it."""
    background = float(np.median(image[_CORNERS]))
    # Every fourth row and column gives the percentile as well, sixteen times as fast.
    return background, max(float(np.percentile(image[:, ::4, ::4], 99.5)) - background, 1e-6)


def blank_slices(channels: Channels) -> dict[str, NDArray[np.bool_]]:
    """Return by channel whether each slice holds nothing but even background or faint noise, (Z,)."""
    blank = {}
    for name, volume in channels.items():
        _, brightness = background_and_brightness(volume.data)
        span = volume.data.max((1, 2)).astype(np.float64) - volume.data.min((1, 2)).astype(np.float64)
        blank[name] = span <= _BLANK * brightness
    return blank


def is_between(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which chosen slices (Z,) lie between others: runs that reach an end of the stack are left out."""
    others = np.flatnonzero(~chosen)
    between = np.zeros_like(chosen)
    if len(others):
        between[others[0] : others[-1]] = chosen[others[0] : others[-1]]
    return between


def outside_brain(labels: LabelArray, channels: Channels) -> Places:
    """Return the labelled voxels that lie outside of what the channels show.

    Outside is what is as dark as the corners in every channel and is not enclosed by anything brighter in its slice.
    """
    images: list[NDArray[Any]] = [volume.data for volume in channels.values()]
    levels = [(image, *background_and_brightness(image)) for image in images]
    labelled = labels > 0
    is_dark = np.ones(np.count_nonzero(labelled), bool)
    for data, background, brightness in levels:
        is_dark &= np.abs(data[labelled] - np.float32(background)) <= _DARK * brightness
    dark = np.zeros_like(labelled)
    dark[labelled] = is_dark
    for z in np.flatnonzero(dark.any((1, 2))):
        bright = np.zeros(labels.shape[1:], bool)
        for data, background, brightness in levels:
            bright |= np.abs(data[z] - np.float32(background)) > _DARK * brightness
        dark[z] &= ~ndimage.binary_fill_holes(bright)
    return np.argwhere(dark)


def lesions(mask: NDArray[np.bool_]) -> tuple[tuple[int, ...], Places]:
    """Return the sizes of the parts of a mask (Z, Y, X), whose voxels touch at least by a corner, and single voxels."""
    if not mask.any():
        return (), np.zeros((0, 3), np.intp)
    edges = [np.flatnonzero(mask.any(tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(int(e[0]), int(e[-1]) + 1) for e in edges)
    numbered, _ = ndimage.label(mask[box], _TOUCHING)
    sizes = np.bincount(numbered.ravel())[1:]
    alone = np.flatnonzero(sizes == 1) + 1
    single = np.argwhere(np.isin(numbered, alone)) if len(alone) else np.zeros((0, 3), np.intp)
    return tuple(int(s) for s in sizes), single + [e[0] for e in edges]
