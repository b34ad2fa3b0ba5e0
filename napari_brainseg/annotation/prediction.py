"""`Prediction`: what models gave for the slices that a person goes on from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_brainseg.annotation.corrections import Mask
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

    def at(self, index: int) -> Prediction:
        """Return the prediction of the slice `index` along Z alone."""
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
