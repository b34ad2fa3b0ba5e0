"""A case and networks whose answer is known: a threshold on one channel, so every voxel can be checked."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from napari_brainseg.cases.case import BRATS_CHANNELS, Case, Naming
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.model_store.model import Model
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.model_store.store import ModelRecord

SHAPE = (9, 40, 36)


class Thresholds(nn.Module):
    """Region k holds the voxels whose first channel is above k + 0.5 standard deviations."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor([0.0, -1.0, -2.0]))
        self.layer = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        levels = self.bias.reshape(1, 3, *[1] * (images.ndim - 2)) - 0.5
        return 100 * (self.layer(images[:, :1]) + levels)


def make_case(channels: tuple[str, ...] = BRATS_CHANNELS, image: np.ndarray | None = None) -> Case:
    """Return a case whose channels are all one image, by default a brain of 7 x 25 x 24 voxels."""
    rng = np.random.default_rng(1)
    if image is None:
        image = np.zeros(SHAPE, np.float32)
        image[1:8, 5:30, 6:30] = rng.gamma(4.0, 20.0, (7, 25, 24)) + 30
    geometry = Geometry(
        (image.shape[0], image.shape[1], image.shape[2]), (1.0, 1.0, 1.0), np.diag([-1.0, -1.0, 1.0, 1.0])
    )
    return Case(
        "case",
        {c: Volume(image, geometry) for c in channels},
        BRATS_CHANNELS,
        geometry,
        None,
        BRATS2017,
        Naming.BRATS_2017,
    )


def make_model(spatial_dims: int = 2, network: nn.Module | None = None) -> Model:
    record = ModelRecord(
        name="thresholds",
        version="1",
        title="",
        network={"name": "none"},
        channels=BRATS_CHANNELS,
        scheme_id="brats2023",
        outputs=("WT", "TC", "ET"),
        spatial_dims=spatial_dims,
        preprocessing=Preprocessing(crop=True, zero_background=True),
        window=(4, 16, 16) if spatial_dims == 3 else None,
    )
    return Model(record, network or Thresholds())
