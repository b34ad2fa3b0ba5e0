"""Pasted tumours: where they land, how they are matched, and that chance comes from the generator alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from napari_brainseg.training.augmentation import AugmentationSettings, augment
from napari_brainseg.training.geometry_changes import move, random_motion
from napari_brainseg.training.intensity_changes import change_intensities
from napari_brainseg.training.pasted_tumours import paste_tumours, shifts_onto, window


def heads(donor: float = 1.0, receiver: float = 5.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two heads of 48 x 40 voxels in the dark; a tumour (class 2, core 3) brighter by 7 in the first one."""
    images, labels = torch.zeros(2, 2, 64, 56), torch.zeros(2, 64, 56, dtype=torch.uint8)
    images[0, :, 8:56, 8:48], images[1, :, 8:56, 8:48] = donor, receiver
    labels[0, 20:30, 16:28] = 2
    labels[0, 23:27, 20:24] = 3
    images[0] += 7 * (labels[0] > 0)
    return images, labels


def pasted(images: torch.Tensor, labels: torch.Tensor, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    return paste_tumours(images, labels, 1.0, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(4))
def test_a_tumour_comes_with_its_labels_and_as_much_brighter_than_the_tissue_as_it_was(seed: int) -> None:
    images, labels = heads()
    changed, moved = pasted(images, labels, seed)
    assert torch.equal(changed[0], images[0])  # there is no other tumour for it
    assert torch.equal(moved[0], labels[0])
    assert torch.equal(moved[1].unique(return_counts=True)[1], labels[0].unique(return_counts=True)[1])
    core = changed[1][:, moved[1] == 3]
    assert torch.allclose(core, torch.tensor(12.0), atol=0.01)
    healthy = changed[1][:, (moved[1] == 0) & (images[1, 0] > 0)]
    assert torch.allclose(healthy, torch.tensor(5.0), atol=0.01)  # the seam is not to be seen
    assert torch.equal(changed[1] == 0, images[1] == 0)  # the dark stays dark


def test_a_tumour_is_put_where_the_other_slice_is_healthy() -> None:
    images, labels = heads()
    labels[1, 8:32, 8:48] = 1
    for seed in range(4):
        moved = pasted(images, labels, seed)[1]
        assert (moved[1] == 1).sum() == 24 * 40
        assert (moved[1] > 1).sum() == 120


def test_a_slice_keeps_its_image_where_there_is_no_place_or_another_choice_of_channels() -> None:
    images, labels = heads()
    small, lacking = images.clone(), images.clone()
    small[1, :, 14:], lacking[1, 1] = 0, 0
    for given in (small, lacking):
        changed, moved = pasted(given, labels)
        assert torch.equal(changed, given)
        assert torch.equal(moved, labels)


def test_a_shift_leads_from_the_tumour_to_the_one_good_place() -> None:
    good, tumours = torch.zeros(1, 10, 8), torch.zeros(1, 10, 8)
    good[0, 1:4, 5:7], tumours[0, 6:9, 2:4] = 1, 1
    places = torch.rand((1, 20, 16), generator=torch.Generator().manual_seed(1))
    assert shifts_onto(good, tumours, places).tolist() == [[-20, 12]]
    good[0, 2:4] = 0
    assert shifts_onto(good, tumours, places).tolist() == [[80, 64]]  # out of the image


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("shift", [-30, -3, 0, 5, 39])
def test_a_window_is_cut_at_the_edge_like_the_image_that_it_is_copied_to(flip: bool, shift: int) -> None:
    line = torch.zeros(40, dtype=torch.bool)
    line[12:20] = True
    here, there = window(line, flip, shift)
    numbered = torch.arange(1, 41)
    mirrored = numbered.flip(0) if flip else numbered
    expected = torch.zeros(120, dtype=torch.long)
    expected[40 + shift : 80 + shift] = mirrored
    part = numbered[here].flip(0) if flip else numbered[here]
    assert torch.equal(part, expected[40:80][there])


def test_without_pasting_nothing_else_is_drawn_and_with_it_the_input_stays() -> None:
    images, labels = heads()
    before, settings = (images.clone(), labels.clone()), AugmentationSettings(noise=0.1)
    generator = torch.Generator().manual_seed(2)
    motion = random_motion(2, (64, 56), settings, generator)
    moved, classes = move(images, labels, motion)
    expected = change_intensities(moved, settings, generator)
    plain = augment(images, labels, settings, torch.Generator().manual_seed(2))
    assert torch.equal(plain[0], expected)
    assert torch.equal(plain[1], classes)
    changed = augment(images, labels, replace(settings, paste=1.0), torch.Generator().manual_seed(2))
    assert changed[1][1].any()
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])
