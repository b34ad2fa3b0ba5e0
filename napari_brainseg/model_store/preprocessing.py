"""How images become network inputs: recorded with a model, replayed for every case. Plain numpy."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import Case
from napari_brainseg.model_store.image_features import edge_image, equalised, middle_cluster
from napari_brainseg.model_store.planes import check_planes
from napari_brainseg.model_store.value_counts import ValueCounts

Box = tuple[slice, slice, slice]

_NOISE = 0.02  # of a row; noise alone reaches a tenth of the 99.5th percentile here and there
_AROUND_HEAD = 8  # voxels


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
        scaling: `zscore` as above; `median`: twice the relative difference to the median of the foreground, which,
            unlike the mean, scalp and coil shading hardly move, but noise around the head does; or `percentile`: from
            the clip's ends to 0 and 1.
        blur: Standard deviation of a Gaussian blur within slices, pixels; 0 for none.
        equalise: `none`, `histogram` (equalisation over the foreground) or `clahe` (per slice); of images only.
        edges: Add the edges of the first channel as one more channel.
        clusters: Add the middle cluster of this many (k-means by intensity of the first channel) too; 0 for none.
        neighbours: Slices on each side that join the input of a 2-D network (2.5-D).
        planes: Planes along which a 2-D network sees a case, see `planes`; their probabilities are averaged.
    """

    crop: bool = False
    margin: int = 2
    clip: tuple[float, float] = (0.5, 99.5)
    zero_background: bool = False
    scaling: str = "zscore"
    blur: float = 0.0
    equalise: str = "none"
    edges: bool = False
    clusters: int = 0
    neighbours: int = 0
    planes: tuple[str, ...] = ("axial",)

    def __post_init__(self) -> None:
        check_planes(self.planes)
        if self.scaling not in ("zscore", "median", "percentile"):
            raise InputError(f"There is no scaling {self.scaling!r}; choose zscore, median or percentile.")
        if self.equalise not in ("none", "histogram", "clahe"):
            raise InputError(f"There is no equalisation {self.equalise!r}; choose none, histogram or clahe.")
        if self.neighbours < 0 or self.blur < 0 or self.clusters < 0 or self.clusters == 1:
            raise InputError("neighbours and blur are 0 or more; clusters is 0, or 2 and more.")
        if self.margin < 0 or not 0 <= self.clip[0] < self.clip[1] <= 100:
            raise InputError("margin is 0 or more; clip has two percentiles from 0 to 100, the lower one first.")


def input_channels(settings: Preprocessing, count: int) -> int:
    """Return how many channels a network gets for a case of `count` image channels."""
    return (count + settings.edges + bool(settings.clusters)) * (2 * settings.neighbours + 1)


def stacked(images: NDArray[Any], places: Iterable[int], neighbours: int) -> NDArray[Any]:
    """Return slices of images (C, Z, Y, X) with their neighbours as (N, (2n+1) * C, Y, X), lowest slice first.

    Beyond the ends the last slice is repeated.
    """
    around = np.asarray(list(places))[:, None] + np.arange(-neighbours, neighbours + 1)
    chosen = images[:, np.clip(around, 0, images.shape[1] - 1)]  # (C, N, 2n+1, Y, X)
    return np.ascontiguousarray(chosen.transpose(1, 2, 0, 3, 4)).reshape(len(around), -1, *images.shape[2:])


def scaled(channel: NDArray[np.generic], settings: Preprocessing) -> NDArray[np.float32]:
    """Scale one channel (Z, Y, X) by its own foreground; a channel without foreground becomes 0."""
    result = np.zeros(channel.shape, np.float32)
    _scale_into(result, channel, settings)
    return result


def _scale_into(result: NDArray[np.float32], channel: NDArray[np.generic], settings: Preprocessing) -> None:
    """Write a scaled channel over zeros of its shape."""
    counted = None if settings.blur or settings.equalise != "none" else ValueCounts.of(channel)
    if counted is None:
        result[:] = _scaled_by_voxel(channel, settings)
    else:
        _scale_by_value(result, counted, settings)


def _scaled_by_voxel(channel: NDArray[np.generic], settings: Preprocessing) -> NDArray[np.float32]:
    image = _smoothed(channel.astype(np.float32), settings)
    threshold = 0.1 * float(np.percentile(image, 99.5))
    foreground = image[image > max(threshold, 0.0)]
    if foreground.size < 8:
        return np.zeros(image.shape, np.float32)
    low, high = np.percentile(foreground, settings.clip)
    inside = np.clip(foreground, low, high)
    if settings.equalise != "none":
        result = equalised(np.clip(image, low, high), image > max(threshold, 0.0), settings.equalise)
    elif settings.scaling == "percentile":
        result = np.clip((image - low) / max(float(high - low), 1e-6), 0, 1)
    else:
        middle, unit = _middle_and_unit(settings, float(inside.mean()), float(inside.std()), float(np.median(inside)))
        result = (np.clip(image, min(0.0, low), high) - middle) / unit
    if settings.zero_background:
        result[channel == 0] = 0
    return np.asarray(result, np.float32)


def _scale_by_value(result: NDArray[np.float32], counted: ValueCounts, settings: Preprocessing) -> None:
    """Write a scaled image of whole numbers: what each voxel would become, worked out once for each value."""
    foreground = counted.above(max(0.1 * counted.percentile(99.5), 0.0))
    if foreground.size < 8:
        return
    low, high = (foreground.percentile(share) for share in settings.clip)
    values = np.arange(len(counted.counts))
    if settings.scaling == "percentile":
        table = ((values - low) / max(high - low, 1e-6)).clip(0, 1)
    else:
        middle, unit = _middle_and_unit(settings, *foreground.clipped_moments(low, high), foreground.percentile(50))
        table = (values.clip(min(0.0, low), high) - middle) / unit
    if settings.zero_background:
        table[0] = 0
    table = table.astype(np.float32)
    # Looking up makes indices eight bytes wide: those of one slice stay in the cache.
    for place, codes in zip(result, counted.codes, strict=True):
        np.take(table, codes, out=place, mode="clip")


def _middle_and_unit(settings: Preprocessing, mean: float, deviation: float, median: float) -> tuple[float, float]:
    """Return what becomes 0, and by how much more 1 is, of a foreground; its median is above 0 as all of it is."""
    return (median, median / 2) if settings.scaling == "median" else (mean, deviation or 1.0)


def _smoothed(image: NDArray[np.float32], settings: Preprocessing) -> NDArray[np.float32]:
    if not settings.blur:
        return image
    return np.asarray(ndimage.gaussian_filter(image, (0, settings.blur, settings.blur)), np.float32)


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


def head_box(channels: Sequence[NDArray[Any]], multiple: int) -> Box:
    """Return all slices (Z, Y, X), and of their rows and columns those that the head lies in, with a margin.

    A voxel is of the head where any channel is brighter than a tenth of its 99.5th percentile, as for the scaling. Rows
    and columns of which less than a fiftieth is of it, over all slices that hold any, are noise. Their numbers are
    multiples of `multiple` where the image is as large.
    """
    depth, *size = channels[0].shape
    seen = np.zeros((depth, -(-size[0] // 2), -(-size[1] // 2)), bool)  # every other voxel says as much
    for channel in channels:
        threshold = 0.1 * float(np.percentile(channel[:, ::4, ::4], 99.5))
        seen |= channel[:, ::2, ::2] > max(threshold, 0.0)
    seen = seen[seen.any(axis=(1, 2))]  # a head in a few of many slices would be taken for noise
    bounds = [slice(0, depth)]
    for length, across in zip(size, ((0, 2), (0, 1)), strict=True):
        found = np.flatnonzero(seen.mean(axis=across) > _NOISE) if seen.size else seen
        first, last = (2 * int(found[0]), 2 * int(found[-1]) + 2) if found.size else (0, length)
        wanted = min(length, -(-(last - first + 2 * _AROUND_HEAD) // multiple) * multiple)
        start = min(max(0, (first + last - wanted) // 2), length - wanted)
        bounds.append(slice(start, start + wanted))
    return bounds[0], bounds[1], bounds[2]


def require_channels(case: Case, channels: Sequence[str]) -> None:
    """Raise `InputError` where a case has none of the channels of a model."""
    if not set(channels) & set(case.channels):
        raise InputError(
            f"{case.id} has none of the channels {', '.join(channels)} that this model needs. Choose another model."
        )


def prepare(case: Case, channels: Sequence[str], settings: Preprocessing) -> tuple[NDArray[np.float32], Box]:
    """Return the network's input (C, z, y, x) for a case, and the box of the case's grid that it covers.

    A channel that the case lacks is 0 throughout, the mean of the scaled foreground.

    Raises:
        InputError: The case has none of the channels.
    """
    require_channels(case, channels)
    present = {name: case.channels[name].data for name in channels if name in case.channels}
    whole = tuple(slice(0, n) for n in case.geometry.shape)
    box: Box = brain_box(list(present.values()), settings.margin) if settings.crop else (whole[0], whole[1], whole[2])
    inputs = np.zeros((len(channels), *(s.stop - s.start for s in box)), np.float32)
    # numpy lets other threads work while it sorts and scales, so that two channels take the time of one.
    with ThreadPoolExecutor(max(1, min(len(present), os.cpu_count() or 1))) as threads:
        places = [inputs[index] for index, name in enumerate(channels) if name in present]
        list(threads.map(lambda place, channel: _scale_into(place, channel[box], settings), places, present.values()))
    added = []
    if settings.edges:
        added.append(edge_image(inputs[0]))
    if settings.clusters:
        added.append(middle_cluster(inputs[0], settings.clusters))
    return (np.concatenate([inputs, np.stack(added)]) if added else inputs), box
