"""What of a scheme is scored: its classes and its regions, each set of values once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.labels import LabelArray, LabelScheme


@dataclass(frozen=True)
class Part:
    """A class, a region, or both at once; `values` are the program values whose voxels belong to it."""

    name: str
    long_name: str
    kind: str
    values: tuple[int, ...]

    def mask(self, labels: LabelArray) -> NDArray[np.bool_]:
        """Return where labels (any shape) belong to the part."""
        table = np.zeros(256, np.bool_)
        table[list(self.values)] = True
        return np.asarray(table[labels])


def parts_of(scheme: LabelScheme) -> tuple[Part, ...]:
    """Return the regions, outermost first, then the classes that are no region by themselves."""
    singles = {(c.value,) for c in scheme.classes}
    regions = [
        Part(r.name, r.long_name, "class and region" if r.values in singles else "region", r.values)
        for r in scheme.regions
    ]
    taken = {part.values for part in regions}
    classes = [Part(c.name, c.long_name, "class", (c.value,)) for c in scheme.classes if (c.value,) not in taken]
    return (*regions, *classes)


def plain(name: str) -> str:
    """Return a part's name as it stands in the name of a file of probabilities."""
    return re.sub(r"\W+", "-", name).strip("-")


def part_names(scheme: LabelScheme) -> Mapping[str, str]:
    """Return, for each class and region as `plain` writes it, the name of the part with the same values."""
    by_values = {part.values: part.name for part in parts_of(scheme)}
    names = {plain(c.name): by_values[(c.value,)] for c in scheme.classes}
    return {**names, **{plain(r.name): by_values[r.values] for r in scheme.regions}}
