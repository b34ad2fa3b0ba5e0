"""Augmentation of whole batches on their device: tumours are pasted, then geometry, intensities, missing channels."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_brainseg.training.augmentation_settings import AugmentationSettings
from napari_brainseg.training.geometry_changes import move, random_motion
from napari_brainseg.training.intensity_changes import change_intensities
from napari_brainseg.training.pasted_tumours import paste_tumours

__all__ = ["AugmentationSettings", "augment", "change_intensities"]


def augment(
    images: Tensor, labels: Tensor, settings: AugmentationSettings, generator: torch.Generator, *, slices: int = 1
) -> tuple[Tensor, Tensor]:
    """Return changed fp32 copies of images (N, C, *spatial) and labels (N, *spatial), 2-D or 3-D.

    Labels move with their image, by nearest neighbour. All chance is drawn on the CPU, so that every device sees the
    same changes.

    Args:
        images: Any floating type, on any device.
        labels: Integers, on the same device.
        settings: How far images are changed.
        generator: Source of chance, of the CPU.
        slices: Slices that are stacked in the channels, slice after slice; a sequence changes alike in all of them.
    """
    images = images.float()
    if settings.paste:
        images, labels = paste_tumours(images, labels, settings.paste, generator)
    motion = random_motion(len(images), tuple(images.shape[2:]), settings, generator)
    images, labels = move(images, labels, motion)
    return change_intensities(images, settings, generator, slices=slices, in_place=True), labels
