"""Which scheme a labels file was written in: naming picks the candidates, the values in the file narrow them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import LabelError
from napari_brainseg.cases.case import Naming
from napari_brainseg.cases.labels import (
    BRATS2013,
    BRATS2017,
    BRATS2023,
    BRATS2024,
    BRATS_PED,
    LGG,
    MSD,
    LabelArray,
    LabelScheme,
    scheme_by_id,
    values_of,
)

_BY_NAMING = {
    Naming.BRATS_2017: (BRATS2017, BRATS2023, MSD),
    Naming.BRATS_2023: (BRATS2023, BRATS2024, BRATS_PED),
    Naming.NNUNET: (MSD, BRATS2023, BRATS2017),
    Naming.DECATHLON: (MSD,),
    Naming.PLAIN: (BRATS2017, BRATS2023, MSD),
    Naming.LGG: (LGG,),
}


@dataclass(frozen=True, eq=False)
class Reading:
    """Labels as they were understood: program values, their scheme, all schemes that fit, and whether it is a guess."""

    labels: LabelArray
    scheme: LabelScheme
    candidates: tuple[LabelScheme, ...]
    assumed: bool


def candidate_schemes(naming: Naming, case_id: str = "") -> tuple[LabelScheme, ...]:
    """Return the schemes that this naming is used with, the most usual first."""
    schemes = _BY_NAMING[naming]
    if naming is Naming.BRATS_2023:
        # The challenges name the cohort: BraTS-GLI-…, BraTS-MET-…, BraTS-PED-….
        cohort = case_id.upper()
        if "-PED-" in cohort:
            return (BRATS_PED, BRATS2023)
        if cohort.startswith("BRATS-"):
            return (BRATS2023, BRATS2024)
    return schemes


def read_as(array: NDArray[np.generic], naming: Naming, case_id: str, chosen: str | None, source: str) -> Reading:
    """Understand the values of a labels file.

    Args:
        array: Whole numbers as on disk.
        naming: The naming of the labels file.
        case_id: The name of the case, which may tell the cohort.
        chosen: The id of a scheme that a person chose, or None.
        source: The file's name for error sentences.

    Raises:
        LabelError: The values fit no candidate, or not the chosen scheme; or there is no such scheme.
    """
    values = values_of(array)
    candidates = candidate_schemes(naming, case_id)
    if naming in (Naming.BRATS_2017, Naming.PLAIN) and {3, 4} <= set(values):
        candidates = (*candidates, BRATS2013)
    if chosen is not None:
        scheme = scheme_by_id(chosen)
        if not scheme.fits(values):
            raise LabelError(_misfit(source, values, (scheme,)))
        others = tuple(s for s in candidates if s != scheme and s.fits(values))
        return Reading(scheme.from_disk(array), scheme, (scheme, *others), assumed=False)
    fitting = tuple(scheme for scheme in candidates if scheme.fits(values))
    if not fitting:
        raise LabelError(_misfit(source, values, candidates))
    return Reading(fitting[0].from_disk(array), fitting[0], fitting, assumed=len(fitting) > 1)


def _misfit(source: str, values: tuple[int, ...], schemes: tuple[LabelScheme, ...]) -> str:
    foreign = [v for v in values if not any(v in s.disk_values for s in schemes)] or list(values)
    listed = ", ".join(map(str, foreign[:10])) + (f" and {len(foreign) - 10} more" if len(foreign) > 10 else "")
    known = "; ".join(f"{s.title} ({', '.join(map(str, s.disk_values))})" for s in schemes)
    together = "" if len(foreign) < len(values) or len(values) == 1 else " together"
    return (
        f"{source} holds the label values {listed}, which do not fit{together} {known}. "
        "Choose another labels file, or name its scheme."
    )
