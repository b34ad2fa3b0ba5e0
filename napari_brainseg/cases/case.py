"""`Case`: one patient's exam, its channels on one grid, and where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.cases.volume import Geometry, Volume

BRATS_CHANNELS = ("flair", "t1", "t1ce", "t2")
LGG_CHANNELS = ("pre", "flair", "post")
SKIP = "-"  # in an order of channels: this volume or colour is none of them


class Naming(Enum):
    """The file naming a case was found under; it decides the names that are written and the usual label scheme."""

    BRATS_2017 = "_t1ce"  # <case>_{flair,t1,t1ce,t2,seg}.nii.gz, 2017 to 2021
    BRATS_2023 = "-t1c"  # <case>-{t2f,t1n,t1c,t2w,seg}.nii.gz, 2023 on
    NNUNET = "_0000"  # <case>_0000 … _0003.nii.gz
    DECATHLON = "4-D"  # imagesTr/BRATS_001.nii.gz
    PLAIN = "plain"  # flair.nii.gz, T1Gd.nii.gz …
    LGG = "tif"  # <patient>_<n>.tif with <patient>_<n>_mask.tif


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels known for a case: program values of `scheme`, uint8 (Z, Y, X), with the geometry of their own file.

    Attributes:
        volume: The labels in program values.
        scheme: How the file was read.
        candidates: Every scheme that fits naming and values, the most usual first.
        path: The file (or, for LGG, the patient folder) they came from.
        assumed: Whether more than one scheme was possible, so that `scheme` is a guess to be shown.
        unknown: bool (Z, Y, X), voxels of which the data set says that nobody knows them (nnU-Net's ignore label, or
            outside a mask), or None where it says so of none.
    """

    volume: Volume
    scheme: LabelScheme
    candidates: tuple[LabelScheme, ...] = ()
    path: Path | None = None
    assumed: bool = False
    unknown: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """One patient's exam.

    Attributes:
        id: The name of the case, from its files.
        channels: Volumes by channel name, all on `geometry`; only those present.
        expected: Every channel name that such a case should have, in the field's order.
        geometry: The common grid; that of FLAIR, or the first present of t1ce, t2, t1.
        labels: The labels found with the case, if any.
        scheme: The scheme that the case's labels have or, without labels, the usual one of its naming.
        naming: The naming style of the files.
        paths: The files each channel came from, in slice order for tifs; one entry for NIfTI.
        label_paths: The files that hold reference labels; never written by us.
        notes: One sentence for each thing that was assumed.
        off_grid: Channels that lie on another grid, not stacked until they are resampled.
        order: Where the channels share their files, the name of each volume of the 4-D file, or of each colour of the
            tifs, as the files hold them (`-` for none); else empty. As `OpenOptions.channels` it reads the same again.
        label_choices: Schemes by which the case's labels could be read, where none of the usual ones fits: a person
            must choose, and until then there are no labels.
        protected: Labels of the case that were not opened, because its files were listed one by one; never written.
    """

    id: str
    channels: Mapping[str, Volume]
    expected: tuple[str, ...]
    geometry: Geometry
    labels: Labels | None
    scheme: LabelScheme
    naming: Naming
    paths: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    label_paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    off_grid: Mapping[str, Volume] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    label_choices: tuple[LabelScheme, ...] = ()
    protected: tuple[Path, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Expected channels that are neither present nor waiting to be resampled."""
        return tuple(c for c in self.expected if c not in self.channels and c not in self.off_grid)

    @property
    def grid_channel(self) -> str:
        """The channel whose file gives the grid and the header for writing."""
        return grid_channel_of(self.channels)


def grid_channel_of(channels: Iterable[str]) -> str:
    """Return which of the channels gives the grid: FLAIR, or the first present of t1ce, t2, t1, or the first."""
    names = list(channels)
    return next((name for name in ("flair", "t1ce", "t2", "t1") if name in names), names[0])
