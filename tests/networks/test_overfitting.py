"""Every network learns one phantom batch by heart."""

from __future__ import annotations

import pytest
import torch
from small_networks import SMALL
from torch import Tensor

from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.inference.decoding import to_targets
from napari_brainseg.networks import create_network
from napari_brainseg.training.losses import bce_dice

OUTPUTS = ("WT", "TC", "ET")


@pytest.fixture(scope="module")
def volume() -> tuple[Tensor, Tensor]:
    """Return the images (4, Z, Y, X) and the targets (3, Z, Y, X) of a phantom."""
    case = make_volume_phantom(1, (12, 48, 48), (11.0, 4.0, 4.0))
    images = torch.stack([torch.from_numpy(v.data).float() for v in case.channels.values()])
    images = (images - images.mean((1, 2, 3), keepdim=True)) / images.std((1, 2, 3), keepdim=True)
    assert case.labels is not None
    labels = torch.from_numpy(case.labels.volume.data)
    return images, to_targets(labels[None], OUTPUTS, case.scheme)[0]


# The networks of volumes are the same code as those of slices: two stand for all.
@pytest.mark.parametrize(
    ("name", "dims"), [key for key in SMALL if key[1] == 2 or key[0] in ("monai_segresnet", "monai_dynunet")]
)
def test_thirty_steps_on_one_batch_lower_the_loss(name: str, dims: int, volume: tuple[Tensor, Tensor]) -> None:
    images, targets = volume
    if dims == 2:
        full = targets[0].sum((1, 2)).topk(2).indices
        images, targets = images[:, full].transpose(0, 1), targets[:, full].transpose(0, 1)
    else:
        middle = (slice(None), slice(2, 10), slice(8, 40), slice(8, 40))
        images, targets = images[middle][None], targets[middle][None]
    torch.manual_seed(0)
    network = create_network(name, in_channels=4, out_channels=3, spatial_dims=dims, **SMALL[name, dims][0])
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-2)
    losses = []
    for _ in range(31):
        outputs = network(images)
        each = [bce_dice(o, targets) for o in (outputs if isinstance(outputs, list) else [outputs])]
        loss = torch.stack(each).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[30] < 0.7 * losses[0]
