from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_brainseg.networks import create_network
from napari_brainseg.networks.efficientnet_unet import EfficientNetUNet


@pytest.fixture
def network() -> EfficientNetUNet:
    torch.manual_seed(0)
    made = create_network("efficientnet_unet", in_channels=3, out_channels=2)
    assert isinstance(made, EfficientNetUNet)
    return made


def test_the_encoder_has_the_published_weights_without_norms(network: EfficientNetUNet) -> None:
    # EfficientNet-Lite0 has 4,652,008 parameters: less its last convolution with norm, its classifier, and the two of
    # each channel that batch norm has beside the one bias that a convolution has here.
    behind = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    encoder = network.encoder_convolutions()
    filters = sum(c.weight.numel() for c in encoder)
    biases = sum(c.out_channels for c in encoder)
    assert filters + 2 * biases == 4_652_008 - behind


def test_the_encoder_keeps_the_scale_of_its_input(network: EfficientNetUNet) -> None:
    x = network.stem(torch.randn(2, 3, 128, 128))
    for stage in network.stages:
        x = stage(x)
    assert 0.03 < float(x.detach().std()) < 3


def test_first_answers_are_as_rare_as_tumour(network: EfficientNetUNet) -> None:
    mean = network.eval()(torch.randn(2, 3, 64, 64)).sigmoid().mean()
    assert 0.02 < float(mean.detach()) < 0.1


def test_a_stride_gives_the_same_with_and_without_a_gradient(network: EfficientNetUNet) -> None:
    images = torch.randn(1, 3, 64, 96)
    network.eval()
    with torch.inference_mode():
        without = network(images)
    torch.testing.assert_close(network(images.requires_grad_()).detach(), without)


def test_each_output_pixel_can_follow_its_own_input_pixel(network: EfficientNetUNet) -> None:
    # Half the resolution inside, the whole one at both ends.
    images = torch.randn(1, 3, 64, 64, requires_grad=True)
    network.eval()
    gradients = []
    for row, column in ((20, 20), (20, 21), (21, 20), (21, 21)):
        (gradient,) = torch.autograd.grad(network(images)[0, 0, row, column], images)
        gradients.append(gradient)
    for one in range(4):
        for other in range(one):
            assert not torch.allclose(gradients[one], gradients[other])


def test_what_is_fixed_gets_no_gradient_and_the_rest_does() -> None:
    network = create_network("efficientnet_unet", in_channels=2, out_channels=1, fixed_stages=2, fixed_filters=True)
    network(torch.randn(2, 2, 64, 64)).square().mean().backward()
    without = {name for name, weight in network.named_parameters() if weight.grad is None}
    fixed = {
        name
        for name, weight in network.named_parameters()
        if name.startswith(("stem", "stages.0", "stages.1.")) or weight.shape[2:] == (5, 5)
    }
    filters = {name.removesuffix("weight") + "bias" for name in fixed if name.endswith("weight")}
    assert without == fixed | filters


def test_more_stages_than_there_are_cannot_be_fixed() -> None:
    with pytest.raises(Exception, match="fixed_stages must be from 0 to 7, not 8"):
        create_network("efficientnet_unet", in_channels=3, out_channels=1, fixed_stages=8)


def test_volumes_are_refused() -> None:
    with pytest.raises(Exception, match="for slices"):
        create_network("efficientnet_unet", in_channels=1, out_channels=1, spatial_dims=3)


def test_widths_are_four() -> None:
    with pytest.raises(Exception, match="widths must be 4 numbers"):
        create_network("efficientnet_unet", in_channels=1, out_channels=1, widths=[8, 8])


def test_there_are_no_norms_in_the_encoder(network: EfficientNetUNet) -> None:
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.stages.modules())
