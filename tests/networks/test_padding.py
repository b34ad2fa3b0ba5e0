import pytest
import torch

from napari_brainseg.networks.padding import cropped, padded


@pytest.mark.parametrize(
    ("size", "stride", "two", "wanted"),
    [
        ((5, 8), 4, False, (8, 8)),
        ((3, 4), 4, True, (4, 8)),
        ((5, 4), 4, True, (8, 4)),
        ((3, 9, 4), (2, 4, 4), False, (4, 12, 4)),
        ((1, 3, 4), (2, 4, 4), True, (2, 4, 8)),
    ],
)
def test_pads_at_the_far_ends_and_crops_back(
    size: tuple[int, ...], stride: int | tuple[int, ...], two: bool, wanted: tuple[int, ...]
) -> None:
    images = torch.randn(2, 3, *size)
    larger = padded(images, stride, two=two)
    assert larger.shape == (2, 3, *wanted)
    assert torch.equal(cropped(larger, images), images)
    assert float(larger.abs().sum()) == pytest.approx(float(images.abs().sum()), rel=1e-5)


def test_what_fits_is_not_copied() -> None:
    images = torch.zeros(1, 1, 8, 8)
    assert padded(images, 4, two=True) is images
