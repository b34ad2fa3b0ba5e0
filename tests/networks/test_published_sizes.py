"""Sizes of the other networks beside those that are printed of them (running statistics counted)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from napari_brainseg.networks import create_network


def size(name: str, in_channels: int = 4, out_channels: int = 4, **options: Any) -> int:
    with torch.device("meta"):
        network: nn.Module = create_network(name, in_channels=in_channels, out_channels=out_channels, **options)
    return sum(t.numel() for t in network.state_dict().values() if t.is_floating_point())


def test_res_unet_plusplus() -> None:
    # A study prints 4,092,868 with 4 channels and classes, which the paper's description does not lead to.
    assert size("res_unet_plusplus", 3, 1) == 4_070_385
    assert size("res_unet_plusplus") == 4_070_596


def test_attention_unet() -> None:
    # A study prints 31,870,853; the gates of the paper's figure add 1,033,091 to the plain U-Net's 31,032,516.
    assert size("attention_unet") == 32_065_607 == 31_032_516 + 1_033_091


def test_unet_3plus_grows_by_a_third_convolution_and_a_channel_as_the_printed_one() -> None:
    # A study prints 8,907,396 and 12,046,212 for four stages.
    two = size("unet_3plus", stages=4)
    three = size("unet_3plus", 5, stages=4, convs_per_block=3)
    assert three - two == 12_046_212 - 8_907_396
    assert two == 8_212_612


def test_unet_3plus_of_five_stages() -> None:
    assert size("unet_3plus") == 26_994_052


def test_res_unet() -> None:
    assert size("res_unet") == 8_233_860
