"""Changes of intensity: blur, resolution, bias field, gamma, contrast, brightness, noise and missing channels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from napari_brainseg.training.augmentation_settings import AugmentationSettings

# Windows of one run of noise begin at one of this many places: chance where none is needed costs time.
_NOISE_PLACES = 1 << 16
# Cosine waves of a bias field along each axis, the constant among them.
_WAVES = 3


def change_intensities(
    images: Tensor,
    settings: AugmentationSettings,
    generator: torch.Generator,
    *,
    slices: int = 1,
    in_place: bool = False,
) -> Tensor:
    """Return changed fp32 images (N, C, *spatial); a channel that is left out is 0.

    Args:
        images: On any device.
        settings: How far they change.
        generator: Source of chance, of the CPU.
        slices: Slices stacked in the channels, slice after slice; a sequence changes alike in all of them.
        in_place: Change the images themselves, which saves the time of a copy.
    """
    images = images if in_place else images.clone()
    _change_some(images, settings, generator, slices)
    if settings.intensity:
        contrast = 1 + settings.intensity * _per_channel(images, slices, generator)
        brightness = settings.intensity * _per_channel(images, slices, generator)
        images.mul_(contrast.to(images.device)).add_(brightness.to(images.device))
    if settings.noise:
        add_noise(images, settings.noise * torch.rand(len(images), generator=generator), generator)
    if settings.drop_channel:
        chances = settings.channel_chances(images.shape[1] // slices)
        images.mul_(kept_channels(images, chances, slices, generator).to(images.device))
    return images


def _change_some(images: Tensor, settings: AugmentationSettings, generator: torch.Generator, slices: int) -> None:
    """Blur, coarsen, shade and bend the gamma of some of the images, by chance."""

    def blurred(chosen: Tensor) -> Tensor:
        return blur(chosen, settings.blur * torch.rand(len(chosen), generator=generator))

    def coarser(chosen: Tensor) -> Tensor:
        factors = 1 + settings.low_resolution * torch.rand(len(chosen), generator=generator)
        return torch.stack([lower_resolution(i, f) for i, f in zip(chosen, factors.tolist(), strict=True)])

    def shaded(chosen: Tensor) -> Tensor:
        waves = torch.rand((len(chosen), *[_WAVES] * (images.ndim - 2)), generator=generator) * 2 - 1
        return chosen * bias_field(waves.to(chosen.device), tuple(images.shape[2:]), settings.bias_field)[:, None]

    def curved(chosen: Tensor) -> Tensor:
        exponents = torch.exp(math.log1p(settings.gamma) * _per_channel(chosen, slices, generator))
        return change_gamma(chosen, exponents.to(chosen.device))

    effects: list[tuple[float, Callable[[Tensor], Tensor]]] = [
        (settings.blur, blurred),
        (settings.low_resolution, coarser),
        (settings.bias_field, shaded),
        (settings.gamma, curved),
    ]
    for amount, change in effects:
        if amount:
            chosen = torch.nonzero(torch.rand(len(images), generator=generator) < settings.chance)[:, 0]
            if len(chosen):
                chosen = chosen.to(images.device)
                images[chosen] = change(images[chosen])


def blur(images: Tensor, sigmas: Tensor) -> Tensor:
    """Convolve each image (N, C, *spatial) with a Gaussian of its own sigma (N,), voxels; the border is repeated.

    The weights are those of the voxels within three of the largest sigma, and add up to 1.
    """
    radius = max(1, math.ceil(3 * float(sigmas.max())))
    places = torch.arange(-radius, radius + 1)
    weights = torch.softmax(-(places**2) / (2 * sigmas[:, None].clamp(min=1e-3) ** 2), 1).to(images.device)
    shaped = weights.reshape(*weights.shape, *[1] * (images.ndim - 1))
    for axis in range(2, images.ndim):
        extent = images.shape[axis]
        inside = torch.arange(-radius, extent + radius, device=images.device).clamp(0, extent - 1)
        padded = images.index_select(axis, inside)
        # Sums of shifted images are quicker than a convolution whose kernel differs from image to image.
        images = padded.narrow(axis, 0, extent) * shaped[:, 0]
        for tap in range(1, 2 * radius + 1):
            images.addcmul_(padded.narrow(axis, tap, extent), shaped[:, tap])
    return images


def lower_resolution(image: Tensor, factor: float) -> Tensor:
    """Average an image (C, *spatial) over voxels `factor` times as large, and interpolate it linearly back."""
    shape = list(image.shape[1:])
    coarse = functional.interpolate(image[None], size=[max(1, round(extent / factor)) for extent in shape], mode="area")
    return functional.interpolate(coarse, size=shape, mode={2: "bilinear", 3: "trilinear"}[len(shape)])[0]


def bias_field(waves: Tensor, shape: tuple[int, ...], amount: float) -> Tensor:
    """Return the factor exp(amount · Σ w cos cos / Σ |w|), (N, *shape), of weights (N, *waves) of cosine waves.

    The k-th wave along an axis of n voxels is cos(π k (i + 1/2) / n), so that the factor is smooth, and at most
    exp(amount) and at least exp(-amount) anywhere.
    """
    field = waves / waves.flatten(1).abs().sum(1).clamp(min=1e-6).reshape(-1, *[1] * len(shape))
    for axis, extent in enumerate(shape):
        places = (torch.arange(extent, device=waves.device) + 0.5) / extent
        basis = torch.cos(math.pi * torch.arange(waves.shape[1 + axis], device=waves.device)[:, None] * places)
        field = (field.movedim(1 + axis, -1) @ basis).movedim(-1, 1 + axis)
    return torch.exp(amount * field)


def change_gamma(images: Tensor, exponents: Tensor) -> Tensor:
    """Raise each channel (N, C, *spatial), scaled to 0 … 1 by its extremes, to exponents that broadcast to it."""
    axes = list(range(2, images.ndim))
    least = images.amin(axes, keepdim=True)
    extent = (images.amax(axes, keepdim=True) - least).clamp(min=1e-6)
    return (images - least).div_(extent).pow_(exponents).mul_(extent).add_(least)


def add_noise(images: Tensor, strengths: Tensor, generator: torch.Generator) -> None:
    """Add Gaussian noise of standard deviations (N,) to images (N, C, *spatial), in place.

    Every channel gets a window, at a place of its own, of one long run of noise: drawing it all anew takes longer than
    all other changes together.
    """
    count, channels = images.shape[:2]
    size = images[0, 0].numel()
    run = torch.randn(size + _NOISE_PLACES, generator=generator).to(images.device)
    places = torch.randint(_NOISE_PLACES + 1, (count, channels), generator=generator)
    for image, strength, starts in zip(images, strengths.tolist(), places.tolist(), strict=True):
        for channel, start in zip(image, starts, strict=True):
            channel.add_(run[start : start + size].view(channel.shape), alpha=strength)


def kept_channels(images: Tensor, chances: Sequence[float], slices: int, generator: torch.Generator) -> Tensor:
    """Return 1 for channels (N, C, 1 …) that are kept and 0 for those lost, each by its chance; one is always kept."""
    count, sequences = len(images), images.shape[1] // slices
    kept = torch.rand((count, sequences), generator=generator) >= torch.tensor(chances)
    kept[torch.arange(count), torch.randint(sequences, (count,), generator=generator)] = True
    return kept.float().repeat(1, slices).reshape(count, -1, *[1] * (images.ndim - 2))


def _per_channel(images: Tensor, slices: int, generator: torch.Generator) -> Tensor:
    """Draw from -1 … 1 for each channel (N, C, 1 …), the same in all slices of a stack."""
    drawn = torch.rand((len(images), images.shape[1] // slices), generator=generator) * 2 - 1
    return drawn.repeat(1, slices).reshape(len(images), -1, *[1] * (images.ndim - 2))
