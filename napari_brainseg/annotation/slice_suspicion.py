"""Signs that a slice is labelled wrongly, slice by slice and class by class: uncertainty, disagreement, shape, jumps.

Each function looks at a case along Z and returns `Evidence`. What it counts is of the order of wrong voxels, so that a
slice with twice the evidence is expected to have about twice the errors; how much each sign is worth beside the others
is the affair of `worklist`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_brainseg.cases.labels import LabelArray, LabelScheme

# Below this a voxel counts as sure: a haze of small doubts over a whole head must not outweigh a doubtful border.
SURE_BELOW = 0.2
_BOUNDARY_REACH = 2  # voxels from a change of class that still lie at the border
Words = Callable[[int], str]


@dataclass(frozen=True, eq=False)
class Evidence:
    """How much speaks against each slice.

    Attributes:
        by_class: float64 (Z, K + 1), at least 0: column 0 for what is labelled as background, column k for class k.
        words: Gives the reason in words for a slice that has evidence: `no oedema here, but on both neighbours`.
    """

    by_class: NDArray[np.float64]
    words: Words

    @property
    def by_slice(self) -> NDArray[np.float64]:
        """The evidence of all classes together, (Z,)."""
        return np.asarray(self.by_class.sum(axis=1))


def uncertainty_evidence(uncertainty: NDArray[np.floating], labels: LabelArray, scheme: LabelScheme) -> Evidence:
    """Return the sum of the uncertainty of each slice's voxels, those of less than `SURE_BELOW` left out.

    Args:
        uncertainty: Entropy or margin (Z, Y, X), 0 where the model is sure and 1 where it is not at all.
        labels: uint8 (Z, Y, X), program values of `scheme`.
        scheme: What they mean.
    """
    by_class = np.zeros((len(labels), len(scheme.classes) + 1))
    at_border = np.zeros(len(labels))
    for index, (doubts, values) in enumerate(zip(uncertainty, labels, strict=True)):
        rows, columns = np.nonzero(doubts >= SURE_BELOW)
        doubt = doubts[rows, columns].astype(np.float64)
        _add(by_class[index], values[rows, columns], doubt)
        if rows.size:
            at_border[index] = doubt[_near_border(values)[rows, columns]].sum()

    def words(index: int) -> str:
        labelled = by_class[index, 1:]
        name = _name(scheme, 1 + int(labelled.argmax())) if labelled.any() else ""
        if name and at_border[index] >= 0.5 * by_class[index].sum():
            return f"unsure at the edge of the {name}"
        if name and labelled.sum() >= by_class[index, 0]:
            return f"unsure of the {name}"
        return "unsure whether something was missed"

    return Evidence(by_class, words)


def disagreement_evidence(labels: LabelArray, other: LabelArray, scheme: LabelScheme) -> Evidence:
    """Return in how many voxels of each slice two answers differ: of mirrored copies, or of two models.

    A voxel counts for its class in `labels`, and where that is background for its class in `other`.

    Args:
        labels: uint8 (Z, Y, X), program values of `scheme`.
        other: The other answer, of the same kind.
        scheme: What they mean.
    """
    by_class = np.zeros((len(labels), len(scheme.classes) + 1))
    for index, (mine, theirs) in enumerate(zip(labels, other, strict=True)):
        differs = mine != theirs
        if differs.any():
            here, there = mine[differs], theirs[differs]
            _add(by_class[index], np.where(here == 0, there, here))

    def words(index: int) -> str:
        count = _voxels(by_class[index].sum())
        return f"two answers differ in {count}, mostly {_name(scheme, int(by_class[index].argmax()))}"

    return Evidence(by_class, words)


def shape_evidence(labels: LabelArray, scheme: LabelScheme) -> Evidence:
    """Return how oddly the regions of each slice are shaped, in voxels.

    Added up for each region of the scheme: the voxels of its islands (all in-plane components but the largest), those
    of its holes, and how much longer its border is than that of a square of the same area, in quarters of the border,
    which is 0 for a square and grows with perimeter² / area. A region counts for the class that it has beyond the next
    inner one.

    Args:
        labels: uint8 (Z, Y, X), program values of `scheme`.
        scheme: What they mean.
    """
    by_class = np.zeros((len(labels), len(scheme.classes) + 1))
    signs: dict[int, dict[str, float]] = {}
    for order, region in enumerate(scheme.regions):
        inner = scheme.regions[order + 1].values if order + 1 < len(scheme.regions) else ()
        column = next((value for value in region.values if value not in inner), region.values[0])
        of_region = np.isin(np.arange(256), region.values)
        for index in np.flatnonzero(labels.any(axis=(1, 2))):
            mask = _cropped(of_region[labels[index]])
            if mask.size:
                found = _odd_shapes(mask, region.long_name)
                by_class[index, column] += sum(found.values())
                kinds = signs.setdefault(int(index), {})
                kinds.update({words: size for words, size in found.items() if size > 0})

    def words(index: int) -> str:
        kinds = signs.get(index, {})
        return max(kinds, key=lambda kind: kinds[kind], default="odd shape")

    return Evidence(by_class, words)


def jump_evidence(labels: LabelArray, scheme: LabelScheme) -> Evidence:
    """Return in how many voxels each slice's classes differ from the neighbouring slice that is more like it.

    A tumour that only begins or ends is like one of its neighbours; one that vanishes for a slice is like neither. The
    first and the last slice have one neighbour alone, so nothing is said of them.

    Args:
        labels: uint8 (Z, Y, X), program values of `scheme`.
        scheme: What they mean.
    """
    depth, columns = len(labels), len(scheme.classes) + 1
    by_class = np.zeros((depth, columns))
    if depth > 2:
        steps = np.zeros((depth - 1, columns))
        for index, (below, above) in enumerate(pairwise(labels)):
            differs = below != above
            _add(steps[index], below[differs])
            _add(steps[index], above[differs])
        by_class[1:-1, 1:] = np.minimum(steps[:-1], steps[1:])[:, 1:]  # what the classes gain the background loses
    areas = area_evidence(labels, scheme).by_class

    def words(index: int) -> str:
        column = int(by_class[index].argmax())
        name, area = _name(scheme, column), areas[:, column]
        around = area[[max(0, index - 1), min(depth - 1, index + 1)]]
        if not area[index] and around.all():
            return f"no {name} here, but on the slices around it"
        if area[index] and not around.any():
            return f"{name} here, but not on the slices around it"
        return f"the {name} differs from both slices around it in {_voxels(by_class[index, column])}"

    return Evidence(by_class, words)


def area_evidence(labels: LabelArray, scheme: LabelScheme) -> Evidence:
    """Return how many voxels each slice has of each class: where there is more to label, more goes wrong.

    Args:
        labels: uint8 (Z, Y, X), program values of `scheme`.
        scheme: What they mean.
    """
    areas = [np.count_nonzero(labels == c.value, axis=(1, 2)) for c in scheme.classes]
    by_class = np.stack([np.zeros(len(labels), np.int64), *areas], axis=1).astype(np.float64)
    return Evidence(by_class, lambda index: f"{_voxels(by_class[index].sum())} are labelled here")


def _odd_shapes(mask: NDArray[np.bool_], name: str) -> dict[str, float]:
    """Return what is odd about a region of a slice, in words, and its voxels; the mask has a free edge."""
    components, count = ndimage.label(mask)
    sizes = np.bincount(components.reshape(-1), minlength=count + 1)[1:]
    area = int(sizes.sum())
    edges = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    holes = np.count_nonzero(ndimage.binary_fill_holes(mask)) - area
    return {
        f"{count - 1} small {'island' if count == 2 else 'islands'} beside the {name}": float(area - sizes.max()),
        f"a hole in the {name}": float(holes),
        f"a ragged edge of the {name}": max(0.0, edges / 4 - area**0.5),
    }


def _cropped(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the part of a mask that holds anything, with a free edge around it; of no size where nothing does."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return mask[:0, :0]
    return np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)


def _near_border(values: LabelArray) -> NDArray[np.bool_]:
    """Return which voxels of a slice lie at most `_BOUNDARY_REACH` from one of another class."""
    near = np.zeros(values.shape, bool)
    down, right = values[1:] != values[:-1], values[:, 1:] != values[:, :-1]
    for part, changes in ((near[1:], down), (near[:-1], down), (near[:, 1:], right), (near[:, :-1], right)):
        part |= changes
    return np.asarray(ndimage.binary_dilation(near, iterations=_BOUNDARY_REACH - 1))


def _add(row: NDArray[np.float64], values: LabelArray, weights: NDArray[np.float64] | None = None) -> None:
    """Add to each class's column how many of `values` it has, or their weights; values outside the scheme are left."""
    row += np.bincount(values, weights=weights, minlength=row.size)[: row.size]


def _name(scheme: LabelScheme, value: int) -> str:
    return scheme.class_of(value).long_name if value else "background"


def _voxels(count: float) -> str:
    return "1 voxel" if count == 1 else f"{int(count):,} voxels"
