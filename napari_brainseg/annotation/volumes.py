"""Volumes of classes and regions in mL, and their table as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.paths import written_aside
from napari_brainseg.cases.labels import LabelArray, LabelScheme


@dataclass(frozen=True)
class VolumeRow:
    """The volume of one class, one region, or of the values outside the scheme.

    Attributes:
        name: Short name on screen.
        long_name: Name in sentences.
        kind: `class`, `region` or `foreign`.
        voxels: How many voxels it has.
        ml: Its volume in mL, or None where the spacing is unknown.
    """

    name: str
    long_name: str
    kind: str
    voxels: int
    ml: float | None

    @property
    def text(self) -> str:
        """The volume in words, never in invented units: `61.2 mL`, or `1,204 voxels` where the spacing is unknown."""
        return f"{self.ml:.1f} mL" if self.ml is not None else f"{self.voxels:,} voxels"


def label_counts(labels: LabelArray) -> NDArray[np.int64]:
    """Return how many voxels hold each value, 0 to 255."""
    # Counting takes eight bytes a voxel, and nearly all voxels are background: those are not counted one by one.
    labelled = labels[labels != 0]
    counts = np.bincount(labelled, minlength=256).astype(np.int64)
    counts[0] = labels.size - labelled.size
    return counts


def measure_volumes(
    counts: NDArray[np.int64], scheme: LabelScheme, voxel_volume: float | None
) -> tuple[VolumeRow, ...]:
    """Return the volumes of every class, then of every region, then of foreign values if there are any.

    Args:
        counts: Voxels per value, 256 of them.
        scheme: What the values mean.
        voxel_volume: mm³ of one voxel, or None where it is unknown.
    """

    def row(name: str, long_name: str, kind: str, voxels: int) -> VolumeRow:
        ml = None if voxel_volume is None else voxels * voxel_volume / 1000
        return VolumeRow(name, long_name, kind, voxels, ml)

    rows = [row(c.name, c.long_name, "class", int(counts[c.value])) for c in scheme.classes]
    rows += [row(r.name, r.long_name, "region", int(counts[list(r.values)].sum())) for r in scheme.regions]
    foreign = int(counts[len(scheme.classes) + 1 :].sum())
    if foreign:
        rows.append(row("foreign", f"not in {scheme.title}", "foreign", foreign))
    return tuple(rows)


def write_volumes_csv(rows: Sequence[VolumeRow], path: Path, *, case_id: str, overwrite: bool = False) -> Path:
    """Write volumes as a table with the columns case, kind, name, meaning, voxels and mL.

    Where the spacing is unknown the mL column is empty.

    Raises:
        OutputError: The file exists and may not be replaced, or its folder cannot be written.
    """
    with (
        written_aside(path, overwrite=overwrite) as aside,
        aside.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["case", "kind", "name", "meaning", "voxels", "mL"])
        for row in rows:
            ml = "" if row.ml is None else f"{row.ml:.3f}"
            writer.writerow([case_id, row.kind, row.name, row.long_name, row.voxels, ml])
    return path
