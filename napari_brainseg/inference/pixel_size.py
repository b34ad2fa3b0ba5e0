"""Networks for slices see pixels of the size that they learned at; those of another size are made so, and back.

A network that learned at 1 mm takes a tumour at 2 mm for one of half the size, which it has never seen. Slices are
resampled on the way into the network and its logits on the way out, so that all else stays on the case's own grid. The
distance of slices plays no part for a network that sees one at a time.

Pictures (PNG, tif) do not say the size of their pixels. One so small that a head of the training would not fit, or as
much larger, is taken to show as much of the patient as those of the training did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn.functional import interpolate

from napari_brainseg.model_store.domain import Domain
from napari_brainseg.model_store.store import ModelRecord

Zoom = tuple[float, float, float]
UNCHANGED: Zoom = (1.0, 1.0, 1.0)

_NEAR = 1.25  # times the size of the training: images were scaled by a fifth then
_MOST = 4.0  # beyond which a slice holds too little, or there would be too much of it


def zoom_for(record: ModelRecord, spacing: Sequence[float] | None, shape: Sequence[int]) -> Zoom:
    """Return by what the size of a case in pixels is multiplied along (Z, Y, X) before a model sees slices of it.

    All 1 for 3-D models, and where the case does not say the spacing though the model's training cases did.

    Args:
        record: The model, which says the spacings that it learned at, or how large its pictures were (see
            `model_store.domain`).
        spacing: Of the case, mm along (Z, Y, X).
        shape: Of the whole case, (Z, Y, X).
    """
    domain = Domain.from_json(record.training.get("domain"))
    if record.spatial_dims != 2 or domain is None:
        return UNCHANGED
    if domain.spacing is None:
        factor = domain.field_of_view(shape)
        return 1.0, factor, factor
    if spacing is None:
        return UNCHANGED
    z, y, x = (_factor(own, *learned) for own, learned in zip(spacing, domain.spacing, strict=True))
    return z, y, x


def seen_at(network: Callable[[Tensor], Tensor], images: Tensor, zoom: Sequence[float]) -> Tensor:
    """Return a network's logits (N, K, H, W) for images (N, C, H, W), which it sees `zoom` (rows, columns) as large."""
    if all(factor == 1 for factor in zoom):
        return network(images)
    size = [images.shape[-2], images.shape[-1]]
    seen = [max(1, round(n * factor)) for n, factor in zip(size, zoom, strict=True)]
    logits = network(interpolate(images, seen, mode="bilinear", antialias=True))
    return interpolate(logits.float(), size, mode="bilinear", antialias=True)


def _factor(own: float, low: float, high: float) -> float:
    """Return how many pixels of the training one of the case is worth, 1 where that is about one."""
    if min(own, low, high) <= 0 or low / _NEAR <= own <= high * _NEAR:
        return 1.0
    return min(max(own / (high if own > high else low), 1 / _MOST), _MOST)
