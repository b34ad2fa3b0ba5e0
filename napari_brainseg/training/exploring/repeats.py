"""Slices that come twice: of two patients, or far apart in one.

Every slice is kept as a small picture of its fine details. Those of two people, or of places 5 mm apart, correlate up
to 0.93 and 0.96 in the LGG and BraTS sets; a slice that was copied, rescaled or made noisy stays above 0.97.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_brainseg.training.exploring.findings import Repeat

_SIDE = 32
_DETAIL = 1.5  # sigma in small pixels; what is coarser than this all heads share
_NEAR_DUPLICATE = 0.97
_SAME = 0.9995  # of neighbours, which are alike by nature
_NEIGHBOURS = 2
_DIP = 0.02  # how much less alike a slice between two copies is
_LEAST_HEAD = 0.05  # share of a slice that must be brighter than a tenth of the brightness
_BLOCK = 2048

Thumbnails = NDArray[np.float16]


def thumbnails(image: NDArray[np.generic], brightness: float) -> Thumbnails:
    """Return the details of each slice of a volume (Z, Y, X) as unit vectors (Z, 1024); 0 for those with too little.

    Args:
        image: The volume.
        brightness: What is bright in it.
    """
    depth, *size = image.shape
    rows, columns = ((np.arange(_SIDE) * n) // _SIDE for n in size)
    small = np.add.reduceat(np.add.reduceat(image, rows, 1, dtype=np.float32), columns, 2)
    # Stretches differ by a pixel where the size is no multiple: sums become means.
    heights, widths = (np.diff([*starts, n]) for starts, n in ((rows, size[0]), (columns, size[1])))
    small = small / np.maximum(1, np.outer(heights, widths)).astype(np.float32)
    details = small - ndimage.gaussian_filter(small, (0, _DETAIL, _DETAIL))
    details = details.reshape(depth, -1)
    details -= details.mean(1, keepdims=True)
    length = np.linalg.norm(details, axis=1, keepdims=True)
    enough = (small.reshape(depth, -1) > 0.1 * brightness).mean(1, keepdims=True) >= _LEAST_HEAD
    return np.where(enough & (length > 0), details / np.maximum(length, 1e-12), 0).astype(np.float16)


class SliceIndex:
    """The details of all slices of a data set, 2 KB each."""

    def __init__(self) -> None:
        self._cases: list[str] = []
        self._parts: list[Thumbnails] = []

    def add(self, case_id: str, details: Thumbnails) -> None:
        """Add the details of a case's slices, (Z, 1024)."""
        self._cases.append(case_id)
        self._parts.append(details)

    def repeats(self) -> list[Repeat]:
        """Return pairs of slices that show the same, the most alike first."""
        if not self._parts:
            return []
        details = np.concatenate(self._parts)
        counts = [len(part) for part in self._parts]
        owner = np.repeat(np.arange(len(counts)), counts)
        place = np.concatenate([np.arange(n) for n in counts])
        pairs = _alike(details, owner, place)
        pairs = [pair for pair in pairs if _is_best(pair, details, owner) and _stands_out(pair, details, owner)]

        def at(row: int) -> tuple[str, int]:
            return self._cases[owner[row]], int(place[row])

        found = [Repeat(at(a), at(b), _similarity(details, a, b)) for a, b in pairs]
        return sorted(found, key=lambda r: (-r.similarity, r.first, r.second))


def _alike(details: Thumbnails, owner: NDArray[np.intp], place: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Return rows (a, b), a < b, whose details correlate enough; neighbours only where they are the same."""
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(details), _BLOCK):
        rows = details[start : start + _BLOCK].astype(np.float32)
        for other in range(start, len(details), _BLOCK):
            likeness = rows @ details[other : other + _BLOCK].astype(np.float32).T
            a, b = np.nonzero(likeness >= _NEAR_DUPLICATE)
            value = likeness[a, b]
            a, b = a + start, b + other
            near = (owner[a] == owner[b]) & (np.abs(place[a] - place[b]) <= _NEIGHBOURS)
            kept = (a < b) & (~near | (value >= _SAME))
            pairs += zip(a[kept].tolist(), b[kept].tolist(), strict=True)
    return pairs


def _similarity(details: Thumbnails, a: int, b: int) -> float:
    return float(details[a].astype(np.float32) @ details[b].astype(np.float32))


def _is_best(pair: tuple[int, int], details: Thumbnails, owner: NDArray[np.intp]) -> bool:
    """Whether neither is more like a neighbour of the other: of two equal stacks z and z are, not z and z+1."""
    a, b = pair
    value = _similarity(details, a, b)
    for first, second in ((a - 1, b), (a + 1, b), (a, b - 1), (a, b + 1)):
        if not 0 <= first < second < len(owner) or (owner[first], owner[second]) != (owner[a], owner[b]):
            continue
        if owner[a] == owner[b] and second - first <= _NEIGHBOURS:
            continue  # neighbours are alike by nature and say nothing of a pair that is not
        if _similarity(details, first, second) > value:
            return False
    return True


def _stands_out(pair: tuple[int, int], details: Thumbnails, owner: NDArray[np.intp]) -> bool:
    """Whether slices of one case are more alike than those between them, which they cannot be by nature."""
    a, b = pair
    if owner[a] != owner[b] or b - a <= _NEIGHBOURS:
        return True
    between = details[a + 1 : b].astype(np.float32)
    likeness = between[between.any(1)] @ details[a].astype(np.float32)
    return len(likeness) > 0 and bool(likeness.min() < _similarity(details, a, b) - _DIP)


def by_cases(repeats: Sequence[Repeat]) -> dict[tuple[str, str], list[Repeat]]:
    """Group repeats by their two cases, those with the most first."""
    groups: dict[tuple[str, str], list[Repeat]] = {}
    for repeat in repeats:
        groups.setdefault((repeat.first[0], repeat.second[0]), []).append(repeat)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))
