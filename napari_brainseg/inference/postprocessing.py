"""Corrections of a model's labels by rules: each optional, and told in a sentence where it changed something."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.store import ModelRecord

_TOUCHING = ndimage.generate_binary_structure(3, 3)  # 26 neighbours: what touches at a corner is one component
_SIDES = ndimage.generate_binary_structure(3, 1)  # so that a hole does not leak through a corner
_ENHANCING = "ET"

Box = tuple[slice, ...]
Mask = NDArray[np.bool_]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class PostProcessing:
    """Which rules are applied, in this order; by default none.

    Attributes:
        min_volume: mm³; components of the outermost region that are smaller become background.
        min_share: The same for those that are smaller than this share of the largest one, 0 to 1: what is tumour is
            seldom many times larger elsewhere, and a false find seldom as large.
        fill_holes: Whether background that a region encloses on all sides becomes tumour.
        small_enhancing: mm³; enhancing tumour that is smaller in total becomes the core around it. BraTS scores a false
            speck of it as a complete miss.
    """

    min_volume: float = 0.0
    fill_holes: bool = False
    small_enhancing: float = 0.0
    min_share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("min_volume", "small_enhancing"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise InputError(f"Post-processing: {name} is {value!r}. Give mm³, 0 or more.")
        share = self.min_share
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise InputError(f"Post-processing: min_share is {share!r}. Give a share from 0 to 1.")
        if not isinstance(self.fill_holes, bool):
            raise InputError(f"Post-processing: fill_holes is {self.fill_holes!r}. Give true or false.")

    @classmethod
    def from_mapping(cls, facts: Mapping[str, Any]) -> PostProcessing:
        """Return the rules that a model's record recommends; raise `InputError` that names an unknown one."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(facts) - known)
        if unknown:
            raise InputError(f"There is no post-processing step {unknown[0]!r}; there are {', '.join(sorted(known))}.")
        return cls(**facts)


def last_steps(
    labels: LabelArray, case: Case, record: ModelRecord, settings: SegmentSettings
) -> tuple[LabelArray, tuple[str, ...]]:
    """Apply the rules of a run, those of its settings or else those that the model recommends, as `post_process`."""
    rules = settings.post_processing or PostProcessing.from_mapping(record.post_processing)
    # Of a range of slices it is not known how far their components and holes go on.
    if settings.slices is None:
        return post_process(labels, record.scheme, case.geometry.spacing, rules)
    left_out = "Steps after the labels need the whole case, so they were left out."
    return labels, (left_out,) if rules != PostProcessing() else ()


def post_process(
    labels: LabelArray, scheme: LabelScheme, spacing: Sequence[float] | None, settings: PostProcessing
) -> tuple[LabelArray, tuple[str, ...]]:
    """Apply the rules to labels (Z, Y, X) and return the new ones, with a sentence for each that changed something.

    Args:
        labels: uint8, program values of `scheme`; left as they are.
        scheme: What the values mean.
        spacing: mm along (Z, Y, X); None counts every voxel as 1 mm³, and the sentence says so.
        settings: The rules.
    """
    if settings == PostProcessing() or not labels.any():
        return labels, ()
    box = _box_of(labels)
    inside = labels[box].copy()
    voxel = math.prod(spacing) if spacing is not None else 1.0
    unit = "mm³" if spacing is not None else "voxels (the case says no spacing)"
    notes = []
    if settings.min_volume > 0:
        notes.append(_drop_small(inside, scheme, settings.min_volume / voxel, f"{settings.min_volume:g} {unit}"))
    if settings.min_share > 0:
        of_largest = f"{100 * settings.min_share:g} % of the largest one"
        notes.append(_drop_small(inside, scheme, settings.min_share, of_largest, of_largest=True))
    if settings.fill_holes:
        notes += _fill_holes(inside, scheme, labels.shape)
    if settings.small_enhancing > 0:
        limit = settings.small_enhancing
        notes.append(_enhancing_to_core(inside, scheme, limit / voxel, f"{limit:g} {unit}"))
    told = tuple(note for note in notes if note)
    if not told:
        return labels, ()
    result = labels.copy()
    result[box] = inside
    return result, told


def _drop_small(labels: LabelArray, scheme: LabelScheme, least: float, limit: str, *, of_largest: bool = False) -> str:
    """Set components of the outermost region with fewer than `least` voxels, or times those of the largest, to 0."""
    region = scheme.regions[0]
    mask = _mask(labels, region.values)
    components, _ = ndimage.label(mask, _TOUCHING)
    places = np.flatnonzero(mask)  # far fewer than there are voxels
    number = components.reshape(-1)[places]
    sizes = np.bincount(number)
    small = sizes < (least * sizes.max(initial=0) if of_largest else least)
    small[:1] = False
    if not small.any():
        return ""
    labels.reshape(-1)[places[small[number]]] = 0
    return f"Removed {_counted(small.sum(), 'component')} of {region.name} under {limit} ({_voxels(sizes[small])})."


def _fill_holes(labels: LabelArray, scheme: LabelScheme, whole: Sequence[int]) -> list[str]:
    """Give background that a region encloses the class that this region adds to the next one inside, in place.

    What enhancing tumour encloses is core, as the necrosis within a ring is. Of a single slice the holes are those in
    the plane.
    """
    found = []
    innermost = np.zeros(labels.size, np.uint8)
    for number, region in enumerate(scheme.regions):
        if region.name != _ENHANCING:
            places, holes = _enclosed(_mask(labels, region.values), labels == 0, flat=whole[0] == 1)
            innermost[places] = number + 1
            found.append((number, places, holes))
    notes = []
    for number, places, holes in found:
        own = innermost[places] == number + 1
        if own.any():
            labels.reshape(-1)[places[own]] = _added_class(scheme, number)
            count = _counted(len(np.unique(holes[own])), "hole")
            notes.append(f"Filled {count} of {scheme.regions[number].name} ({_voxels(np.count_nonzero(own))}).")
    return notes


def _enclosed(mask: Mask, fillable: Mask, *, flat: bool) -> tuple[Places, Places]:
    """Return the flat indices of the fillable voxels that a mask encloses, and the number of the hole of each.

    A `flat` mask, a single slice, has no outside above and below.
    """
    if not mask.any():
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    box = _box_of(mask)  # what it encloses lies in its box
    margin = [(0, 0) if flat else (1, 1), (1, 1), (1, 1)]
    padded, _ = ndimage.label(np.pad(~mask[box], margin, constant_values=True), _SIDES)
    holes = padded[:, 1:-1, 1:-1] if flat else padded[1:-1, 1:-1, 1:-1]
    inside = (holes > 0) & (holes != padded[0, 0, 0]) & fillable[box]  # the margin joins all that is outside
    coordinates = np.nonzero(inside)
    shifted = tuple(c + s.start for c, s in zip(coordinates, box, strict=True))
    return np.asarray(np.ravel_multi_index(shifted, mask.shape), np.intp), np.asarray(holes[coordinates], np.intp)


def _enhancing_to_core(labels: LabelArray, scheme: LabelScheme, least: float, limit: str) -> str:
    """Turn enhancing tumour of fewer than `least` voxels into the class that the core adds to it, in place."""
    names = [region.name for region in scheme.regions]
    if _ENHANCING not in names or names[0] == _ENHANCING:
        return ""
    number = names.index(_ENHANCING)
    enhancing = _mask(labels, scheme.regions[number].values)
    count = np.count_nonzero(enhancing)
    if not 0 < count < least:
        return ""
    value = _added_class(scheme, number - 1)
    labels[enhancing] = value
    return f"Turned {_ENHANCING}, under {limit} in total, into {scheme.class_of(value).name} ({_voxels(count)})."


def _added_class(scheme: LabelScheme, number: int) -> int:
    """Return the class that a region adds to the next one inside; of several the non-enhancing one."""
    inner = scheme.regions[number + 1].values if number + 1 < len(scheme.regions) else ()
    added = [scheme.class_of(value) for value in scheme.regions[number].values if value not in inner]
    return max(added, key=lambda c: "non-enhancing" in c.tissues).value


def _mask(labels: LabelArray, values: Sequence[int]) -> Mask:
    table = np.zeros(256, np.bool_)
    table[list(values)] = True
    return np.asarray(table[labels])


def _box_of(labels: NDArray[np.generic]) -> Box:
    """Return the smallest box that holds all that is not 0; there must be something."""
    found = []
    for axis in range(labels.ndim):
        others = tuple(a for a in range(labels.ndim) if a != axis)
        places = np.flatnonzero(labels.any(others))
        found.append(slice(int(places[0]), int(places[-1]) + 1))
    return tuple(found)


def _voxels(counts: Any) -> str:
    return _counted(np.sum(counts), "voxel")


def _counted(count: Any, what: str) -> str:
    return f"{int(count):,} {what}{'' if count == 1 else 's'}"
