import numpy as np
import torch

from napari_brainseg.training.patches import PatchSet
from napari_brainseg.training.prepared import PreparedCase


def volume(id: str, shape: tuple[int, int, int]) -> PreparedCase:
    """Return a case whose image is each voxel's flat index, and whose labels are one voxel near the end."""
    labels = np.zeros(shape, np.uint8)
    labels[-2, -2, -2] = 1
    return PreparedCase(id, np.arange(labels.size, dtype=np.float16).reshape(1, *shape), labels)


def test_patches_about_the_tumour_hold_it_and_images_follow() -> None:
    case = volume("one", (9, 10, 11))
    data = PatchSet.of([case], (4, 4, 4))
    images, labels = data.take(torch.tensor([0]), torch.Generator().manual_seed(0))
    assert labels.shape == (1, 4, 4, 4)
    assert labels.sum() == 1
    place = torch.nonzero(labels[0])[0].tolist()
    assert images[0, 0][tuple(place)] == case.images[0, -2, -2, -2]


def test_a_case_smaller_than_a_patch_is_padded_at_the_far_ends() -> None:
    data = PatchSet.of([volume("one", (3, 4, 5))], (6, 6, 6))
    images, labels = data.take(torch.tensor([0]), torch.Generator())
    assert images.shape == (1, 1, 6, 6, 6)
    assert labels[0, 1, 2, 3] == 1
    assert not images[0, 0, 3:].any()


def test_an_epoch_draws_each_case_about_its_tumour_and_some_anywhere() -> None:
    data = PatchSet.of([volume("one", (4, 4, 4)), volume("two", (4, 4, 4))], (2, 2, 2))
    batches = data.batches(2, 0.5, 3, torch.Generator().manual_seed(1))
    numbers = torch.cat(batches).tolist()
    assert len(batches) == 4  # 6 about a tumour and 3 anywhere, the incomplete batch left out
    assert set(numbers) <= {0, 1, 2, 3}
    assert data.cases(torch.tensor([0, 3])) == ["one", "two"]


def test_a_case_without_tumour_gives_patches_all_the_same() -> None:
    empty = PreparedCase("one", np.zeros((1, 5, 5, 5), np.float16), np.zeros((5, 5, 5), np.uint8))
    images, _ = PatchSet.of([empty], (3, 3, 3)).take(torch.tensor([0, 1]), torch.Generator())
    assert images.shape == (2, 1, 3, 3, 3)
