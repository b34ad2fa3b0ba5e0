"""What holds for every network of the registry, at small widths."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from small_networks import SMALL
from torch import Tensor, nn

from napari_brainseg.base.errors import ModelError
from napari_brainseg.networks import NETWORKS, create_network

EVERY = pytest.mark.parametrize(("name", "dims"), list(SMALL), ids=lambda value: str(value))
ODD = {2: (25, 31), 3: (9, 20, 25)}


def small(name: str, dims: int, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    options = {**SMALL[name, dims][0], **options}
    return create_network(name, in_channels=2, out_channels=3, spatial_dims=dims, **options)


def images_of(size: tuple[int, ...], batch: int = 2) -> Tensor:
    return torch.randn((batch, 2, *size), generator=torch.Generator().manual_seed(1))


def listed(output: Tensor | list[Tensor]) -> list[Tensor]:
    return output if isinstance(output, list) else [output]


def far(a: Tensor, b: Tensor) -> float:
    return float((a.float() - b.float()).norm() / a.float().norm())


def test_all_networks_are_tried() -> None:
    assert {name for name, _ in SMALL} == set(NETWORKS)


@EVERY
def test_parameters(name: str, dims: int) -> None:
    assert sum(p.numel() for p in small(name, dims).parameters()) == SMALL[name, dims][1]


@EVERY
def test_gives_logits_of_the_inputs_size(name: str, dims: int) -> None:
    network = small(name, dims).eval()
    with torch.inference_mode():
        for size in (ODD[dims], (32,) * dims, (1, 7, 3)[:dims]):
            logits = network(images_of(size))
            assert logits.shape == (2, 3, *size)
            assert torch.isfinite(logits).all()


@EVERY
def test_gradients_reach_every_parameter(name: str, dims: int) -> None:
    network = small(name, dims)
    outputs = listed(network(images_of(ODD[dims])))
    assert all(output.shape == (2, 3, *ODD[dims]) for output in outputs)
    sum(output.square().mean() for output in outputs).backward()
    gradients = {key: p.grad for key, p in network.named_parameters()}
    assert [key for key, grad in gradients.items() if grad is None or not torch.isfinite(grad).all()] == []
    # A bias before a norm has no effect, so that its gradient is rightly 0.
    assert [key for key, grad in gradients.items() if grad.ndim > 1 and not grad.any()] == []


@EVERY
def test_one_small_image_can_be_learnt_from(name: str, dims: int) -> None:
    for output in listed(small(name, dims)(images_of((8,) * dims, batch=1))):
        assert torch.isfinite(output).all()


@EVERY
def test_weights_come_back_from_a_file_of_halves(name: str, dims: int) -> None:
    network = small(name, dims).eval()
    state = network.state_dict()
    halves = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    read = {key: t.float() if t.is_floating_point() else t for key, t in load(save(halves)).items()}
    torch.manual_seed(9)
    other = create_network(name, in_channels=2, out_channels=3, spatial_dims=dims, **SMALL[name, dims][0]).eval()
    with torch.inference_mode():
        before = other(images_of(ODD[dims]))
        other.load_state_dict(read)
        wanted = network(images_of(ODD[dims]))
        assert far(wanted, other(images_of(ODD[dims]))) < 0.01 < far(wanted, before)


@EVERY
def test_no_weight_is_stored_twice(name: str, dims: int) -> None:
    tensors = [tensor for tensor in small(name, dims).state_dict().values() if tensor.numel()]
    assert len({tensor.data_ptr() for tensor in tensors}) == len(tensors)


@EVERY
def test_bf16_is_near_fp32(name: str, dims: int) -> None:
    network, images = small(name, dims).eval(), images_of(ODD[dims])
    with torch.inference_mode():
        plain = network(images)
        with torch.autocast("cpu", torch.bfloat16):
            fast = network(images)
    assert fast.dtype == torch.bfloat16
    assert far(plain, fast) < 0.06


@pytest.mark.parametrize("name", [name for name, dims in SMALL if dims == 2])
def test_channels_last_and_contiguous_agree(name: str) -> None:
    network, images = small(name, 2).eval(), images_of(ODD[2])
    with torch.inference_mode():
        plain = network(images)
        network.to(memory_format=torch.channels_last)
        assert far(plain, network(images.contiguous(memory_format=torch.channels_last))) < 1e-4


@pytest.mark.parametrize("name", [name for name in NETWORKS if (name, 3) not in SMALL])
def test_a_network_for_slices_refuses_volumes(name: str) -> None:
    with pytest.raises(ModelError, match=f"{name} is a network for slices"):
        create_network(name, in_channels=1, out_channels=1, spatial_dims=3)


def test_a_wrong_name_answers_with_the_nearest_right_one() -> None:
    with pytest.raises(ModelError, match="Did you mean 'unext'"):
        create_network("unexd", in_channels=1, out_channels=1)


@EVERY
def test_a_wrong_option_is_named(name: str, dims: int) -> None:
    with pytest.raises(ModelError, match=rf"The network '{name}' does not take these options: .*breadth.*\.$"):
        small(name, dims, breadth=3)


def test_an_option_that_is_nearly_right_answers_with_the_right_one() -> None:
    with pytest.raises(ModelError, match=r"no option 'base_widht'; did you mean 'base_width'\? it takes convs_per"):
        create_network("unet", in_channels=1, out_channels=1, base_widht=3)


@pytest.mark.parametrize(
    ("name", "option", "said"),
    [
        ("unext", {"widths": [4, 8]}, "widths must be 5 numbers"),
        ("unet", {"convs_per_block": 0}, "convs_per_block must be 1 or more, not 0"),
        ("unet", {"base_width": "64"}, "base_width must be of type int, not '64'"),
        ("unet", {"bridge": 1}, "bridge must be of type bool, not 1"),
        ("unet", {"dropout": 1.0}, "dropout must be from 0 to below 1, not 1.0"),
        ("unet", {"upsampling": "nearest"}, "upsampling must be transposed or interpolate, not 'nearest'"),
        ("unet", {"bottleneck": "pyramids"}, "bottleneck must be plain or pyramid, not 'pyramids'"),
        ("unet_3plus", {"stages": 1}, "stages must be 2 or more, not 1"),
        ("vit", {"patch_size": 12}, "patch_size must be a power of two, not 12"),
        ("vit", {"img_size": [64, 64, 64]}, "img_size must be a number above 0 or 2 of them"),
        ("vit", {"hidden_size": 100}, "hidden"),
        ("monai_unet", {"levels": 1}, "levels must be 2 or more, not 1"),
        ("monai_attention_unet", {"levels": 1}, "levels must be 2 or more, not 1"),
        ("monai_segresnet", {"width": 4}, "must be divisible by num_groups"),
        ("monai_dynunet", {"strides": [2, 2, 2]}, "the first of strides must be 1, not 2"),
        ("monai_dynunet", {"strides": [1, 2]}, "no less than 3"),
        ("monai_unetr", {"img_size": 0.5}, "img_size must be a number above 0 or 2 of them, not 0.5"),
        ("monai_unetr", {"num_heads": 5}, "divisible"),
        ("monai_swin_unetr", {"width": 10}, "feature_size should be divisible by 12"),
    ],
)
def test_a_value_out_of_range_is_said(name: str, option: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError) as caught:
        create_network(name, in_channels=1, out_channels=1, **option)
    assert str(caught.value).startswith(f"The network {name!r} does not take these options: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("wrong", [{"in_channels": 0}, {"out_channels": 0}, {"spatial_dims": 4}])
def test_channels_and_axes_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(ModelError, match="needs channels and classes from 1 on and 2 or 3 axes"):
        create_network("unet", **{"in_channels": 1, "out_channels": 1, **wrong})


@pytest.mark.parametrize(("name", "count"), [("unet_3plus", 5), ("monai_dynunet", 3)])
def test_deep_supervision_gives_a_list_in_training_alone(name: str, count: int) -> None:
    network = small(name, 2)
    assert len(network(images_of(ODD[2]))) == count
    assert isinstance(network.eval()(images_of(ODD[2])), Tensor)


@pytest.mark.parametrize("name", ["unet", "attention_unet", "res_unet", "res_unet_plusplus", "unet_3plus"])
@pytest.mark.parametrize(
    "options", [{"bridge": False}, {"convs_per_block": 3}, {"dilation": 2, "dropout": 0.2}, {"batch_norm": False}]
)
def test_the_shared_options_go_with_every_u(name: str, options: dict[str, Any]) -> None:
    changed = create_network(name, in_channels=2, out_channels=3, base_width=8, **options)
    plain = create_network(name, in_channels=2, out_channels=3, base_width=8)
    assert listed(changed(images_of(ODD[2])))[0].shape == (2, 3, *ODD[2])
    counts = [sum(p.numel() for p in network.parameters()) for network in (changed, plain)]
    fewer = options == {"bridge": False} or (
        options == {"batch_norm": False} and name not in ("unet", "attention_unet")
    )
    assert (counts[0] < counts[1], counts[0] > counts[1]) == (fewer, options == {"convs_per_block": 3})


def test_initial_logits_have_the_scale_of_the_images() -> None:
    # With torch's own initial weights the signal of a plain U-Net fades to a thousandth on its way.
    with torch.inference_mode():
        spread = float(small("unet", 2).eval()(images_of((64, 64))).std())
    assert math.log10(spread) == pytest.approx(0, abs=0.7)
