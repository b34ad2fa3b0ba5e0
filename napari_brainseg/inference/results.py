"""`Results`: what a run keeps of a box: labels and the maps that were asked for, filled part by part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.inference.decoding import to_labels
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.inference.uncertainty import entropy, margin

_UNCERTAINTY = {"entropy": entropy, "margin": margin}
_SLAB = 16  # slices that become labels at once, so that what that takes stays small


class Results:
    """Labels (z, y, x) and, where asked for, probabilities, uncertainty and variance of a box.

    Args:
        shape: Of the box.
        regions: How many probability maps there are; maps that are taken may have the variance behind them.
        outputs: The network's outputs.
        scheme: What the labels mean.
        settings: Which maps are kept.
        varies: Whether there is a variance.
    """

    def __init__(
        self,
        shape: Sequence[int],
        outputs: Sequence[str],
        scheme: LabelScheme,
        settings: SegmentSettings,
        *,
        regions: int,
        varies: bool,
    ) -> None:
        size = tuple(shape)
        self._outputs, self._scheme, self._regions = outputs, scheme, regions
        self._measure = _UNCERTAINTY.get(settings.uncertainty)
        self.done = np.zeros(size[0], bool)
        self.labels: LabelArray = np.zeros(size, np.uint8)
        self.probabilities = np.zeros((regions, *size), np.float16) if settings.probabilities else None
        self.uncertainty = np.zeros(size, np.float16) if self._measure else None
        self.variance = np.zeros(size, np.float16) if varies else None

    def clear(self) -> None:
        """Forget everything, before a run that starts anew."""
        for array in (self.done, self.labels, self.probabilities, self.uncertainty, self.variance):
            if array is not None:
                array[...] = 0

    def labels_of(self, maps: Tensor) -> LabelArray:
        """Return labels (n, y, x) of maps (R, n, y, x)."""
        parts = [
            to_labels(m[None, : self._regions], self._outputs, self._scheme)[0] for m in torch.split(maps, _SLAB, 1)
        ]
        return np.asarray(torch.cat(parts).cpu().numpy())

    def take(self, places: Sequence[int], maps: Tensor) -> None:
        """Keep maps (R, n, y, x) of whole slices, which are final now."""
        for first in range(0, len(places), _SLAB):
            some = list(places[first : first + _SLAB])
            self._keep(some, maps[:, first : first + _SLAB])
            self.done[some] = True

    def _keep(self, places: list[int], maps: Tensor) -> None:
        probabilities = maps[: self._regions]
        self.labels[places] = self.labels_of(maps)
        if self.probabilities is not None:
            self.probabilities[:, places] = _half(probabilities)
        if self.uncertainty is not None and self._measure is not None:
            self.uncertainty[places] = _half(self._measure(probabilities[None], self._outputs)[0])
        if self.variance is not None:
            self.variance[places] = _half(maps[self._regions])


def _half(maps: Tensor) -> NDArray[Any]:
    return np.asarray(maps.half().cpu().numpy())
