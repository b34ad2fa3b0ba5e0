"""The exact sizes that a study prints for its U-Nets (4 classes, running statistics counted), and the options."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from napari_brainseg.base.errors import ModelError
from napari_brainseg.networks import create_network
from napari_brainseg.networks.unet import UNet

THREE = {"convs_per_block": 3, "batch_norm": True}


def size(network: nn.Module) -> int:
    """Count parameters and running statistics, but not the counters of batches."""
    return sum(t.numel() for t in network.state_dict().values() if t.is_floating_point())


def unet(in_channels: int = 4, **options: Any) -> nn.Module:
    return create_network("unet", in_channels=in_channels, out_channels=4, **options)


@pytest.mark.parametrize(
    ("count", "channels", "options"),
    [
        (31_032_516, 4, {}),
        (31_032_516, 4, {"dropout": 0.3, "dilation": 2}),
        (31_031_940, 3, {}),
        (15_826_116, 4, {"bridge": False}),
        (31_379_716, 4, {"upsampling": "interpolate", "dilation": 2}),
        (46_774_852, 4, THREE),
        (22_117_956, 4, {**THREE, "bridge": False}),
        (46_775_428, 5, THREE),
        (22_118_532, 5, {**THREE, "bridge": False}),
    ],
)
def test_has_the_printed_number_of_parameters(count: int, channels: int, options: dict[str, Any]) -> None:
    with torch.device("meta"):
        assert size(unet(channels, **options)) == count


@pytest.mark.parametrize("bridge", [True, False])
@pytest.mark.parametrize("upsampling", ["transposed", "interpolate"])
def test_a_pyramid_joins_what_is_far_apart(upsampling: str, bridge: bool) -> None:
    # Without one and without a bridge a pixel sees 128 at most to each side; the pool of everything sees all.
    torch.manual_seed(0)
    images = torch.randn(1, 4, 16, 512, requires_grad=True)
    options = {"base_width": 4, "upsampling": upsampling, "bridge": bridge}
    for bottleneck, seen in (("plain", False), ("pyramid", True)):
        network = unet(bottleneck=bottleneck, **options).eval()
        (gradient,) = torch.autograd.grad(network(images)[..., 0].sum(), images)
        assert bool(gradient[..., 256:].any()) is seen


def test_dropout_acts_in_training_alone() -> None:
    network, images = unet(base_width=4, dropout=0.5), torch.ones(1, 4, 32, 32)
    with torch.no_grad():
        assert not torch.equal(network(images), network(images))
        network.eval()
        assert torch.equal(network(images), network(images))


def test_a_dilated_convolution_looks_further() -> None:
    reaches = []
    for dilation in (1, 3):
        torch.manual_seed(0)
        images = torch.randn(1, 4, 16, 512, requires_grad=True)
        network = unet(base_width=4, bridge=False, dilation=dilation).eval()
        (gradient,) = torch.autograd.grad(network(images)[..., 0].sum(), images)
        reaches.append(int(gradient.abs().sum((0, 1, 2)).nonzero().max()))
    assert reaches[1] > 2 * reaches[0]


def test_a_head_of_pixels_gives_each_place_its_own_ones() -> None:
    network = create_network("unet", in_channels=2, out_channels=1, base_width=4, subpixel=2)
    assert isinstance(network, UNet)
    torch.nn.init.zeros_(network.head.weight)
    with torch.no_grad():
        network.head.bias.copy_(torch.arange(4.0))
    found = network(torch.rand(1, 2, 33, 18))
    assert torch.equal(found[0, 0], torch.tensor([[0.0, 1.0], [2.0, 3.0]]).repeat(17, 9)[:33])
    with pytest.raises(ModelError, match="subpixel must be 1, 2 or 4"):
        create_network("unet", in_channels=2, out_channels=1, subpixel=3)
