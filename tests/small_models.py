"""A small untrained model on disk, for tests that run one."""

from __future__ import annotations

from pathlib import Path

import torch

from napari_brainseg.cases.case import BRATS_CHANNELS
from napari_brainseg.model_store.model import Model, new_network, save_model
from napari_brainseg.model_store.store import ModelRecord


def write_small_model(
    folder: Path,
    split_name: str = "",
    *,
    channels: tuple[str, ...] = BRATS_CHANNELS,
    scheme: str = "brats2017",
    outputs: tuple[str, ...] = ("WT", "TC", "ET"),
    seed: int = 3,
) -> Path:
    """Write a 2-D model, by default for BraTS cases, and return its folder."""
    record = ModelRecord(
        name=folder.name,
        version="1",
        title="",
        network={"name": "unext", "options": {"widths": [4, 8, 10, 15, 20]}},
        channels=channels,
        scheme_id=scheme,
        outputs=outputs,
        training={"settings": {"split_name": split_name}},
    )
    torch.manual_seed(seed)
    save_model(Model(record, new_network(record)), folder, "")
    return folder
