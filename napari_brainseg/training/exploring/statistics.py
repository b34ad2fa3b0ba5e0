"""The facts of one case, and everything odd about it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.attaching import without_mask
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.slices import patient_and_number
from napari_brainseg.training.exploring.copies import copied_colours, copied_slices
from napari_brainseg.training.exploring.findings import CaseFacts, ChannelFacts, Kind, Oddity
from napari_brainseg.training.exploring.known_labels import KnownLabels
from napari_brainseg.training.exploring.suspicion import Places, blank_slices, is_between, lesions, outside_brain


def class_pixels(labels: LabelArray, scheme: LabelScheme) -> NDArray[np.int64]:
    """Count the pixels of each class in each slice of labels (Z, Y, X): (Z, K), the background first."""
    count = len(scheme.classes) + 1
    return np.stack([np.bincount(plane.ravel(), minlength=count) for plane in labels]).astype(np.int64)


def channel_facts(case: Case) -> dict[str, ChannelFacts]:
    """Return extremes, mean and standard deviation of every channel."""
    shown = np.zeros(case.geometry.shape, bool)
    for volume in case.channels.values():
        shown |= volume.data != 0
    facts = {}
    for name, volume in case.channels.items():
        inside = volume.data[shown] if shown.any() else volume.data
        facts[name] = ChannelFacts(
            float(volume.data.min()),
            float(volume.data.max()),
            float(inside.mean(dtype=np.float64)),
            float(inside.std(dtype=np.float64)),
        )
    return facts


def case_facts(id: str, case: Case, known: KnownLabels | None) -> tuple[CaseFacts, list[Oddity]]:
    """Return the facts of a case and its oddities; `id` is the name that it goes by in the data set."""
    by_channel = blank_slices(case.channels)
    blank = np.logical_and.reduce(list(by_channel.values()))
    copies = copied_slices(case, by_channel)
    oddities = [*_channel_oddities(id, case, by_channel, blank), *_copies(id, copies, case), *_file_oddities(id, case)]
    pixels = None
    sizes: tuple[int, ...] = ()
    if known is None:
        oddities.append(_without_labels(id, case))
    else:
        pixels = class_pixels(known.labels, known.scheme)
        whole = np.isin(known.labels, known.scheme.regions[0].values)
        sizes, single = lesions(whole)
        oddities += _label_oddities(id, case, known, single)
    facts = CaseFacts(
        id=id,
        shape=case.geometry.shape,
        spacing=case.geometry.spacing,
        channels=channel_facts(case),
        missing=case.missing,
        scheme=known.scheme if known else None,
        pixels=pixels,
        blank=tuple(np.flatnonzero(blank).tolist()),
        lesions=sizes,
        copies=copied_colours(case, copies, int((~blank).sum())),
    )
    return facts, oddities


def _channel_oddities(
    id: str, case: Case, by_channel: dict[str, NDArray[np.bool_]], blank: NDArray[np.bool_]
) -> Iterable[Oddity]:
    if case.missing:
        yield Oddity(Kind.MISSING_CHANNEL, id, ", ".join(case.missing))
    if case.off_grid:
        yield Oddity(Kind.OTHER_GRID, id, ", ".join(case.off_grid))
    between = np.flatnonzero(is_between(blank))
    if len(between):
        yield Oddity(Kind.BLANK_SLICE, id, in_slices(between, case), tuple(between.tolist()))
    for name, empty in by_channel.items():
        alone = np.flatnonzero(is_between(empty) & ~blank if not empty.all() else ~blank)
        if len(alone):
            yield Oddity(Kind.BLANK_CHANNEL, id, f"{name} {in_slices(alone, case)}", tuple(alone.tolist()))


def _file_oddities(id: str, case: Case) -> Iterable[Oddity]:
    files = case.paths.get(case.grid_channel, ())
    bare = without_mask(case)
    if bare:
        places = tuple(z for z, path in enumerate(files) if path in bare)
        yield Oddity(Kind.NO_MASK, id, in_slices(places, case), places)
    if len(files) > 1:
        numbers = {number for path in files if (number := patient_and_number(path.stem)[1]) is not None}
        gaps = sorted({*range(min(numbers, default=0), max(numbers, default=0))} - numbers)
        if gaps:
            yield Oddity(Kind.NO_SLICE, id, f"no file {joined_runs(gaps)}")


def _copies(id: str, copies: dict[tuple[str, str], tuple[int, ...]], case: Case) -> Iterable[Oddity]:
    for (first, second), slices in copies.items():
        yield Oddity(Kind.COPIED_CHANNEL, id, f"{first} and {second} {in_slices(slices, case)}", slices)


def _without_labels(id: str, case: Case) -> Oddity:
    if case.label_paths:
        return Oddity(Kind.UNREAD_LABELS, id, case.notes[-1])
    return Oddity(Kind.NO_LABELS, id, "no labels")


def _label_oddities(id: str, case: Case, known: KnownLabels, single: Places) -> Iterable[Oddity]:
    if values := known.unknown:
        listed = ", ".join(map(str, values[:5])) + (f" and {len(values) - 5} more" if len(values) > 5 else "")
        named = f"value{'s' if len(values) > 1 else ''} {listed} in "
        yield _at(Kind.UNKNOWN_VALUE, id, named, known.unknown_voxels, case)
    yield from (
        _at(kind, id, "", places, case)
        for kind, places in ((Kind.OUTSIDE, outside_brain(known.labels, case.channels)), (Kind.SINGLE_VOXEL, single))
        if len(places)
    )


def _at(kind: Kind, id: str, what: str, places: Places, case: Case) -> Oddity:
    """Return an oddity at voxels (N, 3); the one to be marked lies in the slice with the most of them."""
    slices, counts = np.unique(places[:, 0], return_counts=True)
    there = places[places[:, 0] == slices[counts.argmax()]]
    z, y, x = there[len(there) // 2].tolist()
    voxels = "1 voxel" if len(places) == 1 else f"{len(places):,} voxels"
    text = f"{what}{voxels} {in_slices(slices.tolist(), case)}"
    return Oddity(kind, id, text, tuple(slices.tolist()), (z, y, x))


def in_slices(slices: Iterable[int], case: Case | None = None) -> str:
    """Return slices in words, runs joined: `in slices 3, 7-9`; of one slice of tifs with the name of its file."""
    places = list(slices)
    shown, one = joined_runs(places), len(places) == 1
    files = case.paths.get(case.grid_channel, ()) if case is not None else ()
    name = f" ({files[places[0]].name})" if one and len(files) > 1 else ""
    return f"in slice {shown}{name}" if one else f"in slices {shown}"


def joined_runs(numbers: Iterable[int]) -> str:
    """Return sorted numbers in words, runs joined: `3, 7-9`; at most eight of them."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = int(number)
        else:
            runs.append([int(number), int(number)])
    words = [str(a) if a == b else f"{a}-{b}" for a, b in runs]
    return ", ".join(words[:8]) + (f" and {len(words) - 8} more" if len(words) > 8 else "")
