"""Divide what a network gives by a temperature, in the weights of its last layer: nothing has to know of it later."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_brainseg.base.errors import ModelError
from napari_brainseg.networks.ensemble import Ensemble

_LAST = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# fp32 sums in another order differ by less.
_CLOSE = 1e-4


@torch.no_grad()
def divide_logits(network: nn.Module, temperatures: Sequence[float], images: Tensor) -> None:
    """Divide the logits of a network in evaluation mode by a temperature for each output; it is changed in place.

    Args:
        network: Its last layer is a convolution with as many outputs, or with `outputs_of_each` for each; or it is an
            ensemble of such networks.
        temperatures: One for each output.
        images: (N, C, *spatial) of any content, on which it is seen whether the logits are divided.

    Raises:
        ModelError: The last layer is another, so that the logits would not be divided; the network is then of no use.
    """
    before = network(images)
    by = torch.tensor(temperatures, dtype=torch.float32)
    for member in network.members if isinstance(network, Ensemble) else [network]:
        _divide(member, by, images)
    wanted = before / by.reshape(-1, *[1] * (images.ndim - 2))
    if not torch.allclose(network(images), wanted, rtol=_CLOSE, atol=_CLOSE * float(wanted.abs().max())):
        raise _no_last_layer()


def _divide(network: nn.Module, by: Tensor, images: Tensor) -> None:
    """Divide weight and bias of the convolution that is computed last."""
    done: list[nn.Module] = []
    layers = [module for module in network.modules() if isinstance(module, _LAST)]
    hooks = [layer.register_forward_hook(lambda layer, *_: done.append(layer)) for layer in layers]
    try:
        network(images)
    finally:
        for hook in hooks:
            hook.remove()
    last = done[-1] if done else None
    by = by.repeat_interleave(getattr(network, "outputs_of_each", 1))
    if not isinstance(last, _LAST) or last.out_channels != len(by) or last.groups != 1:
        raise _no_last_layer()
    # A transposed convolution has its outputs along the second axis of its weight.
    axis = 1 if isinstance(last, nn.ConvTranspose2d | nn.ConvTranspose3d) else 0
    last.weight /= by.reshape([-1 if a == axis else 1 for a in range(last.weight.ndim)])
    if last.bias is not None:
        last.bias /= by


def _no_last_layer() -> ModelError:
    return ModelError(
        "The network's last layer is no convolution whose outputs could be divided by a temperature. Choose a model of "
        "another network."
    )
