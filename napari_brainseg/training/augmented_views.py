"""What augmentation does, as a picture: slices as they are, and changed, with their labels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.evaluation.pictures import Picture, side_by_side, with_classes
from napari_brainseg.training.augmentation import AugmentationSettings, augment


def augmented_views(
    batch: tuple[Tensor, Tensor],
    scheme: LabelScheme,
    settings: AugmentationSettings,
    generator: torch.Generator,
    *,
    slices: int = 1,
    rows: int = 1,
    channel: int = 0,
) -> Picture:
    """Return a picture of images, original above augmented, with their classes.

    Args:
        batch: Images (N, C, H, W), or (N, C, D, H, W), whose middle slice is shown, and labels uint8 (N, H, W) or
            (N, D, H, W).
        scheme: Of the labels.
        settings: Of the augmentation.
        generator: Source of chance.
        slices: Slices stacked in the channels, the middle one of which is drawn.
        rows: How many times each image is changed.
        channel: The channel that is drawn.
    """
    images, labels = batch[0].cpu().float(), batch[1].cpu()
    shown = [(images, labels)]
    shown += [augment(images, labels, settings, generator, slices=slices) for _ in range(rows)]
    drawn = images.shape[1] // slices * (slices // 2) + channel
    return np.concatenate([_row(changed[:, drawn], classes, scheme) for changed, classes in shown])


def _row(images: Tensor, labels: Tensor, scheme: LabelScheme) -> Picture:
    if images.ndim == 4:
        middle = images.shape[1] // 2
        images, labels = images[:, middle], labels[:, middle]
    pairs = zip(images, labels, strict=True)
    return side_by_side([with_classes(image.numpy(), mask.numpy(), scheme) for image, mask in pairs])
