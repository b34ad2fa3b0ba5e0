import pytest
import torch

from napari_brainseg.base.errors import ModelError
from napari_brainseg.networks import create_network


def test_a_wrong_name_answers_with_the_nearest_right_one() -> None:
    with pytest.raises(ModelError, match="Did you mean 'unext'"):
        create_network("unexd", in_channels=1, out_channels=1)


def test_a_wrong_option_is_named() -> None:
    with pytest.raises(ModelError, match="breadth"):
        create_network("unext", in_channels=1, out_channels=1, breadth=3)


@pytest.mark.parametrize("size", [(16, 16, 16), (9, 11, 17)])
def test_segresnet_takes_volumes_of_any_size(size: tuple[int, int, int]) -> None:
    network = create_network("monai_segresnet", in_channels=4, out_channels=3, spatial_dims=3, width=8).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 4, *size)).shape == (1, 3, *size)
