from typing import Any

import pytest
import torch

from napari_brainseg.networks import create_network
from napari_brainseg.networks.vit import VisionTransformer

TINY: dict[str, Any] = {"hidden_size": 16, "mlp_dim": 32, "num_heads": 2, "num_layers": 2, "patch_size": 8}


def vit(**options: Any) -> VisionTransformer:
    torch.manual_seed(0)
    network = create_network("vit", in_channels=2, out_channels=3, **{**TINY, **options})
    assert isinstance(network, VisionTransformer)
    return network.eval()


def test_tokens_are_those_of_monai() -> None:
    network, images = vit(img_size=[32, 48]), torch.randn(1, 2, 32, 48)
    seen = []
    network.decoder[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        network(images)
        tokens, _ = network.encoder.vit(images)
    # The decoder starts by doubling the grid of 4 x 6 patches; half the size of that is the grid again.
    grid = tokens.transpose(1, 2).reshape(1, 16, 4, 6)
    doubled = torch.nn.functional.interpolate(grid, scale_factor=2.0, mode="bilinear")
    torch.testing.assert_close(seen[0], doubled)


def test_positions_are_interpolated_to_another_grid() -> None:
    network = vit(img_size=[16, 32])
    with torch.no_grad():
        ramp = torch.arange(4.0).repeat(2)  # over the 2 x 4 patches, row by row
        network.encoder.vit.patch_embedding.position_embeddings.copy_(ramp[None, :, None].expand(1, 8, 16))
    assert torch.equal(network.encoder.positions([2, 4])[0, 0], ramp.reshape(2, 4))
    assert network.encoder.positions([1, 8])[0, 3, 0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]


@pytest.mark.parametrize("size", [(64, 80), (5, 9)])
def test_takes_images_larger_and_smaller_than_it_was_built_for(size: tuple[int, int]) -> None:
    assert vit(img_size=32)(torch.zeros(1, 2, *size)).shape == (1, 3, *size)


def test_dropout_is_that_of_the_blocks() -> None:
    network = vit(img_size=16, dropout=0.5).train()
    images = torch.ones(1, 2, 16, 16)
    assert not torch.equal(network(images), network(images))
