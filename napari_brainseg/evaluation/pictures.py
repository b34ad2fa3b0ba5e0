"""Slices as RGB pictures: the image in grey, classes in colour, outlines, and probability as heat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from scipy import ndimage

from napari_brainseg.cases.labels import LabelArray, LabelScheme

Picture = NDArray[np.uint8]

TRUTH = (255, 60, 60)
PREDICTION = (70, 130, 255)


def grey(image: NDArray[np.generic]) -> Picture:
    """Return an image (H, W) as grey (H, W, 3), from its 1st to its 99.5th percentile."""
    values = image.astype(np.float32)
    low, high = np.percentile(values, (1, 99.5))
    shades = np.clip((values - low) / max(float(high - low), 1e-6), 0, 1) * 255
    return np.repeat(shades.astype(np.uint8)[..., None], 3, -1)


def with_classes(image: NDArray[np.generic], labels: LabelArray, scheme: LabelScheme, opacity: float = 0.5) -> Picture:
    """Return an image (H, W) with each class of labels (H, W) laid over it in the scheme's colour."""
    picture = grey(image).astype(np.float32)
    for label_class in scheme.classes:
        inside = labels == label_class.value
        picture[inside] += opacity * (255 * np.asarray(label_class.colour, np.float32) - picture[inside])
    return picture.astype(np.uint8)


def with_outlines(
    image: NDArray[np.generic],
    truth: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    probability: NDArray[np.floating] | None = None,
) -> Picture:
    """Return an image (H, W) with the inner outlines of truth (red) and prediction (blue).

    Args:
        image: (H, W).
        truth: (H, W).
        prediction: (H, W).
        probability: (H, W), 0 to 1; laid over the image as heat, the stronger the more opaque.
    """
    picture = grey(image).astype(np.float32)
    if probability is not None:
        heat = colormaps["inferno"](probability.astype(np.float32))[..., :3] * 255
        picture += 0.7 * probability.astype(np.float32)[..., None] * (heat - picture)
    for mask, colour in ((truth, TRUTH), (prediction, PREDICTION)):
        picture[mask & ~ndimage.binary_erosion(mask)] = colour
    return picture.astype(np.uint8)


def side_by_side(pictures: Sequence[Picture], gap: int = 4) -> Picture:
    """Return pictures (H, W, 3), heights padded with black at the foot, in one row."""
    height = max(p.shape[0] for p in pictures)
    padded = [np.pad(p, [(0, height - p.shape[0]), (0, gap), (0, 0)]) for p in pictures]
    return np.concatenate(padded, 1)[:, :-gap]
