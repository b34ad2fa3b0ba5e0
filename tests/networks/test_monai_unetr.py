import copy
from typing import Any

import torch
from monai.networks.nets import UNETR

from napari_brainseg.networks import create_network
from napari_brainseg.networks.monai_unetr import _AnySize

TINY: dict[str, Any] = {"hidden_size": 16, "mlp_dim": 32, "num_heads": 2, "feature_size": 4}


def test_gives_what_monai_gives_at_the_size_it_was_built_for() -> None:
    torch.manual_seed(0)
    theirs = UNETR(in_channels=2, out_channels=3, img_size=[32, 48], spatial_dims=2, **TINY).eval()
    ours, images = _AnySize(copy.deepcopy(theirs), [2, 3]).eval(), torch.randn(1, 2, 32, 48)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs(images))


def test_takes_images_larger_and_smaller_than_it_was_built_for() -> None:
    network = create_network("monai_unetr", in_channels=1, out_channels=2, img_size=40, **TINY)
    for size in ((64, 80), (5, 9)):
        assert network(torch.zeros(1, 1, *size)).shape == (1, 2, *size)
