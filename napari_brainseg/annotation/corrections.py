"""`Correction`: labels that a person has confirmed, where, and what they differ in from the model's answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.volume import Shape

Mask = NDArray[np.bool_]
PLANE_NAMES = ("axial", "coronal", "sagittal")


@dataclass(frozen=True, order=True)
class ConfirmedSlice:
    """One slice that a person confirmed, in whatever plane it was shown.

    Attributes:
        axis: The axis it is perpendicular to: 0, 1 or 2 for Z, Y or X.
        index: Its place along that axis, counted from 0.
    """

    axis: int
    index: int

    def describe(self) -> str:
        """Return the slice in words, counted from 0 as in napari's slider: `axial slice 60`."""
        return f"{PLANE_NAMES[self.axis]} slice {self.index}"


def describe_slices(slices: Iterable[ConfirmedSlice]) -> str:
    """Return several slices in words, neighbours joined: `axial slices 3 and 5 to 9, coronal slice 2`."""
    words, slices = [], tuple(slices)
    for axis, name in enumerate(PLANE_NAMES):
        runs: list[list[int]] = []
        for index in sorted({s.index for s in slices if s.axis == axis}):
            if runs and index == runs[-1][1] + 1:
                runs[-1][1] = index
            else:
                runs.append([index, index])
        parts = [str(first) if first == last else f"{first} to {last}" for first, last in runs]
        if parts:
            several = "s" if sum(last - first + 1 for first, last in runs) > 1 else ""
            listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if parts[1:] else parts[0]
            words.append(f"{name} slice{several} {listed}")
    return ", ".join(words)


def mask_of(slices: Iterable[ConfirmedSlice], shape: Shape) -> Mask:
    """Return the voxels that lie in any of `slices`, (Z, Y, X)."""
    mask = np.zeros(shape, bool)
    for confirmed in slices:
        mask[plane(confirmed)] = True
    return mask


def along_axes(mask: NDArray[np.bool_]) -> tuple[Mask, ...]:
    """Return for each axis of a (Z, Y, X) mask which slices along it hold any of its voxels."""
    return tuple(np.asarray(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3))


def plane(confirmed: ConfirmedSlice) -> tuple[slice | int, ...]:
    """Return the index that takes this slice out of a (Z, Y, X) array."""
    return tuple(confirmed.index if axis == confirmed.axis else slice(None) for axis in range(3))


@dataclass(frozen=True, eq=False)
class Correction:
    """What a person says is true of a case.

    Attributes:
        case_id: The case.
        labels: uint8 (Z, Y, X), program values of `scheme`; true where `confirmed`; elsewhere as the work stood.
        confirmed: bool (Z, Y, X), the voxels that a person confirmed.
        scheme: What the values mean.
        slices: The slices that the mask was made of.
        predicted: The model's labels that the person started from, or None where there was no model; where no model
            was run, the labels themselves.
        model: Name and version of that model, or an empty string.
        when: When it was last confirmed, as an ISO time with its offset.
        who: The user name of the person.
        seconds: How long the person worked on the case, pauses left out (`WorkTime`).
        strokes: How many strokes and other changes the person made in it, those that were undone included.
        taken_back: Slices whose confirmation the person took back since the case was opened; not kept in files.
    """

    case_id: str
    labels: LabelArray
    confirmed: Mask
    scheme: LabelScheme
    slices: tuple[ConfirmedSlice, ...] = ()
    predicted: LabelArray | None = None
    model: str = ""
    when: str = ""
    who: str = ""
    seconds: float = 0.0
    strokes: int = 0
    taken_back: tuple[ConfirmedSlice, ...] = ()

    def __post_init__(self) -> None:
        shapes = {self.labels.shape, self.confirmed.shape}
        if self.predicted is not None:
            shapes.add(self.predicted.shape)
        if len(shapes) > 1:
            raise ValueError(f"labels, confirmed and predicted differ in shape: {shapes}")

    @property
    def changed(self) -> Mask:
        """The confirmed voxels in which the person's labels differ from the prediction; all False without one."""
        if self.predicted is None:
            return np.zeros(self.labels.shape, bool)
        return np.asarray(self.confirmed & (self.labels != self.predicted))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is confirmed."""
        return not self.confirmed.any()

    def missing_from(self, kept: Iterable[ConfirmedSlice]) -> tuple[ConfirmedSlice, ...]:
        """Return the slices of `kept` that are neither confirmed here nor were taken back by this person."""
        return tuple(sorted(set(kept) - set(self.slices) - set(self.taken_back)))

    def contradicts(self, older: Correction) -> tuple[ConfirmedSlice, ...]:
        """Return the slices confirmed here in which `older` confirmed other labels, compared by what they mean."""
        both = self.confirmed & older.confirmed
        theirs = np.where(both, older.labels, np.uint8(0)).astype(np.uint8)
        try:
            different = both & (older.scheme.convert(theirs, self.scheme) != self.labels)
        except LabelError:  # a class that this scheme does not have is another label in any case
            different = both
        return tuple(s for s in sorted(self.slices) if different[plane(s)].any())

    def with_older(self, older: Correction) -> Correction:
        """Return this correction with the slices of `older` that it does not know; its own win where both lie.

        One that goes on from `older` has counted its time and strokes already, so the larger numbers are taken.

        Raises:
            LabelError: The scheme cannot hold a class that was confirmed in `older`.
        """
        slices = self.missing_from(older.slices)
        seconds, strokes = max(self.seconds, older.seconds), max(self.strokes, older.strokes)
        if not slices:
            same = (seconds, strokes) == (self.seconds, self.strokes)
            return self if same else replace(self, seconds=seconds, strokes=strokes)
        added = mask_of(slices, (self.labels.shape[0], self.labels.shape[1], self.labels.shape[2])) & ~self.confirmed

        def of_older(values: LabelArray) -> LabelArray:
            return older.scheme.convert(np.where(added, values, np.uint8(0)).astype(np.uint8), self.scheme)

        labels = np.where(added, of_older(older.labels), self.labels)
        predicted = None
        if self.predicted is not None or older.predicted is not None:
            before = labels if older.predicted is None else of_older(older.predicted)
            predicted = np.where(added, before, labels if self.predicted is None else self.predicted)
        return replace(
            self,
            labels=labels,
            confirmed=self.confirmed | added,
            slices=tuple(sorted({*self.slices, *slices})),
            predicted=predicted,
            model=self.model or older.model,
            seconds=seconds,
            strokes=strokes,
        )
