"""Validation scores of the border: how far apart the found and the true one lie. For runs that are to mind the rim."""

from __future__ import annotations

import numpy as np

from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.evaluation.lesions import MISSED_DISTANCE
from napari_brainseg.evaluation.surfaces import SurfaceDistances
from napari_brainseg.training.validation import SURFACE_MEASURES, Validated, check_score

_TOLERANCE = 1.0  # mm, or pixels where the spacing is unknown


def is_of_surfaces(name: str) -> bool:
    """Whether a score is one of the border: `surface_dice`, `hd95_ET` …"""
    return name.startswith(SURFACE_MEASURES)


def surface_score(validated: Validated, name: str, scheme: LabelScheme) -> float:
    """Return a case's score, higher being better: surface Dice within 1 mm, or HD95 in mm with a minus before it.

    The mean over the regions, or that of the region or class which the name ends with. HD95 is 374 mm where one of the
    two is empty, as in BraTS 2023. Where the spacing is unknown, a pixel stands for a millimetre.
    """
    measure, part = check_score(name, scheme)
    spacing = validated.case.spacing or (1.0, 1.0, 1.0)
    values = {c.name: (c.value,) for c in scheme.classes} | {r.name: r.values for r in scheme.regions}
    each = []
    for inside in [values[part]] if part else [region.values for region in scheme.regions]:
        found, truth = (np.isin(labels, inside) for labels in (validated.found, validated.case.labels))
        distances = SurfaceDistances(found, truth, spacing)
        far = distances.hd95 if np.isfinite(distances.hd95) else MISSED_DISTANCE
        each.append(-far if measure == "hd95" else distances.surface_dice(_TOLERANCE))
    return float(np.mean(each))
