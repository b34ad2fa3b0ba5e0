"""Tumours that are pasted from slice to slice: the tissue of one patient gets the tumour of another.

Copy and paste (Ghiasi et al. 2021, arXiv:2012.07177) as TumorCP (Yang et al. 2021) and CarveMix (Zhang et al. 2021,
arXiv:2108.06883) have used it for tumours and for lesions of the brain. Here the seam lies in healthy tissue outside
the tumour, runs over a few voxels and has the same mean brightness on both sides, lest it be learned for the tumour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from napari_brainseg.training.intensity_changes import blur

# Voxels of healthy tissue that go along on each side of a tumour, the sigma of the seam, and where it has ended.
_MARGIN = 3
_SEAM = 1.5
_END = 8
# Tissue differs from the dark around the head by this share of the slice's range; it is ordinary, and neither bone,
# fat nor ventricle, where it is within so many median deviations of the slice's median.
_NOT_DARK = 0.1
_ORDINARY = 4.0
# A place is as good as the share of the tumour that lies on ordinary tissue there; a tumour of its own counts half.
# Places that are nearly as good as the best one are good enough, where that is good at all.
_ILL = 0.5
_NEARLY = 0.95
_GOOD = 0.75
# Places are judged on every so many voxels; brightness is matched on at least so many voxels.
_STEP = 4
_LEAST_RING = 8.0


@dataclass(frozen=True, eq=False)
class Brightness:
    """What tissue looks like in the channels of slices: fp32 (N, C, 1, 1) each.

    Attributes:
        dark: Of what surrounds the head.
        least: What is farther from `dark`, in any channel, is tissue.
        middle: Of tissue.
        most: Tissue that is not farther from `middle`, in all channels, is ordinary.
    """

    dark: Tensor
    least: Tensor
    middle: Tensor
    most: Tensor

    @classmethod
    def of(cls, images: Tensor) -> Brightness:
        """Measure slices (N, C, H, W), dark by their border."""
        border = torch.cat([images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]], -1)
        dark = border.median(-1)[0][..., None, None]
        # Where what surrounds the brain was set to 0, nothing else is 0.
        least = torch.where(dark == 0, 0.0, _NOT_DARK * (images.amax((2, 3), keepdim=True) - dark))
        tissue = ((images - dark).abs() > least).any(1, keepdim=True)
        values = images.where(tissue, torch.nan).flatten(2)
        middle = values.nanmedian(-1, keepdim=True)[0]
        most = _ORDINARY * (values - middle).abs().nanmedian(-1, keepdim=True)[0]
        return cls(dark, least, middle[..., None], most[..., None])

    def __getitem__(self, number: int) -> Brightness:
        """Return that of one slice, (C, 1, 1)."""
        return Brightness(self.dark[number], self.least[number], self.middle[number], self.most[number])

    def tissue(self, images: Tensor) -> Tensor:
        """Return where images (…, C, H, W) show tissue, bool (…, H, W)."""
        return ((images - self.dark).abs_() > self.least).any(-3)

    def ordinary(self, images: Tensor) -> Tensor:
        """Return where images (…, C, H, W) show ordinary tissue, bool (…, H, W)."""
        return ((images - self.middle).abs_() <= self.most).all(-3) & self.tissue(images)


def paste_tumours(images: Tensor, labels: Tensor, chance: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return slices and labels, some of them with the tumour of another slice of the batch as well.

    A tumour is mirrored by chance, and put at a place chosen by chance among those where it lies on tissue. A slice
    stays as it is where the tumour finds no place, or where the two do not have the same channels.

    Args:
        images: fp32 (N, C, H, W), on any device; of stacked slices each gets its part of the tumour.
        labels: Integers (N, H, W), 0 for healthy, on the same device.
        chance: That a slice gets a tumour.
        generator: Source of chance, of the CPU; how much is drawn depends on the shape alone.
    """
    (count, height, width), device = labels.shape, images.device
    wanted = torch.rand(count, generator=generator) < chance
    ranks = torch.rand((count, count), generator=generator)
    flips = torch.rand((count, 2), generator=generator) < 0.5
    places = torch.rand((count, 2 * -(-height // _STEP), 2 * -(-width // _STEP)), generator=generator)
    thin, ill = images[..., ::_STEP, ::_STEP], labels[:, ::_STEP, ::_STEP] != 0
    present = thin.flatten(2).any(-1)
    ranks *= ((present[:, None] == present).all(-1) & ill.flatten(1).any(1)).cpu()
    ranks.fill_diagonal_(0)
    getting = torch.nonzero(wanted & ranks.any(1))[:, 0]
    if not len(getting):
        return images, labels
    giving, mirrored = ranks[getting].argmax(1).tolist(), flips[getting].tolist()
    brightness = Brightness.of(thin)
    good = torch.where(ill, _ILL, brightness.ordinary(thin).float())[getting.to(device)]
    tumours = torch.stack([ill[donor].flip(_axes(flip)) for donor, flip in zip(giving, mirrored, strict=True)])
    shifts = shifts_onto(good, tumours.float(), places[getting].to(device)).tolist()
    rows, columns = labels.any(2).cpu(), labels.any(1).cpu()
    results = images.clone(), labels.clone()
    for receiver, donor, flip, shift in zip(getting.tolist(), giving, mirrored, shifts, strict=True):
        (down, to_down), (across, to_across) = (
            window(tumour[donor], *moved) for tumour, *moved in zip((rows, columns), flip, shift, strict=True)
        )
        given = [part[donor, ..., down, across].flip(_axes(flip)) for part in (images, labels)]
        own = [part[receiver, ..., to_down, to_across] for part in (images, labels)]
        blended = _blend(given, brightness[donor], own, brightness[receiver])
        for result, part in zip(results, blended, strict=True):
            result[receiver, ..., to_down, to_across] = part
    return results


def shifts_onto(good: Tensor, tumours: Tensor, places: Tensor) -> Tensor:
    """Return the shift of each tumour, voxels (N, 2), that puts it on tissue; out of the image where none is good.

    Args:
        good: How good every fourth voxel is, from 0 to 1, fp32 (N, h, w).
        tumours: 1 in the tumour and 0 elsewhere, fp32 (N, h, w).
        places: Values from 0 to 1 of all shifts, (N, 2h, 2w), a negative one at the end: the highest of the good ones
            is taken.
    """
    size = tuple(places.shape[1:])
    on, of = torch.fft.rfft2(good, size), torch.fft.rfft2(tumours, size)
    covered = torch.fft.irfft2(on * of.conj(), size) / tumours.sum((1, 2))[:, None, None]
    best = covered.amax((1, 2), keepdim=True)
    chosen = (places * (covered >= _NEARLY * best)).flatten(1).argmax(1)
    shifts = torch.stack([chosen // size[1], chosen % size[1]], 1)
    extents = torch.tensor(size, device=shifts.device)
    shifts = torch.where(shifts >= extents // 2, shifts - extents, shifts)
    return torch.where(best[:, 0] >= _GOOD, shifts, extents) * _STEP


def window(tumour: Tensor, flip: bool, shift: int) -> tuple[slice, slice]:
    """Return from where to where a tumour is copied along one axis, its surroundings with it.

    Args:
        tumour: Where along the axis it is (extent,).
        flip: Whether the axis is mirrored first.
        shift: Voxels by which it is moved then; what is moved out of the image is left out.
    """
    extent, inside = len(tumour), torch.nonzero(tumour)[:, 0]
    low, high = max(0, int(inside[0]) - _END), min(extent, int(inside[-1]) + 1 + _END)
    if flip:
        low, high = extent - high, extent - low
    low = max(low, -shift)
    high = max(low, min(high, extent - shift))
    return slice(extent - high, extent - low) if flip else slice(low, high), slice(low + shift, high + shift)


def _axes(flip: Sequence[bool]) -> list[int]:
    """Return the axes from the last one that are mirrored."""
    return [axis - 2 for axis in range(2) if flip[axis]]


def _blend(
    given: Sequence[Tensor], given_brightness: Brightness, own: Sequence[Tensor], own_brightness: Brightness
) -> Sequence[Tensor]:
    """Return one's own image (C, H, W) and labels (H, W) with the tumour that is given; windows of one size."""
    (tumour, classes), (image, labels) = given, own
    if not labels.numel():
        return own
    ill = classes != 0
    around = functional.max_pool2d(ill[None].float(), 2 * _MARGIN + 1, 1, _MARGIN)[0] > 0
    going = ill | (around & given_brightness.ordinary(tumour))
    share = blur(going[None, None].float(), torch.full((1,), _SEAM))[0, 0]
    share = share * (given_brightness.tissue(tumour) & own_brightness.tissue(image))
    ring = share * ~(ill | (labels != 0))
    size = ring.sum()
    change = tumour - image
    change -= (change * ring).sum((1, 2), keepdim=True) / size.clamp(min=_LEAST_RING)
    share *= size >= _LEAST_RING
    return image + share * change, torch.where(share > 0.5, classes, labels)
