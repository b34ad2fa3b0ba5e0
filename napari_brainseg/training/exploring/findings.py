"""What was found in a data set: facts of each case, everything odd, and slices that come twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.finding import CaseFiles
from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.cases.volume import Shape, Spacing
from napari_brainseg.evaluation.pictures import Picture
from napari_brainseg.training.splits import Split, patient_of


class Kind(Enum):
    """A kind of oddity: its title, and what counts as one."""

    UNREADABLE = ("Unreadable cases", "The files of the case could not be read; nothing else here counts them.")
    NO_LABELS = ("Cases without labels", "No labels lie with the case, so it cannot be learned from.")
    UNREAD_LABELS = ("Unreadable labels", "Labels lie with the case, but are damaged or lie on another grid.")
    NO_MASK = ("Slices without a mask", "Slices whose mask file is absent while others have theirs; counted as empty.")
    NO_SLICE = ("Gaps in the slices", "Numbers that no slice has between those that are there.")
    UNKNOWN_VALUE = ("Unknown label values", "Values that the label scheme does not have; counted as background here.")
    OUTSIDE = ("Labels outside the brain", "Labelled voxels outside of everything that any channel shows.")
    SINGLE_VOXEL = ("Single-voxel labels", "Labelled voxels that touch no other one, not even by a corner.")
    MISSING_CHANNEL = ("Missing channels", "A channel that such a case should have; a copy of FLAIR counts as missing.")
    OTHER_GRID = ("Channels on another grid", "A channel that does not lie on the grid of the others.")
    COPIED_CHANNEL = ("Copied channels", "Slices where one channel is a copy of another.")
    BLANK_SLICE = ("Blank slices", "Slices in the middle of a case that show nothing; those at its ends are usual.")
    BLANK_CHANNEL = ("Slices blank in one channel", "One channel shows nothing where others show the head.")
    REPEATED = ("Near-duplicate slices", "Slices of two patients, or far apart in one, that show the same.")


@dataclass(frozen=True)
class Oddity:
    """One thing to look at.

    Attributes:
        kind: What it is.
        case_id: The case.
        sentence: Where and how much, in words.
        slices: The slices, from 0.
        voxel: One of the voxels (z, y, x), to be marked in a picture.
    """

    kind: Kind
    case_id: str
    sentence: str
    slices: tuple[int, ...] = ()
    voxel: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class ChannelFacts:
    """Extremes of a channel over all voxels; mean and standard deviation over those that are not 0 in every channel."""

    low: float
    high: float
    mean: float
    deviation: float


@dataclass(frozen=True, eq=False)
class CaseFacts:
    """What is known of one case.

    Attributes:
        id: Its name.
        shape: (Z, Y, X).
        spacing: mm along (Z, Y, X), or None where the files do not say.
        channels: Facts by channel; only those present.
        missing: Channels that such a case should have.
        scheme: The scheme of its labels, or None without labels.
        pixels: Labelled pixels of each slice and class, (Z, K), the background first; None without labels.
        blank: Slices without any content.
        lesions: Sizes in voxels of the connected parts of the outermost region.
        copies: Pairs of colours (file order) that hold the same, and in how many slices.
    """

    id: str
    shape: Shape
    spacing: Spacing | None
    channels: Mapping[str, ChannelFacts]
    missing: tuple[str, ...] = ()
    scheme: LabelScheme | None = None
    pixels: NDArray[np.int64] | None = None
    blank: tuple[int, ...] = ()
    lesions: tuple[int, ...] = ()
    copies: Mapping[tuple[int, int], int] = field(default_factory=dict)

    @property
    def patient(self) -> str:
        """The patient whose exam it is."""
        return patient_of(self.id)

    @property
    def voxels(self) -> int:
        """How many voxels it has."""
        return int(np.prod(self.shape))

    @property
    def tumour(self) -> NDArray[np.int64]:
        """Pixels of the outermost region in each slice, (Z,)."""
        if self.pixels is None or self.scheme is None:
            return np.zeros(self.shape[0], np.int64)
        return np.asarray(self.pixels[:, list(self.scheme.regions[0].values)].sum(1))

    @property
    def tumour_share(self) -> float:
        """Share of the voxels that the outermost region has; NaN without labels."""
        return float("nan") if self.pixels is None else float(self.tumour.sum() / self.voxels)

    @property
    def voxel_volume(self) -> float | None:
        """mm³ of a voxel, or None where the spacing is unknown."""
        return None if self.spacing is None else float(np.prod(self.spacing))


@dataclass(frozen=True)
class Repeat:
    """Two slices (case id, slice from 0) that show the same, and the correlation of their details."""

    first: tuple[str, int]
    second: tuple[str, int]
    similarity: float


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture of a slice, and what it shows."""

    case_id: str
    slice: int
    picture: Picture
    caption: str


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that was found.

    Attributes:
        folder: Name of the folder.
        files: Files by case id, of every case that there is.
        cases: Facts of the cases that could be read.
        oddities: Everything odd, in the order of the cases.
        repeats: Slices that come twice.
        splits: Splits by name that the cases were told to be divided by.
        overlays: Cases from the smallest tumour to the largest.
        odd_pictures: Slices with oddities.
        repeat_pictures: Slices that come twice, side by side.
    """

    folder: str
    files: Mapping[str, CaseFiles]
    cases: tuple[CaseFacts, ...]
    oddities: tuple[Oddity, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    splits: Mapping[str, Split] = field(default_factory=dict)
    overlays: tuple[Sample, ...] = ()
    odd_pictures: tuple[Sample, ...] = ()
    repeat_pictures: tuple[Sample, ...] = ()

    def of(self, kind: Kind) -> tuple[Oddity, ...]:
        """Return the oddities of one kind."""
        return tuple(o for o in self.oddities if o.kind is kind)
