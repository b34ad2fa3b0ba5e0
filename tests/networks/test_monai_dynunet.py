import copy

import torch
from monai.networks.nets import DynUNet

from napari_brainseg.networks import create_network
from napari_brainseg.networks.monai_dynunet import _Supervised


def test_gives_what_monai_gives() -> None:
    torch.manual_seed(0)
    theirs = DynUNet(
        spatial_dims=3,
        in_channels=2,
        out_channels=3,
        kernel_size=[3, 3, 3, 3],
        strides=[1, 2, [1, 2, 2], 2],
        upsample_kernel_size=[2, [1, 2, 2], 2],
        filters=[4, 8, 8, 8],
        deep_supervision=True,
        deep_supr_num=2,
    )
    ours = _Supervised(copy.deepcopy(theirs))
    images = torch.randn(1, 2, 8, 16, 16)
    with torch.no_grad():
        # In training MONAI gives the logits of all depths in one tensor (N, depths, K, Z, Y, X).
        for one, other in zip(theirs.train()(images).unbind(1), ours.train()(images), strict=True):
            torch.testing.assert_close(one, other)
        torch.testing.assert_close(theirs.eval()(images), ours.eval()(images))


def test_pads_each_axis_to_its_own_stride() -> None:
    network = create_network(
        "monai_dynunet",
        in_channels=1,
        out_channels=2,
        spatial_dims=3,
        filters=[4, 4, 4],
        strides=[1, [1, 2, 2], 2],
    )
    assert network.stride == [2, 4, 4]
    assert network(torch.zeros(1, 1, 3, 9, 5)).shape == (1, 2, 3, 9, 5)
