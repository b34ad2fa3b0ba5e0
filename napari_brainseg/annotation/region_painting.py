"""What painting and erasing in one class or one region means for the labels: inner region over outer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.labels import LabelArray, LabelScheme


@dataclass(frozen=True, eq=False)
class PaintRule:
    """One part (a class or a region) of a split, as tables over label values.

    Attributes:
        name: Short name of the class or region.
        value: The class whose colour it has: the class itself, or the region's own class.
        inside: bool (256,), whether a label belongs to the part.
        painted: uint8 (256,), what a label becomes when somebody paints it in this part.
        erased: uint8 (256,), what a label becomes when somebody erases it from this part.
    """

    name: str
    value: int
    inside: NDArray[np.bool_]
    painted: LabelArray
    erased: LabelArray

    def mask(self, labels: LabelArray) -> LabelArray:
        """Return the part as 0 and 1, uint8, of the shape of `labels`."""
        return np.asarray(self.inside[labels].astype(np.uint8))

    def relabel(self, labels: LabelArray, wanted: NDArray[np.bool_]) -> LabelArray:
        """Return the labels that voxels get when they are painted (`wanted`) or erased (not)."""
        return np.where(wanted, self.painted[labels], self.erased[labels])


def class_rules(scheme: LabelScheme) -> tuple[PaintRule, ...]:
    """Return one rule per class: painting overwrites any other class, erasing leaves background."""
    rules = []
    for label_class in scheme.classes:
        value = label_class.value
        inside = np.arange(256) == value
        erased = np.arange(256, dtype=np.uint8)
        erased[value] = 0
        rules.append(PaintRule(label_class.name, value, inside, np.full(256, value, np.uint8), erased))
    return tuple(rules)


def region_rules(scheme: LabelScheme) -> tuple[PaintRule, ...]:
    """Return one rule per nested region, outermost first.

    Painting adds the region's own class (that of no inner region: oedema for the whole tumour, necrosis for the core)
    where the label is background or belongs only to an outer region. Erasing leaves the own class of the next outer
    region, or background. A class of no region, such as a resection cavity, is never touched.
    """
    own = [_own_class(scheme, i) for i in range(len(scheme.regions))]
    everything = np.isin(np.arange(256), scheme.regions[0].values)
    rules = []
    for i, region in enumerate(scheme.regions):
        inside = np.isin(np.arange(256), region.values)
        replaced = ~inside & everything
        replaced[0] = True
        painted = np.arange(256, dtype=np.uint8)
        painted[replaced] = own[i]
        erased = np.arange(256, dtype=np.uint8)
        erased[inside] = own[i - 1] if i else 0
        rules.append(PaintRule(region.name, own[i], inside, painted, erased))
    return tuple(rules)


def _own_class(scheme: LabelScheme, index: int) -> int:
    """Return the first class of a region that is in no inner region, or its first class when all are."""
    values = scheme.regions[index].values
    inner = scheme.regions[index + 1].values if index + 1 < len(scheme.regions) else ()
    return next((v for v in values if v not in inner), values[0])
