import pytest
import torch

from napari_brainseg.networks import create_network
from napari_brainseg.networks.unext import _shifted


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_has_the_published_number_of_parameters() -> None:
    assert parameters(create_network("unext", in_channels=3, out_channels=1)) == 1_471_921


@pytest.mark.parametrize("size", [(64, 64), (33, 50), (1, 7)])
def test_gives_logits_of_the_inputs_size(size: tuple[int, int]) -> None:
    network = create_network("unext", in_channels=4, out_channels=3, widths=(4, 8, 16, 20, 24)).eval()
    assert network(torch.zeros(2, 4, *size)).shape == (2, 3, *size)


def test_gradients_reach_every_parameter() -> None:
    network = create_network("unext", in_channels=2, out_channels=2, widths=(4, 8, 10, 15, 20))
    network(torch.randn(2, 2, 64, 64)).square().mean().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert without == []


def test_shift_moves_five_groups_by_minus_two_to_two_and_lets_zeros_in() -> None:
    row = torch.arange(1.0, 6.0).reshape(1, 1, 5, 1).expand(1, 1, 5, 5)
    shifted = _shifted(row, axis=2)[0, 0]
    expected = [[3, 4, 5, 0, 0], [2, 3, 4, 5, 0], [1, 2, 3, 4, 5], [0, 1, 2, 3, 4], [0, 0, 1, 2, 3]]
    assert shifted.T.tolist() == expected


def test_shift_of_an_axis_shorter_than_the_shift_is_zero() -> None:
    shifted = _shifted(torch.ones(1, 1, 4, 5), axis=1)
    assert shifted[0, 0, 0].tolist() == [0, 0, 1, 0, 0]


def test_channels_last_and_contiguous_agree() -> None:
    network = create_network("unext", in_channels=3, out_channels=1, widths=(4, 8, 16, 20, 24)).eval()
    images = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        plain = network(images)
        fast = network.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(plain, fast, atol=1e-5, rtol=1e-5)
