"""U-Net on the encoder of EfficientNet-Lite0, whose weights are known from ImageNet.

EfficientNet: Tan and Le, ICML 2019, arXiv:1905.11946; Lite0 is its smallest one without squeeze-and-excitation and with
ReLU6, as published with TensorFlow's models. Its blocks are those of MobileNetV2 (Sandler 2018, arXiv:1801.04381).
The encoder has no batch norm: that of the published weights is folded into the convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_brainseg.networks.options import only_slices
from napari_brainseg.networks.padding import cropped, padded

# Of each stage: blocks, kernel, stride, how many times wider a block is inside, channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM = 32
_SKIPS = (0, 1, 2, 4)  # the last stage of each resolution but the coarsest
# A tumour's share of the pixels is small: the first answer is nearly none (a probability of 0.05), and the last layer
# learns as much faster than the others as they are given and it is not.
_HEAD_GAIN, _HEAD_BIAS = 4.0, -3.0


class _Depthwise(nn.Conv2d):
    """A filter for each channel, with half the size for a stride of 2."""

    def __init__(self, width: int, kernel: int, stride: int) -> None:
        super().__init__(width, width, kernel, stride=stride, padding=kernel // 2, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, C, H / stride, W / stride)."""
        if self.stride == (1, 1) or not x.requires_grad:
            return super().forward(x)
        # In bf16 on a CPU the gradient of a stride takes several times as long as that of what is thrown away here.
        whole = functional.conv2d(x, self.weight, self.bias, 1, self.padding, 1, self.groups)
        return whole[:, :, ::2, ::2]


class _Block(nn.Sequential):
    """Widen, filter each channel, narrow; added to what came in where the shape is the same."""

    def __init__(self, width_in: int, width_out: int, kernel: int, stride: int, expansion: int) -> None:
        inside = width_in * expansion
        widen = [nn.Conv2d(width_in, inside, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        filtered = [_Depthwise(inside, kernel, stride), nn.ReLU6(inplace=True)]
        super().__init__(*widen, *filtered, nn.Conv2d(inside, width_out, 1))
        self.adds = stride == 1 and width_in == width_out

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self:
            y = layer(y)
        return x + y if self.adds else y


class _Up(nn.Module):
    """Twice the size, joined to features of that size; 3 x 3 convolution, batch norm, ReLU."""

    def __init__(self, width_in: int, width_skip: int, width_out: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(width_in + width_skip, width_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(width_out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        mixed: Tensor = self.mix(torch.cat([x, skip], 1))
        return mixed


class EfficientNetUNet(nn.Module):
    """U-Net on EfficientNet-Lite0 for (N, C, H, W) of any size; the result has the size of the input.

    The decoder ends at half the resolution, where it sees the images again with four times the channels (pixel
    unshuffle), and gives the logits of each 2 x 2 pixels together: most of the work of a U-Net is at the full one.

    Args:
        in_channels: Image channels.
        out_channels: Classes or regions.
        spatial_dims: 2; the network is for slices.
        widths: Channels of the four stages of the decoder.
        fixed_stages: Leave the stem and this many stages as they are given; 2 halve the time of training on a CPU.
        fixed_filters: Leave the 5 x 5 filters as they are given, whose gradient takes half the time that is left.

    Attributes:
        outputs_of_each: Outputs of the last layer for each class or region.
        channel_inputs: Of each weight that sees the image channels, the first of its inputs that does, and how many
            there are for each channel.
    """

    stride = 32
    outputs_of_each = 4  # 2 x 2 pixels
    channel_inputs: Mapping[str, tuple[int, int]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        spatial_dims: int = 2,
        widths: Sequence[int] = (128, 64, 40, 32),
        fixed_stages: int = 0,
        fixed_filters: bool = False,
    ) -> None:
        super().__init__()
        only_slices("efficientnet_unet", spatial_dims)
        if len(widths) != 4:
            raise ValueError(f"widths must be 4 numbers, not {list(widths)}")
        if not 0 <= fixed_stages <= len(STAGES):
            raise ValueError(f"fixed_stages must be from 0 to {len(STAGES)}, not {fixed_stages}")
        self.stem = nn.Sequential(nn.Conv2d(in_channels, _STEM, 3, stride=2, padding=1), nn.ReLU6(inplace=True))
        self.stages = nn.ModuleList()
        width = _STEM
        for blocks, kernel, stride, expansion, width_out in STAGES:
            narrowing = _Block(width, width_out, kernel, stride, expansion)
            others = (_Block(width_out, width_out, kernel, 1, expansion) for _ in range(blocks - 1))
            self.stages.append(nn.Sequential(narrowing, *others))
            width = width_out
        skips = [STAGES[stage][-1] for stage in _SKIPS]
        skips[0] += 4 * in_channels
        self.decoder = nn.ModuleList()
        for width_skip, width_out in zip(reversed(skips), widths, strict=True):
            self.decoder.append(_Up(width, width_skip, width_out))
            width = width_out
        self.head = nn.Conv2d(width, self.outputs_of_each * out_channels, 1)
        first = widths[-2] + STAGES[_SKIPS[0]][-1]
        self.channel_inputs = {"stem.0.weight": (0, 1), "decoder.3.mix.0.weight": (first, 4)}
        self._initialise()
        self._fix(fixed_stages, fixed_filters)

    def _initialise(self) -> None:
        """Draw weights that keep the variance through the encoder, which has no norms."""
        for block in (module for module in self.modules() if isinstance(module, _Block)):
            for layer in (layer for layer in block if isinstance(layer, nn.Conv2d)):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            narrow = block[-1].weight
            assert isinstance(narrow, Tensor)
            nn.init.kaiming_normal_(narrow, nonlinearity="linear")
            if block.adds:  # a residual block begins near its input (as Goyal 2017, arXiv:1706.02677)
                with torch.no_grad():
                    narrow.mul_(0.3)
        assert self.head.bias is not None
        with torch.no_grad():
            self.head.weight.div_(_HEAD_GAIN)
            self.head.bias.fill_(_HEAD_BIAS / _HEAD_GAIN)

    def _fix(self, stages: int, filters: bool) -> None:
        if stages:
            self.stem.requires_grad_(False)
            self.stages[:stages].requires_grad_(False)
        if filters:
            for module in self.modules():
                if isinstance(module, _Depthwise) and module.kernel_size == (5, 5):
                    module.requires_grad_(False)

    def encoder_convolutions(self) -> list[nn.Conv2d]:
        """Return the convolutions of the encoder in the order in which they see the image."""
        return [m for part in (self.stem, self.stages) for m in part.modules() if isinstance(m, nn.Conv2d)]

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, out_channels, H, W) for images (N, in_channels, H, W)."""
        whole = padded(images, self.stride)
        x = self.stem(whole)
        skips = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in _SKIPS:
                skips.append(x)
        skips[0] = torch.cat([skips[0], functional.pixel_unshuffle(whole, 2).to(x.dtype)], 1)
        for stage in self.decoder:
            x = stage(x, skips.pop())
        return cropped(functional.pixel_shuffle(_HEAD_GAIN * self.head(x), 2), images)
