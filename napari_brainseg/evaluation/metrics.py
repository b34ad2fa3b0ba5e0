"""Scores of label arrays; plain numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.labels import LabelArray, LabelScheme


def dice(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return 2 |P ∩ T| / (|P| + |T|) of two masks (Dice 1945); 1 where both are empty."""
    total = int(np.count_nonzero(prediction)) + int(np.count_nonzero(truth))
    if total == 0:
        return 1.0
    return 2 * int(np.count_nonzero(prediction & truth)) / total


def region_dice(prediction: LabelArray, truth: LabelArray, scheme: LabelScheme) -> dict[str, float]:
    """Return Dice per region for two label arrays in program values of one scheme."""
    masks = zip(scheme.region_masks(prediction), scheme.region_masks(truth), strict=True)
    return {region.name: dice(*pair) for region, pair in zip(scheme.regions, masks, strict=True)}
