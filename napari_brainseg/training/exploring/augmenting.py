"""Sample slices as augmentation changes them."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray

from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.base.progress import Progress
from napari_brainseg.evaluation.pictures import Picture
from napari_brainseg.training.augmentation import AugmentationSettings
from napari_brainseg.training.augmented_views import augmented_views
from napari_brainseg.training.batches import fitted
from napari_brainseg.training.exploring.findings import Findings
from napari_brainseg.training.exploring.known_labels import open_case
from napari_brainseg.training.exploring.samples import overlays_wanted

_VIEWS = 4
_ROWS = 3


def augmented_samples(
    findings: Findings, settings: AugmentationSettings | None = None, seed: int = 1
) -> Generator[Progress, None, Picture | None]:
    """Return sample slices, as they are above changed three times, with their labels; None where no case has a tumour.

    The channel that gives the grid is shown. A case that can no longer be read is left out.
    """
    labelled = [case for case in findings.cases if case.scheme is findings.cases[0].scheme]
    wanted = overlays_wanted(labelled)[:_VIEWS]
    images, masks = [], []
    for number, want in enumerate(wanted):
        yield Progress(number, len(wanted), f"augmenting {want.case_id}")
        try:
            case, known = open_case(findings.files[want.case_id])
        except BrainsegError:
            continue
        if known is not None:
            images.append(_standardised(case.channels[case.grid_channel].data[want.slice]))
            masks.append(known.labels[want.slice])
    scheme = labelled[0].scheme if labelled else None
    if not images or scheme is None:
        return None
    size = max(i.shape[0] for i in images), max(i.shape[1] for i in images)
    stacked = torch.from_numpy(np.stack([fitted(image[None], size) for image in images]))
    labels = torch.from_numpy(np.stack([fitted(mask, size) for mask in masks]))
    chance = torch.Generator().manual_seed(seed)
    return augmented_views((stacked, labels), scheme, settings or AugmentationSettings(), chance, rows=_ROWS)


def _standardised(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return an image whose values that are not 0 have mean 0 and deviation 1, as networks get it."""
    values = image.astype(np.float32)
    inside = values[values != 0]
    return (values - inside.mean()) / max(float(inside.std()), 1e-6) if len(inside) else values
