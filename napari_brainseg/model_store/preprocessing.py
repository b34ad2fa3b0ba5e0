"""How images become network inputs: recorded with a model, replayed for every case. Plain numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import Case

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Preprocessing:
    """What is done to the channels of a case before a network sees them.

    Each channel is clipped to percentiles of its foreground and scaled to mean 0 and standard deviation 1 there. The
    foreground is where the channel is brighter than a tenth of its 99.5th percentile.

    Attributes:
        crop: Crop to the box around every voxel that is not zero in all channels (skull-stripped volumes).
        margin: Voxels left around that box.
        clip: Lower and upper percentile of the foreground.
        zero_background: Set voxels that are 0 in the file to 0 after scaling (skull-stripped volumes).
    """

    crop: bool = False
    margin: int = 2
    clip: tuple[float, float] = (0.5, 99.5)
    zero_background: bool = False


def scaled(channel: NDArray[np.generic], settings: Preprocessing) -> NDArray[np.float32]:
    """Scale one channel (Z, Y, X) by its own foreground; a channel without foreground becomes 0."""
    image = channel.astype(np.float32)
    threshold = 0.1 * float(np.percentile(image, 99.5))
    foreground = image[image > max(threshold, 0.0)]
    if foreground.size < 8:
        return np.zeros(image.shape, np.float32)
    low, high = np.percentile(foreground, settings.clip)
    inside = np.clip(foreground, low, high)
    deviation = float(inside.std()) or 1.0
    result = (np.clip(image, min(0.0, low), high) - float(inside.mean())) / deviation
    if settings.zero_background:
        result[image == 0] = 0
    return np.asarray(result, np.float32)


def brain_box(channels: Sequence[NDArray[np.generic]], margin: int) -> Box:
    """Return the box around every voxel that is not zero in all channels, with a margin; the whole array if none is."""
    shape = channels[0].shape
    seen = np.zeros(shape, bool)
    for channel in channels:
        seen |= channel != 0
    if not seen.any():
        return (slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2]))
    bounds = []
    for axis, size in enumerate(shape):
        indices = np.flatnonzero(seen.any(axis=tuple(a for a in range(3) if a != axis)))
        bounds.append(slice(max(0, int(indices[0]) - margin), min(size, int(indices[-1]) + 1 + margin)))
    return (bounds[0], bounds[1], bounds[2])


def prepare(case: Case, channels: Sequence[str], settings: Preprocessing) -> tuple[NDArray[np.float32], Box]:
    """Return the network's input (C, z, y, x) for a case, and the box of the case's grid that it covers.

    A channel that the case lacks is 0 throughout, the mean of the scaled foreground.

    Raises:
        InputError: The case has none of the channels.
    """
    present = {name: case.channels[name].data for name in channels if name in case.channels}
    if not present:
        raise InputError(
            f"{case.id} has none of the channels {', '.join(channels)} that this model needs. Choose another model."
        )
    whole = tuple(slice(0, n) for n in case.geometry.shape)
    box: Box = brain_box(list(present.values()), settings.margin) if settings.crop else (whole[0], whole[1], whole[2])
    inputs = np.zeros((len(channels), *(s.stop - s.start for s in box)), np.float32)
    for index, name in enumerate(channels):
        if name in present:
            inputs[index] = scaled(present[name][box], settings)
    return inputs, box
