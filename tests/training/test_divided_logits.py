from __future__ import annotations

import pytest
import torch
from small_networks import SMALL
from torch import Tensor, nn

from napari_brainseg.base.errors import ModelError
from napari_brainseg.networks import create_network
from napari_brainseg.training.divided_logits import divide_logits

TEMPERATURES = (0.5, 1.5, 3.0)


def images_of(dims: int) -> Tensor:
    return torch.randn((1, 2, *(32,) * dims), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "dims"), [("unext", 2), ("efficientnet_unet", 2), ("unet_3plus", 2), ("vit", 3), ("ensemble", 2)]
)
def test_logits_are_divided_and_labels_stay(name: str, dims: int) -> None:
    torch.manual_seed(0)
    network = create_network(name, in_channels=2, out_channels=3, spatial_dims=dims, **SMALL[name, dims][0]).eval()
    with torch.inference_mode(False), torch.no_grad():
        before = network(images_of(dims))
        divide_logits(network, TEMPERATURES, images_of(dims))
        after = network(images_of(dims))
    by = torch.tensor(TEMPERATURES).reshape(3, *[1] * dims)
    assert torch.allclose(after * by, before, rtol=1e-4, atol=1e-4)
    assert torch.equal(after > 0, before > 0)


class Squared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images).square()


@pytest.mark.parametrize("network", [Squared(), nn.Conv2d(2, 4, 1), nn.Identity()])
def test_a_network_that_cannot_be_divided_is_refused(network: nn.Module) -> None:
    with pytest.raises(ModelError, match="last layer is no convolution"):
        divide_logits(network.eval(), TEMPERATURES[: 3 if isinstance(network, Squared) else 2], images_of(2))
