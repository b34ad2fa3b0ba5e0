import numpy as np
import torch

from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.training.augmentation import AugmentationSettings
from napari_brainseg.training.augmented_views import augmented_views

FLIPPED = AugmentationSettings(rotation=0, scale=0, shift=0, flip=1, intensity=0, noise=0)


def views(images: torch.Tensor, labels: torch.Tensor, **options: int) -> np.ndarray:
    return augmented_views((images, labels), BRATS2017, FLIPPED, torch.Generator().manual_seed(1), **options)


def test_originals_above_and_changed_below_with_their_labels() -> None:
    images, labels = torch.rand(2, 1, 16, 16), torch.zeros(2, 16, 16, dtype=torch.uint8)
    labels[:, 2:5, 3:9] = 2
    picture = views(images, labels, rows=2)
    assert picture.shape == (48, 36, 3)
    first, changed = picture[:16, :16], picture[16:32, :16]
    assert np.abs(first.astype(int) - changed[::-1, ::-1].astype(int)).max() <= 1


def test_the_middle_slice_of_patches_and_of_stacks_is_drawn() -> None:
    patches = torch.zeros(1, 2, 5, 8, 8)
    patches[:, 0, 2, :4] = 1  # the middle slice of the first channel has an upper half
    labels = torch.zeros(1, 5, 8, 8, dtype=torch.uint8)
    picture = views(patches, labels)
    assert picture[:8].max() == 255
    assert picture[4:8].max() == 0
    stacks = torch.zeros(1, 6, 8, 8)  # three slices of two channels
    stacks[:, 2, :4] = 1
    assert views(stacks, labels[:, 0], slices=3)[:4].min() == 255
