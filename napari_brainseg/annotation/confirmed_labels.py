"""`ConfirmedLabels`: which slices of a case a person has confirmed, and what is true there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, Mask, mask_of, plane
from napari_brainseg.annotation.edits import Edit
from napari_brainseg.annotation.run_ledger import Window
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.volume import Shape


class ConfirmedLabels:
    """Confirmed labels, kept apart from the working ones.

    Attributes:
        scheme: What the values mean.
        mask: bool (Z, Y, X), the confirmed voxels; never changed in place.
        slices: What the mask is made of; imported labels may have confirmed voxels that fill no slice.
        taken_back: Slices whose confirmation was taken back, so that what a project holds does not bring them back.
    """

    def __init__(self, shape: Shape, scheme: LabelScheme) -> None:
        self.scheme = scheme
        self.mask: Mask = np.zeros(shape, bool)
        self.slices: set[ConfirmedSlice] = set()
        self.taken_back: set[ConfirmedSlice] = set()
        self._shape = shape
        self._truth = np.zeros(shape, np.uint8)
        self._loose: Mask = np.zeros(shape, bool)

    def confirm(self, slices: Iterable[ConfirmedSlice], labels: LabelArray, scheme: LabelScheme) -> None:
        """Take the labels of these slices, from uint8 (Z, Y, X) in program values of `scheme`, as the truth.

        Raises:
            LabelError: A slice holds a value of no class, or `scheme` lacks a class that was confirmed before. Nothing
                is confirmed then.
        """
        slices = tuple(slices)
        for one in slices:
            foreign = scheme.foreign_values(labels[plane(one)])
            if foreign:
                raise LabelError(
                    f"{one.describe().capitalize()} holds the value {foreign[0]}, which {scheme.title} does not have. "
                    "Paint over it before confirming."
                )
        if scheme != self.scheme:
            self._truth = self.kept_in(np.zeros_like(self._truth), scheme)
            self.scheme = scheme
        new = mask_of(slices, self._shape)
        self._truth[new] = labels[new]
        self.mask = self.mask | new
        self.slices |= set(slices)
        self.taken_back -= set(slices)

    def take_back(self, slices: Iterable[ConfirmedSlice]) -> None:
        """Let go of these slices; voxels that a slice of another plane confirms stay confirmed."""
        gone = self.slices & set(slices)
        self.slices -= gone
        self.taken_back |= gone
        self.mask = mask_of(self.slices, self._shape) | self._loose

    def take_back_all(self) -> None:
        """Let go of everything that is confirmed."""
        self._loose = np.zeros(self._shape, bool)
        self.take_back(tuple(self.slices))

    def follow(self, edit: Edit) -> bool:
        """Take a person's edit over where it lies on confirmed voxels; return whether it does."""
        confirmed = self.mask.reshape(-1)[edit.indices]
        self._truth.reshape(-1)[edit.indices[confirmed]] = edit.after[confirmed]
        return bool(confirmed.any())

    def restore(self, correction: Correction) -> tuple[ConfirmedSlice, ...]:
        """Take over what was confirmed earlier; what was confirmed or taken back meanwhile stays as it is.

        Returns:
            The slices confirmed meanwhile in which the earlier labels were others.

        Raises:
            LabelError: The present scheme cannot hold a class that was confirmed.
        """
        if not self.mask.any():
            self.scheme = correction.scheme
        loose = correction.confirmed & ~mask_of(correction.slices, self._shape)
        if self.taken_back:
            kept = mask_of(set(correction.slices) - self.taken_back, self._shape) | loose
            correction = replace(correction, confirmed=correction.confirmed & kept)
        others = self._as_correction().contradicts(correction) if self.slices else ()
        older = correction.confirmed & ~self.mask
        labels = np.where(older, correction.labels, np.uint8(0)).astype(np.uint8)
        self._truth = np.where(older, correction.scheme.convert(labels, self.scheme), self._truth)
        self.mask, self._loose = self.mask | older, self._loose | loose
        self.slices |= set(correction.slices) - self.taken_back
        return others

    def kept_in(self, labels: LabelArray, scheme: LabelScheme, window: Window | None = None) -> LabelArray:
        """Return `labels` (Z, Y, X) of `scheme` with the confirmed voxels as they were confirmed.

        Args:
            labels: Those of the whole case, or of `window`.
            scheme: What they mean.
            window: Where they lie.

        Raises:
            LabelError: `scheme` cannot hold a class that was confirmed.
        """
        if not self.mask.any():
            return labels
        mask, known = self.mask[window or ...], self._truth[window or ...]
        truth = self.scheme.convert(np.where(mask, known, np.uint8(0)), scheme)
        return np.where(mask, truth, labels).astype(np.uint8)

    def within(self, around: LabelArray | None) -> LabelArray:
        """Return what is confirmed, and elsewhere `around`, in program values of `scheme`; zeros where that is None.

        A value of no class may still lie where nobody confirmed; it becomes background.
        """
        labels = np.where(self.mask, self._truth, self._truth if around is None else around).astype(np.uint8)
        labels[labels > len(self.scheme.classes)] = 0
        return labels

    def _as_correction(self) -> Correction:
        return Correction("", self._truth, self.mask, self.scheme, tuple(sorted(self.slices)))
