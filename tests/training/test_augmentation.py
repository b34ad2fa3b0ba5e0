"""Augmentation as a whole: what is off changes nothing, the rest follows from the generator alone."""

from __future__ import annotations

from dataclasses import asdict, fields, replace

import pytest
import torch

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.training.augmentation import AugmentationSettings, augment

STILL = AugmentationSettings(**{name: 0.0 for name in asdict(AugmentationSettings()) if name != "elastic_spacing"})
EVERYTHING = AugmentationSettings(
    crop=0.2,
    elastic=4,
    elastic_spacing=12,
    warp=0.7,
    transpose=0.5,
    gamma=0.5,
    bias_field=0.3,
    blur=1,
    low_resolution=1,
    chance=0.7,
    drop_channel=0.2,
)


def drawn(*shape: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (shape[0], *shape[2:]), dtype=torch.uint8, generator=generator)
    return torch.randn(shape, generator=generator), labels


@pytest.mark.parametrize("shape", [(3, 2, 12, 20), (2, 2, 4, 12, 12)])
def test_settings_of_nothing_change_nothing(shape: tuple[int, ...]) -> None:
    images, labels = drawn(*shape)
    changed, moved = augment(images.half(), labels, STILL, torch.Generator().manual_seed(1))
    assert torch.equal(changed, images.half().float())
    assert torch.equal(moved, labels)


@pytest.mark.parametrize("shape", [(5, 3, 24, 32), (3, 2, 6, 24, 24)])
@pytest.mark.parametrize("through_plane", [0.0, 1.0])
def test_one_seed_gives_one_result_and_the_input_stays(shape: tuple[int, ...], through_plane: float) -> None:
    images, labels = drawn(*shape)
    settings = replace(EVERYTHING, through_plane=through_plane)
    before = images.clone(), labels.clone()
    results = [augment(images, labels, settings, torch.Generator().manual_seed(seed)) for seed in (7, 7, 8)]
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert not torch.equal(results[0][0], results[2][0])
    for changed, moved in results:
        assert changed.dtype == torch.float32
        assert changed.isfinite().all()
        assert (changed.shape, moved.shape, moved.dtype) == (images.shape, labels.shape, torch.uint8)


@pytest.mark.parametrize("shape", [(8, 1, 40, 40), (8, 1, 8, 40, 40)])
@pytest.mark.parametrize("through_plane", [0.0, 1.0])
def test_labels_move_with_their_image(shape: tuple[int, ...], through_plane: float) -> None:
    labels = torch.zeros(shape[0], *shape[2:], dtype=torch.uint8)
    labels[..., 12:30, 10:26] = 3
    settings = replace(
        STILL, rotation=180, scale=0.3, shift=0.1, crop=0.3, elastic=4, elastic_spacing=16, flip=0.5, transpose=0.5
    )
    settings = replace(settings, warp=0.8, chance=0.8, through_plane=through_plane)
    images, moved = augment(labels[:, None].float() / 3, labels, settings, torch.Generator().manual_seed(3))
    assert set(moved.unique().tolist()) == {0, 3}
    # Along a straight edge, linear sampling is above one half where the nearest voxel is inside.
    assert ((images[:, 0] > 0.5) == (moved == 3)).float().mean() > 0.99


def test_all_chance_is_drawn_on_the_cpu_generator_alone() -> None:
    images, labels = drawn(2, 2, 16, 16)
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    augment(images, labels, EVERYTHING, torch.Generator().manual_seed(1))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("name", [field.name for field in fields(AugmentationSettings)])
def test_wrong_amounts_are_told(name: str) -> None:
    for value in (-1, float("nan"), "much", True):
        with pytest.raises(TrainingError, match=rf"augmentation\.{name} is .*; it must be"):
            AugmentationSettings(**{name: value})  # type: ignore[arg-type]


def test_impossible_amounts_are_told() -> None:
    with pytest.raises(TrainingError, match=r"flip is 1\.5; it must be from 0 to 1"):
        AugmentationSettings(flip=1.5)
    with pytest.raises(TrainingError, match="below 1, or nothing would be left"):
        AugmentationSettings(crop=1)
    with pytest.raises(TrainingError, match=r"would fold .* set elastic_spacing to 50 or more"):
        AugmentationSettings(elastic=20, elastic_spacing=32)
    assert AugmentationSettings(elastic=20, elastic_spacing=50).elastic == 20
