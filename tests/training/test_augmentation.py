import torch

from napari_brainseg.training.augmentation import AugmentationSettings, augment, random_affines, warp

STILL = AugmentationSettings(rotation=0, scale=0, shift=0, flip=0, intensity=0, noise=0)


def test_settings_of_nothing_change_nothing() -> None:
    images, labels = torch.rand(3, 2, 12, 20), torch.randint(0, 4, (3, 12, 20), dtype=torch.uint8)
    changed, moved = augment(images, labels, STILL, torch.Generator().manual_seed(1))
    torch.testing.assert_close(changed, images, atol=1e-5, rtol=0)
    assert torch.equal(moved, labels)


def test_a_mirror_image_is_the_exact_mirror_image() -> None:
    images = torch.rand(1, 1, 8, 8)
    labels = torch.randint(0, 4, (1, 8, 8), dtype=torch.uint8)
    both = AugmentationSettings(rotation=0, scale=0, shift=0, flip=1, intensity=0, noise=0)
    changed, moved = augment(images, labels, both, torch.Generator().manual_seed(1))
    torch.testing.assert_close(changed, images.flip(2, 3), atol=1e-5, rtol=0)
    assert torch.equal(moved, labels.flip(1, 2))


def test_rotation_keeps_angles_and_lengths_in_pixels() -> None:
    height, width = 30, 60
    settings = AugmentationSettings(rotation=45, scale=0, shift=0, flip=0)
    matrix = random_affines(1, height / width, settings, torch.Generator().manual_seed(3))[0, :, :2]
    to_pixels = torch.diag(torch.tensor([width / 2, height / 2]))
    in_pixels = to_pixels @ matrix @ torch.linalg.inv(to_pixels)
    torch.testing.assert_close(in_pixels @ in_pixels.T, torch.eye(2), atol=1e-5, rtol=0)


def test_labels_stay_labels() -> None:
    labels = torch.zeros(1, 16, 16, dtype=torch.uint8)
    labels[:, 4:12, 4:12] = 3
    matrices = random_affines(1, 1.0, AugmentationSettings(), torch.Generator().manual_seed(2))
    _, moved = warp(torch.zeros(1, 1, 16, 16), labels, matrices)
    assert set(moved.unique().tolist()) == {0, 3}


def test_one_channel_at_least_is_kept() -> None:
    settings = AugmentationSettings(rotation=0, scale=0, shift=0, flip=0, intensity=0, noise=0, drop_channel=1.0)
    images, _ = augment(
        torch.ones(50, 4, 4, 4), torch.zeros(50, 4, 4, dtype=torch.uint8), settings, torch.Generator().manual_seed(1)
    )
    assert images.amax((2, 3)).gt(0).sum(1).eq(1).all()
