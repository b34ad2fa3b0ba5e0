"""What is drawn from an image before a network sees it: edges, clusters of intensity, equalised histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from skimage import exposure, filters

_SAMPLE = 20_000  # voxels that the clusters are found on; more change them by less than a grey level


def edge_image(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the strength of the edges (Z, Y, X) within each slice: Sobel's gradient magnitude."""
    return np.stack([filters.sobel(plane) for plane in image]).astype(np.float32)


def middle_cluster(image: NDArray[np.float32], clusters: int) -> NDArray[np.float32]:
    """Return 1 where a voxel's intensity is in the middle one of so many k-means clusters, else 0.

    The background, the most frequent value, is left out. Deterministic: the clusters start at equal quantiles.
    """
    values, frequency = np.unique(image[:: max(1, len(image) // 8)], return_counts=True)
    background = values[frequency.argmax()]
    foreground = np.sort(image[image != background])
    if len(np.unique(foreground)) < clusters:
        return np.zeros_like(image)
    sample = foreground[np.linspace(0, len(foreground) - 1, min(_SAMPLE, len(foreground))).astype(int)]
    start = np.quantile(sample, (np.arange(clusters) + 0.5) / clusters)
    centres, _ = kmeans2(sample[:, None].astype(float), start[:, None], minit="matrix", missing="warn")
    centres = np.sort(centres[:, 0])
    middle = clusters // 2
    low = (centres[middle - 1] + centres[middle]) / 2
    high = (centres[middle] + centres[middle + 1]) / 2 if middle + 1 < clusters else np.inf
    return np.asarray((image >= low) & (image < high) & (image != background), np.float32)


def equalised(image: NDArray[np.float32], foreground: NDArray[np.bool_], how: str) -> NDArray[np.float32]:
    """Return an image (Z, Y, X) in 0 to 1 with an even histogram: of the foreground, or locally in each slice (CLAHE).

    CLAHE: Zuiderveld 1994.
    """
    if how == "histogram":
        return np.asarray(exposure.equalize_hist(image, nbins=256, mask=foreground), np.float32)
    low, high = float(image.min()), float(image.max())
    unit = (image - low) / max(high - low, 1e-6)
    return np.stack([exposure.equalize_adapthist(plane) for plane in unit]).astype(np.float32)
