"""Which slices are worth a picture, and the pictures: few cases are read again, one at a time."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.finding import CaseFiles
from napari_brainseg.evaluation.pictures import Picture, grey, side_by_side, with_classes
from napari_brainseg.training.exploring.findings import CaseFacts, Kind, Oddity, Repeat, Sample
from napari_brainseg.training.exploring.known_labels import KnownLabels, open_case
from napari_brainseg.training.exploring.repeats import by_cases

_OVERLAYS = 6
_ODD_PER_KIND = 3
_REPEATS = 6
_RING = 9.0  # pixels, radius of the mark around an odd voxel
_DRAWN = (Kind.UNKNOWN_VALUE, Kind.OUTSIDE, Kind.SINGLE_VOXEL, Kind.BLANK_SLICE, Kind.BLANK_CHANNEL)


@dataclass(frozen=True)
class Wanted:
    """A picture to be drawn: of which case and slice, what to say of it, and the place (y, x) to mark."""

    case_id: str
    slice: int
    caption: str
    mark: tuple[int, int] | None = None


def overlays_wanted(cases: Sequence[CaseFacts]) -> list[Wanted]:
    """Choose the slice with most tumour of cases from the smallest tumour to the largest."""
    order = sorted((c for c in cases if c.tumour.any()), key=lambda c: int(c.tumour.sum()))
    places = np.unique(np.linspace(0, max(0, len(order) - 1), _OVERLAYS).round().astype(int))
    wanted = []
    for case in (order[place] for place in places if order):
        z = int(case.tumour.argmax())
        wanted.append(Wanted(case.id, z, f"{case.id}, slice {z}: {_amount(case)}"))
    return wanted


def _amount(case: CaseFacts) -> str:
    voxels = int(case.tumour.sum())
    volume = case.voxel_volume
    return f"{voxels:,} tumour voxels" if volume is None else f"{voxels * volume / 1000:.1f} mL of tumour"


def odd_wanted(oddities: Sequence[Oddity]) -> list[Wanted]:
    """Choose a slice for the first oddities of each kind that a picture can show."""
    wanted = []
    for kind in _DRAWN:
        for odd in [o for o in oddities if o.kind is kind][:_ODD_PER_KIND]:
            z, mark = (odd.voxel[0], odd.voxel[1:]) if odd.voxel else (odd.slices[len(odd.slices) // 2], None)
            wanted.append(Wanted(odd.case_id, z, f"{kind.value[0]}: {odd.case_id}, slice {z}", mark))
    return wanted


def draw(
    wanted: Sequence[Wanted], files: Mapping[str, CaseFiles], scheme: str | None = None
) -> Generator[Progress, None, tuple[Sample, ...]]:
    """Read cases again and draw slices of them: every channel, then the labels over the channel that gives the grid.

    A case that can no longer be read is left out.
    """
    samples: dict[Wanted, Sample] = {}
    ids = list(dict.fromkeys(want.case_id for want in wanted))
    for number, case_id in enumerate(ids):
        yield Progress(number, len(ids), f"drawing {case_id}")
        try:
            case, known = open_case(files[case_id], scheme)
        except BrainsegError:
            continue
        for want in wanted:
            if want.case_id == case_id:
                samples[want] = Sample(case_id, want.slice, _strip(case, known, want), want.caption)
    return tuple(samples[want] for want in wanted if want in samples)


def _strip(case: Case, known: KnownLabels | None, want: Wanted) -> Picture:
    z, box = want.slice, _box(case, want)
    pictures = [grey(volume.data[z][box]) for volume in case.channels.values()]
    if known is not None:
        image = case.channels[case.grid_channel].data[z]
        overlay = with_classes(image[box], known.labels[z][box], known.scheme)
        if want.mark is not None:
            _ring(overlay, want.mark[0] - (box[0].start or 0), want.mark[1] - (box[1].start or 0))
        pictures.append(overlay)
    return side_by_side(pictures)


def _ring(picture: Picture, y: int, x: int) -> None:
    """Draw a ring around a place into a picture (H, W, 3)."""
    rows, columns = np.indices(picture.shape[:2])
    picture[np.abs(np.hypot(rows - y, columns - x) - _RING) < 0.8] = (255, 255, 255)


def _box(case: Case, want: Wanted) -> tuple[slice, slice]:
    """Return the part of a slice around what is not dark and what is marked, with a margin; all where nothing is."""
    shown = np.zeros(case.geometry.shape[1:], bool)
    for volume in case.channels.values():
        plane = volume.data[want.slice].astype(np.float32)
        shown |= plane > plane.min() + 0.05 * np.ptp(plane)
    if not shown.any():
        return slice(None), slice(None)
    if want.mark is not None:
        shown[want.mark] = True
    edges = [np.flatnonzero(shown.any(axis)) for axis in (1, 0)]
    y, x = (slice(max(0, int(e[0]) - 10), int(e[-1]) + 11) for e in edges)
    return y, x


def draw_repeats(
    repeats: Sequence[Repeat], files: Mapping[str, CaseFiles]
) -> Generator[Progress, None, tuple[Sample, ...]]:
    """Draw the most alike pair of each two cases, side by side."""
    chosen = [group[0] for group in by_cases(repeats).values()][:_REPEATS]
    samples = []
    for number, repeat in enumerate(chosen):
        yield Progress(number, len(chosen), f"drawing {repeat.first[0]}")
        pictures = []
        for case_id, z in (repeat.first, repeat.second):
            try:
                case, _ = open_case(files[case_id])
            except BrainsegError:
                break
            pictures.append(grey(case.channels[case.grid_channel].data[z]))
        else:
            (one, z), (other, w) = repeat.first, repeat.second
            second = "its" if other == one else f"{other},"
            caption = f"{one}, slice {z}, and {second} slice {w}: {repeat.similarity:.3f}"
            samples.append(Sample(one, z, side_by_side(pictures), caption))
    return tuple(samples)
