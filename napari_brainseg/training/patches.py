"""Training patches of 3-D networks: cut about tumour voxels, or anywhere in the brain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_brainseg.training.prepared import PreparedCase


@dataclass(frozen=True, eq=False)
class PatchSet:
    """Whole prepared cases that patches (D, H, W) are cut from.

    Attributes:
        prepared: The cases.
        size: (D, H, W) of a patch; zero-padded where a case is smaller.
        tumour: Flat indices of each case's tumour voxels.
    """

    prepared: tuple[PreparedCase, ...]
    size: tuple[int, int, int]
    tumour: tuple[Tensor, ...]

    @classmethod
    def of(cls, cases: Sequence[PreparedCase], size: tuple[int, int, int]) -> PatchSet:
        """Make the set of these cases."""
        return cls(tuple(cases), size, tuple(torch.from_numpy(np.flatnonzero(case.labels)) for case in cases))

    @property
    def labels(self) -> Tensor:
        """Return the label values of all voxels of all cases, flat."""
        return torch.cat([torch.from_numpy(case.labels).flatten() for case in self.prepared])

    def batches(self, size: int, empty_share: float, oversample: int, generator: torch.Generator) -> list[Tensor]:
        """Return one epoch's batches of patch numbers: case times two, plus one where any voxel may be the middle.

        Args:
            size: Patches a batch; a last incomplete batch is left out, unless it is the only one.
            empty_share: Patches about any voxel, as a share of those about a tumour voxel.
            oversample: Patches about a tumour voxel of each case.
            generator: Source of chance.
        """
        about_tumour = torch.arange(len(self.prepared)).repeat(oversample) * 2
        anywhere = torch.randint(len(self.prepared), (round(empty_share * len(about_tumour)),), generator=generator)
        order = torch.cat([about_tumour, anywhere * 2 + 1])
        order = order[torch.randperm(len(order), generator=generator)]
        return [order[start : start + size] for start in range(0, max(1, len(order) - size + 1), size)]

    def take(self, patches: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images (N, C, D, H, W) float16 and labels (N, D, H, W) cut for the patch numbers."""
        cut = [self._cut(int(p) // 2, bool(p % 2), generator) for p in patches]
        return torch.stack([images for images, _ in cut]), torch.stack([labels for _, labels in cut])

    def cases(self, patches: Tensor) -> list[str]:
        """Return the cases of patch numbers, each once, in order."""
        return sorted({self.prepared[int(p) // 2].id for p in patches})

    def _cut(self, number: int, anywhere: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        case = self.prepared[number]
        choices = self.tumour[number]
        total = int(case.labels.size)
        if anywhere or not len(choices):
            middle = int(torch.randint(total, (), generator=generator))
        else:
            middle = int(choices[torch.randint(len(choices), (), generator=generator)])
        window, pads = [], []
        for place, extent, whole in zip(
            np.unravel_index(middle, case.labels.shape), self.size, case.labels.shape, strict=True
        ):
            start = min(max(0, int(place) - extent // 2), max(0, whole - extent))
            stop = min(whole, start + extent)
            window.append(slice(start, stop))
            pads.append((0, extent - (stop - start)))
        images = np.pad(case.images[(slice(None), *window)], [(0, 0), *pads])
        return torch.from_numpy(images), torch.from_numpy(np.pad(case.labels[tuple(window)], pads))
