"""`Delivery`: labels of a part of the case, handed over while the run goes on. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.labels import LabelArray


@dataclass(frozen=True, eq=False)
class Delivery(Progress):
    """Labels that can be shown already; where windows overlap the returned segmentation may differ a little.

    Attributes:
        window: Where they lie in the case's grid (Z, Y, X).
        labels: uint8 (Z, Y, X) of that window, program values of the model's scheme.
    """

    window: tuple[slice, slice, slice] = field(kw_only=True)
    labels: LabelArray = field(kw_only=True)
