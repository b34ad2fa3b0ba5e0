"""Which slices are drawn, what a slice with neighbours is, and where patches are cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.model_store.preprocessing import stacked
from napari_brainseg.training.batches import SliceChoice, SliceSet, slice_set
from napari_brainseg.training.patches import PatchSet
from napari_brainseg.training.prepared import PreparedCase


def numbered(depth: int = 6, tumour: dict[int, int] | None = None) -> PreparedCase:
    """Return a case of two channels whose voxels are 1 + the slice's number, with so many tumour pixels a slice."""
    images = np.ones((2, depth, 8, 8), np.float16) * (1 + np.arange(depth, dtype=np.float16))[:, None, None]
    images[1] += 100
    labels = np.zeros((depth, 8, 8), np.uint8)
    for z, count in (tumour or {}).items():
        labels[z].reshape(-1)[:count] = 1
    return PreparedCase("numbered", images, labels)


def made(case: PreparedCase, choice: SliceChoice, tmp_path: Path, cache: str = "memory") -> SliceSet:
    return run_to_end(slice_set([lambda: case], choice, cache, tmp_path, torch.device("cpu")))


def test_a_slice_comes_with_its_neighbours_as_it_does_when_segmenting(tmp_path: Path) -> None:
    case = numbered(tumour={2: 1})
    slices = made(case, SliceChoice((8, 8), neighbours=1), tmp_path)
    rows = torch.tensor([0, 3, 5])
    assert np.array_equal(slices.images(rows).numpy(), stacked(case.images, rows.tolist(), 1))
    assert slices.images(rows)[0, :, 0, 0].tolist() == [1, 101, 1, 101, 2, 102]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (SliceChoice((8, 8)), [0, 1, 2, 3, 4]),
        (SliceChoice((8, 8), least_tumour=3), [0, 2, 3, 4]),
        (SliceChoice((8, 8), central=2), [2, 3]),
    ],
)
def test_filters_choose_the_slices(choice: SliceChoice, expected: list[int], tmp_path: Path) -> None:
    case = numbered(tumour={1: 2, 2: 4, 3: 8})
    case.images[:, 5] = 0  # a slice without any image is never drawn
    assert made(case, choice, tmp_path).drawn.tolist() == expected


@pytest.mark.parametrize("tumour", [dict.fromkeys(range(6), 2), {1: 2}, {}])
def test_no_slice_with_tumour_left_is_said(tumour: dict[int, int], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="No slice with tumour is left"):
        made(numbered(tumour=tumour), SliceChoice((8, 8), least_tumour=3), tmp_path)


def test_an_epoch_holds_every_tumour_slice_as_often_as_asked_and_a_share_of_the_others(tmp_path: Path) -> None:
    slices = made(numbered(depth=10, tumour={1: 2, 2: 4}), SliceChoice((8, 8)), tmp_path)
    drawn = torch.cat(slices.batches(1, 1.5, 3, torch.Generator().manual_seed(1))).tolist()
    assert [drawn.count(z) for z in (1, 2)] == [3, 3]
    assert len(drawn) == 6 + 3
    assert len({z for z in drawn if z not in (1, 2)}) == 3


def test_patches_lie_within_the_case_and_hold_tumour() -> None:
    case = numbered(depth=10, tumour={7: 1})
    patches = PatchSet.of([case], (4, 6, 6))
    images, labels = patches.take(torch.tensor([0, 0, 0]), torch.Generator().manual_seed(1))
    assert images.shape == (3, 2, 4, 6, 6)
    assert labels.flatten(1).any(1).all()
    # The tumour voxel is in the corner of slice 7: the patch begins at slice 5, in the corner.
    assert images[0, 0, :, 0, 0].tolist() == [6, 7, 8, 9]


def test_a_patch_larger_than_the_case_is_padded_at_the_far_ends() -> None:
    images, labels = PatchSet.of([numbered(depth=3, tumour={0: 1})], (4, 8, 10)).take(
        torch.tensor([0]), torch.Generator()
    )
    assert images.shape == (1, 2, 4, 8, 10)
    assert not images[0, :, 3].any()
    assert not images[..., 8:].any()
    assert labels[0, 0, 0, 0] == 1
