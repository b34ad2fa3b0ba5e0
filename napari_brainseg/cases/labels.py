"""Label schemes: which classes and regions exist, how they look, and which values stand for them on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import LabelError

LabelArray = NDArray[np.uint8]


@dataclass(frozen=True)
class LabelClass:
    """One class of a scheme.

    Attributes:
        value: Its value in the program, 1 to K-1 (0 is the background).
        name: Short name on screen.
        long_name: Name in sentences and legends.
        disk: Its value in files.
        tissues: What it is made of; a class can be written as another one whose tissues contain its own.
        colour: 0-1 RGB.
        safe_colour: 0-1 RGB of the colour-blind set.
    """

    value: int
    name: str
    long_name: str
    disk: int
    tissues: frozenset[str]
    colour: tuple[float, float, float]
    safe_colour: tuple[float, float, float]

    @property
    def shortcut(self) -> str:
        """The key that selects this class."""
        return str(self.value)


@dataclass(frozen=True)
class Region:
    """A named union of classes, as the BraTS challenges score them."""

    name: str
    long_name: str
    values: tuple[int, ...]


@dataclass(frozen=True)
class LabelScheme:
    """Classes, regions (outermost first, each containing the next) and the values used on disk.

    Attributes:
        id: Its name in options and files.
        title: Its name on screen.
        classes: By program value, from 1.
        regions: Unions of classes.
        also_on_disk: Other values that files use for the classes, in their order, in place of those of the classes.
    """

    id: str
    title: str
    classes: tuple[LabelClass, ...]
    regions: tuple[Region, ...]
    also_on_disk: tuple[int, ...] = ()

    @property
    def disk_values(self) -> tuple[int, ...]:
        """Every value that a file of this scheme may hold, the background first."""
        return (0, *(c.disk for c in self.classes))

    def class_of(self, value: int) -> LabelClass:
        """Return the class with the program's `value`; raise `LabelError` when there is none."""
        for label_class in self.classes:
            if label_class.value == value:
                return label_class
        raise LabelError(f"{self.title} has no class {value}; it has {', '.join(c.name for c in self.classes)}.")

    def region_masks(self, labels: LabelArray) -> NDArray[np.bool_]:
        """Return one boolean mask per region, (R, *labels.shape)."""
        return np.stack([np.isin(labels, region.values) for region in self.regions])

    def foreign_values(self, labels: NDArray[np.generic]) -> tuple[int, ...]:
        """Return the values of `labels` (program values) that no class of the scheme has."""
        # Asked after every stroke on a whole volume: the highest value alone is found much sooner than all of them.
        if labels.dtype == np.uint8 and labels.max(initial=0) <= len(self.classes):
            return ()
        return tuple(value for value in values_of(labels) if not 0 <= value <= len(self.classes))

    def fits(self, values: Iterable[int]) -> bool:
        """Return whether these values may come from a file of this scheme."""
        held = set(values)
        return held <= set(self.disk_values) or held <= {0, *self.also_on_disk}

    def from_disk(self, array: NDArray[np.generic]) -> LabelArray:
        """Turn values on disk into program values; raise `LabelError` that lists the values of no class."""
        present = values_of(array)
        if not self.fits(present):
            unknown = [value for value in present if value not in self.disk_values]
            raise LabelError(
                f"{self.title} uses the values {_listed(self.disk_values)}, but {_listed(unknown)} "
                f"{'was' if len(unknown) == 1 else 'were'} found. Choose other labels, or another scheme."
            )
        table = np.zeros(256, np.uint8)
        for label_class in self.classes:
            table[label_class.disk] = label_class.value
        for number, value in enumerate(self.also_on_disk, 1):
            table[value] = number
        return np.asarray(table[array.astype(np.uint8, copy=False)])

    def from_either(self, array: NDArray[np.generic]) -> LabelArray:
        """Turn numbers that are those on disk or else the program's own into program values.

        Raises:
            LabelError: They are neither.
        """
        present = values_of(array)
        own = all(0 <= value <= len(self.classes) for value in present)
        return array.astype(np.uint8) if own and not self.fits(present) else self.from_disk(array)

    def to_disk(self, labels: LabelArray) -> LabelArray:
        """Turn program values into values on disk; raise `LabelError`, naming slice and value, for other values."""
        self.refuse_foreign(labels)
        table = np.zeros(256, np.uint8)
        for label_class in self.classes:
            table[label_class.value] = label_class.disk
        return np.asarray(table[labels])

    def refuse_foreign(self, labels: LabelArray) -> None:
        """Raise `LabelError`, naming the first slice (from 0) and value, when a voxel belongs to no class."""
        foreign = self.foreign_values(labels)
        if foreign:
            first = np.argwhere(labels == foreign[0])[0]
            raise LabelError(
                f"Slice {int(first[0])} holds the value {foreign[0]}, which {self.title} does not have. "
                "Paint over it before exporting."
            )

    def convert(self, labels: LabelArray, target: LabelScheme) -> LabelArray:
        """Map program values of this scheme to those of `target` by what the classes mean.

        Raises:
            LabelError: A class that occurs in `labels` has no counterpart in `target`, or a value has no class.
        """
        self.refuse_foreign(labels)
        if target == self:
            return labels
        table = np.zeros(256, np.uint8)
        present = np.bincount(labels.reshape(-1), minlength=256)
        for label_class in self.classes:
            counterpart = target.counterpart(label_class)
            if counterpart is not None:
                table[label_class.value] = counterpart.value
            elif present[label_class.value]:
                raise LabelError(
                    f"{target.title} cannot hold {label_class.long_name} ({label_class.name} of {self.title}). "
                    "Choose another scheme to write."
                )
        return np.asarray(table[labels])

    def counterpart(self, label_class: LabelClass) -> LabelClass | None:
        """Return the narrowest class of this scheme that contains the tissues of `label_class`, if there is one."""
        holders = [c for c in self.classes if label_class.tissues <= c.tissues]
        return min(holders, key=lambda c: len(c.tissues), default=None)


def values_of(array: NDArray[np.generic]) -> tuple[int, ...]:
    """Return the values that occur in an array of whole numbers, ascending."""
    if array.dtype == np.uint8:
        return tuple(int(v) for v in np.flatnonzero(np.bincount(array.reshape(-1), minlength=256)))
    return tuple(int(v) for v in np.unique(array))


def _listed(values: object) -> str:
    return ", ".join(f"{float(v):g}" for v in np.atleast_1d(np.asarray(values)))


_RED, _GREEN, _YELLOW = (0.90, 0.16, 0.16), (0.20, 0.75, 0.30), (1.00, 0.87, 0.10)
_BLUE, _PURPLE = (0.25, 0.50, 0.95), (0.70, 0.35, 0.85)
# Okabe & Ito (2008): vermilion, sky blue, yellow, then blue and reddish purple.
_VERMILION, _SKY, _SAFE_YELLOW = (0.835, 0.369, 0.0), (0.337, 0.706, 0.914), (0.941, 0.894, 0.259)
_SAFE_BLUE, _SAFE_PURPLE = (0.0, 0.447, 0.698), (0.8, 0.475, 0.655)

_CORE = frozenset({"necrosis", "non-enhancing"})
_OEDEMA, _ENHANCING = frozenset({"oedema"}), frozenset({"enhancing"})
_CAVITY, _CYST = frozenset({"cavity"}), frozenset({"cyst"})


def _class(
    value: int,
    name: str,
    long_name: str,
    disk: int,
    tissues: frozenset[str],
) -> LabelClass:
    colour, safe = {
        "oedema": (_GREEN, _SKY),
        "enhancing": (_YELLOW, _SAFE_YELLOW),
        "cavity": (_BLUE, _SAFE_BLUE),
        "cyst": (_BLUE, _SAFE_BLUE),
    }.get(next(iter(tissues)) if len(tissues) == 1 else "", (_RED, _VERMILION))
    if tissues == {"non-enhancing"} and value == 3:  # brats2013 shows it beside necrosis
        colour, safe = _PURPLE, _SAFE_PURPLE
    return LabelClass(value, name, long_name, disk, tissues, colour, safe)


def _brats(id: str, title: str, classes: tuple[LabelClass, ...], core: frozenset[str]) -> LabelScheme:
    def values(tissues: frozenset[str]) -> tuple[int, ...]:
        return tuple(c.value for c in classes if c.tissues <= tissues)

    regions = (
        Region("WT", "whole tumour", values(core | _OEDEMA | _ENHANCING)),
        Region("TC", "tumour core", values(core | _ENHANCING)),
        Region("ET", "enhancing tumour", values(_ENHANCING)),
    )
    return LabelScheme(id, title, classes, regions)


_NCR = "necrotic and non-enhancing core"

BRATS2013 = _brats(
    "brats2013",
    "BraTS 2013",
    (
        _class(1, "NCR", "necrosis", 1, frozenset({"necrosis"})),
        _class(2, "ED", "oedema", 2, _OEDEMA),
        _class(3, "NET", "non-enhancing tumour", 3, frozenset({"non-enhancing"})),
        _class(4, "ET", "enhancing tumour", 4, _ENHANCING),
    ),
    _CORE,
)
BRATS2017 = _brats(
    "brats2017",
    "BraTS 2017",
    (
        _class(1, "NCR", _NCR, 1, _CORE),
        _class(2, "ED", "oedema", 2, _OEDEMA),
        _class(3, "ET", "enhancing tumour", 4, _ENHANCING),
    ),
    _CORE,
)
BRATS2023 = _brats(
    "brats2023",
    "BraTS 2023",
    (
        _class(1, "NCR", _NCR, 1, _CORE),
        _class(2, "ED", "oedema", 2, _OEDEMA),
        _class(3, "ET", "enhancing tumour", 3, _ENHANCING),
    ),
    _CORE,
)
BRATS2024 = _brats(
    "brats2024",
    "BraTS 2024",
    (
        _class(1, "NETC", "non-enhancing tumour core", 1, _CORE),
        _class(2, "SNFH", "oedema", 2, _OEDEMA),
        _class(3, "ET", "enhancing tumour", 3, _ENHANCING),
        _class(4, "RC", "resection cavity", 4, _CAVITY),
    ),
    _CORE,
)
BRATS_PED = _brats(
    "brats-ped",
    "BraTS-PEDs 2024",
    (
        _class(1, "ET", "enhancing tumour", 1, _ENHANCING),
        _class(2, "NET", "non-enhancing tumour", 2, frozenset({"non-enhancing"})),
        _class(3, "CC", "cystic component", 3, _CYST),
        _class(4, "ED", "oedema", 4, _OEDEMA),
    ),
    _CORE | _CYST,
)
MSD = _brats(
    "msd",
    "Decathlon",
    (
        _class(1, "ED", "oedema", 1, _OEDEMA),
        _class(2, "NCR", _NCR, 2, _CORE),
        _class(3, "ET", "enhancing tumour", 3, _ENHANCING),
    ),
    _CORE,
)
LGG = LabelScheme(
    "lgg",
    "LGG",
    (
        LabelClass(
            1, "FLAIR abnormality", "FLAIR abnormality", 255, _CORE | _OEDEMA | _ENHANCING, _YELLOW, _SAFE_YELLOW
        ),
    ),
    (Region("WT", "FLAIR abnormality", (1,)),),
    also_on_disk=(1,),
)

SCHEMES: dict[str, LabelScheme] = {s.id: s for s in (BRATS2013, BRATS2017, BRATS2023, BRATS2024, BRATS_PED, MSD, LGG)}


def scheme_by_id(id: str) -> LabelScheme:
    """Return the scheme named `id`; raise `LabelError` that lists the right names."""
    try:
        return SCHEMES[id]
    except KeyError:
        raise LabelError(f"There is no label scheme {id!r}. Choose one of {', '.join(SCHEMES)}.") from None
