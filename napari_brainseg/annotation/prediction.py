"""`Prediction`: what models gave for the slices that a person goes on from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_brainseg.annotation.corrections import Mask
from napari_brainseg.annotation.person_changes import PROGRAM, is_by_program
from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.labels import LabelArray, LabelScheme


@dataclass(frozen=True, eq=False)
class Prediction:
    """A model's labels, as the model gave them.

    Attributes:
        labels: uint8 (Z, Y, X), program values of `scheme`.
        scheme: What they mean.
        model: Name and version of the model that ran last.
        known: bool, one per slice along Z: where a model ran; None for everywhere.
    """

    labels: LabelArray
    scheme: LabelScheme
    model: str
    known: Mask | None = None

    def at(self, index: int | range) -> Prediction:
        """Return the prediction of one slice along Z, or of several, alone."""
        known = np.zeros(len(self.labels), bool)
        known[index] = True
        return replace(self, known=known)

    def over(self, former: Prediction) -> Prediction:
        """Return this prediction, and `former` where this one is not known.

        A former one with a class that this scheme cannot hold is dropped.
        """
        if self.known is None:
            return self
        try:
            labels = former.scheme.convert(former.labels, self.scheme).copy()
        except LabelError:
            return self
        labels[self.known] = self.labels[self.known]
        return replace(self, labels=labels, known=None if former.known is None else self.known | former.known)

    def beside(self, labels: LabelArray, scheme: LabelScheme) -> LabelArray | None:
        """Return the prediction in program values of `scheme`, equal to `labels` where no model ran.

        None where `scheme` cannot hold a predicted class.
        """
        try:
            predicted = self.scheme.convert(self.labels, scheme)
        except LabelError:
            return None
        return predicted if self.known is None else np.where(self.known[:, None, None], predicted, labels)


class PredictionHistory:
    """The prediction that counts now, which goes back and forth as a model's run is undone and made again.

    Attributes:
        now: What models gave for the labels as they are, or None.
    """

    def __init__(self) -> None:
        self.now: Prediction | None = None
        self._before: list[Prediction | None] = []
        self._after: list[Prediction | None] = []

    def add(self, new: Prediction) -> None:
        """Take a new prediction, over what is known of slices that it does not cover."""
        self.now = new if self.now is None else new.over(self.now)

    def follow(self, source: str) -> None:
        """Follow a step of the labels, by its source; that of a program comes before `add` tells what it gave."""
        if source.startswith(PROGRAM):
            self._before.append(self.now)
            self._after = []
        elif is_by_program(source) and source.startswith("undo of") and self._before:
            self._after.append(self.now)
            self.now = self._before.pop()
        elif is_by_program(source) and source.startswith("redo of") and self._after:
            self._before.append(self.now)
            self.now = self._after.pop()

    def forget_steps(self) -> None:
        """The steps that were made can no longer be undone."""
        self._before, self._after = [], []
