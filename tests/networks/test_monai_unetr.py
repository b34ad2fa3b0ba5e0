import pytest
import torch

from napari_brainseg.base.errors import ModelError
from napari_brainseg.networks import create_network

TINY = {"hidden_size": 16, "mlp_dim": 32, "num_heads": 2, "feature_size": 4}


def test_larger_images_are_refused_with_both_sizes() -> None:
    network = create_network("monai_unetr", in_channels=1, out_channels=2, img_size=[32, 40], **TINY)
    assert network.eval()(torch.zeros(1, 1, 30, 48)).shape == (1, 2, 30, 48)  # 40 is rounded up to the patch
    with pytest.raises(ModelError, match="built for images up to 32 x 48, these are 33 x 48"):
        network(torch.zeros(1, 1, 33, 48))
