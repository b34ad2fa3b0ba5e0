from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from napari_brainseg.base.errors import ModelError
from napari_brainseg.networks import create_network
from napari_brainseg.networks.ensemble import Ensemble


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, images: Tensor) -> Tensor:
        return self.factor * images


def test_gives_the_exact_mean_of_the_logits() -> None:
    images = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert torch.equal(Ensemble([Times(1.0), Times(2.0), Times(6.0)])(images), 3 * images)


def test_half_precision_is_summed_in_full() -> None:
    images = torch.ones((1, 1, 2, 2), dtype=torch.bfloat16)
    # In bf16 256 + 1 is 256 again.
    mean = Ensemble([Times(256.0).bfloat16(), *(Times(1.0).bfloat16() for _ in range(3))])(images)
    assert mean.dtype == torch.bfloat16
    assert torch.equal(mean.float(), torch.full((1, 1, 2, 2), 64.75).bfloat16().float())


def test_members_are_those_of_the_registry_and_start_apart() -> None:
    network = create_network("ensemble", in_channels=2, out_channels=1, of="unext", members=3)
    assert [type(member).__name__ for member in network.members] == ["UNeXt"] * 3
    assert network.stride == 32
    heads = [member.head.weight for member in network.members]
    assert not torch.equal(heads[0], heads[1])


def test_members_of_other_kinds_are_given_one_by_one() -> None:
    kinds = [
        {"name": "unext", "options": {"widths": [4, 8, 10, 15, 20]}},
        {"name": "unet", "options": {"base_width": 4}},
    ]
    network = create_network("ensemble", in_channels=2, out_channels=1, of=kinds).eval()
    assert [type(member).__name__ for member in network.members] == ["UNeXt", "UNet"]
    assert network.stride == 32
    images = torch.randn(1, 2, 24, 40)
    first, second = (member(images) for member in network.members)
    torch.testing.assert_close(network(images), (first + second) / 2)


def test_levels_of_deep_supervision_are_averaged_each() -> None:
    network = create_network(
        "ensemble", in_channels=2, out_channels=1, of="unet_3plus", members=2,
        options={"base_width": 4, "deep_supervision": True},
    )  # fmt: skip
    images = torch.ones((1, 2, 32, 32))
    torch.manual_seed(0)
    outputs = network(images)
    assert len(outputs) == 5
    each = [member(images) for member in network.members]
    assert all(torch.allclose(o, (a + b) / 2, atol=1e-5) for o, a, b in zip(outputs, *each, strict=True))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"members": 1}, "members must be 2 or more, not 1"),
        ({"of": "unexd"}, "Did you mean 'unext'"),
        ({"of": [{"name": "unext"}]}, "members must be 2 or more, not 1"),
        ({"of": [{"name": "unext"}, {"name": "unet"}], "members": 2}, "need no number"),
        ({"of": [{"options": {}}, {"name": "unet"}]}, "each member needs a name"),
        ({"of": ["unext", "unet"]}, "each member needs a name"),
    ],
)
def test_what_cannot_be_is_said(options: dict[str, object], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        create_network("ensemble", in_channels=1, out_channels=1, **options)
