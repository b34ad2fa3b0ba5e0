"""Validation slices worth a look: truth and prediction as outlines over the probability as heat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.evaluation.metrics import dice
from napari_brainseg.evaluation.pictures import Picture, with_outlines
from napari_brainseg.training.validation import Validated


def validation_pictures(validated: Sequence[Validated], scheme: LabelScheme, channel: int = 0) -> dict[str, Picture]:
    """Return the slice with the worst Dice, the worst that shows tumour, and the best of those, by name.

    Dice is that of the outermost region; of two equal ones the slice with more of it wins. `channel` is drawn.
    """
    inside = scheme.regions[0].values
    rated = []
    for case in validated:
        truth, found = np.isin(case.case.labels, inside), np.isin(case.found, inside)
        for z in np.flatnonzero((truth | found).any(axis=(1, 2))).tolist():
            size = int(truth[z].sum()) + int(found[z].sum())
            rated.append((dice(found[z], truth[z]), -size, bool(truth[z].any()), case, z))
    with_tumour = [r for r in rated if r[2]]
    chosen = {}
    if rated:
        chosen["worst"] = min(rated, key=lambda r: r[:2])
    if with_tumour:
        chosen["worst-with-tumour"] = min(with_tumour, key=lambda r: r[:2])
        chosen["best"] = max(with_tumour, key=lambda r: (r[0], -r[1]))
    pictures = {}
    for name, (_, _, _, case, z) in chosen.items():
        truth, found = np.isin(case.case.labels[z], inside), np.isin(case.found[z], inside)
        pictures[name] = with_outlines(case.case.images[channel, z], truth, found, case.probability[z])
    return pictures
