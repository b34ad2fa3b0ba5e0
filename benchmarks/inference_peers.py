"""How others would segment a case with the same network and weights, from the case in memory to labels on its grid.

MONAI's way: the whole grid, or its crop, fp32, contiguous, `SlidingWindowInferer`. nnU-Net's way: its own predictor on
the crop, in a Python environment of its own (`BRAINSEG_NNUNET_PYTHON`), fed our network and weights by
`manual_initialization` with plans of one 128 x 128 x 128 patch that are written by hand.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_brainseg.cases.case import Case
from napari_brainseg.inference.decoding import to_labels, to_probabilities
from napari_brainseg.model_store.model import Model, new_network
from napari_brainseg.model_store.planes import turned, usable
from napari_brainseg.model_store.preprocessing import Box, prepare

ROOT = Path(__file__).parents[1]


def plain_network(model: Model) -> nn.Module:
    """Return the model's network as a script would have it: fp32, contiguous."""
    network = new_network(model.record).to(memory_format=torch.contiguous_format)
    network.load_state_dict(model.network.state_dict())
    return network.eval()


def prepared(case: Case, model: Model, *, crop: bool) -> tuple[Tensor, Box]:
    """Return the images (1, C, z, y, x), scaled alike, of the whole grid or of the brain's box, and where that lies."""
    images, box = prepare(case, model.record.channels, model.record.preprocessing)
    if crop:
        return torch.from_numpy(images)[None], box
    whole = torch.zeros(1, len(images), *case.geometry.shape)
    whole[(0, slice(None), *box)] = torch.from_numpy(images)
    z, y, x = (slice(0, n) for n in case.geometry.shape)
    return whole, (z, y, x)


def labelled(logits: Tensor, case: Case, model: Model, box: Box) -> NDArray[np.uint8]:
    """Return the labels of logits (1, K, z, y, x) on the case's grid."""
    return _painted(to_probabilities(logits, model.record.outputs), case, model, box)


def _painted(probabilities: Tensor, case: Case, model: Model, box: Box) -> NDArray[np.uint8]:
    labels = np.zeros(case.geometry.shape, np.uint8)
    labels[box] = to_labels(probabilities, model.record.outputs, model.record.scheme)[0].numpy()
    return labels


def sliding_window(case: Case, model: Model, network: nn.Module, roi: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Segment the whole grid by MONAI's inferer: overlap 0.5, Gaussian."""
    images, box = prepared(case, model, crop=False)
    with torch.inference_mode():
        logits = SlidingWindowInferer(roi, sw_batch_size=1, overlap=0.5, mode="gaussian")(images, network)
    return labelled(logits, case, model, box)


def bundle(case: Case, model: Model, network: nn.Module) -> NDArray[np.uint8]:
    """Segment as the published MONAI BraTS bundle sets it: a window of 240 x 240 x 160, overlap 0.5."""
    images, box = prepared(case, model, crop=False)
    with torch.inference_mode():
        logits = SlidingWindowInferer((160, 240, 240), sw_batch_size=1, overlap=0.5)(images, network)
    return labelled(logits, case, model, box)


def one_window(case: Case, model: Model, network: nn.Module) -> NDArray[np.uint8]:
    """Segment the brain's box in one fp32 window."""
    images, box = prepared(case, model, crop=True)
    with torch.inference_mode():
        logits = network(images)
    return labelled(logits, case, model, box)


def plain_slices(case: Case, model: Model, network: nn.Module, batch: int) -> NDArray[np.uint8]:
    """Segment slices of the whole grid in fp32, so many at once, along all planes that the model sees a case along."""
    record = model.record
    images, box = prepared(case, model, crop=False)
    seen = []
    for plane in usable(record.preprocessing.planes, case.geometry.spacing):
        slices = turned(images[0], plane).transpose(0, 1).contiguous()
        with torch.inference_mode():
            logits = torch.cat([network(part) for part in slices.split(batch)])
        seen.append(turned(to_probabilities(logits, record.outputs).transpose(0, 1), plane))
    return _painted(torch.stack(seen).mean(0)[None], case, model, box)


def nnunet(case: Case, model: Model, *, mirrors: bool) -> Callable[[], tuple[NDArray[np.uint8], float, float]] | None:
    """Return a run of nnU-Net's predictor: labels, seconds and peak bytes; None where no environment is named."""
    python = os.environ.get("BRAINSEG_NNUNET_PYTHON")
    if not python or model.record.folder is None:
        return None

    def run() -> tuple[NDArray[np.uint8], float, float]:
        images, box = prepared(case, model, crop=True)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            np.save(folder / "images.npy", images[0].numpy())
            command = [python, "-m", "benchmarks.nnunet_peer", str(model.record.folder), name, str(int(mirrors))]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
                environment.setdefault(variable, name)
            subprocess.run(command, check=True, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
            told = json.loads((folder / "told.json").read_text())
            logits = torch.from_numpy(np.load(folder / "logits.npy"))[None]
        return labelled(logits, case, model, box), told["seconds"], told["peak"]

    return run
