"""The network that is taught, and what it answers: what learning, scoring and replaying share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from napari_brainseg.base.progress import CancelToken, run_to_end
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.inference.decoding import to_labels, to_probabilities
from napari_brainseg.inference.devices import autocast_for, fast_dtype
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.postprocessing import PostProcessing
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.model import Model
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.corrected import CorrectedCase, Piece, batch_of, pieces_of


@dataclass(frozen=True, eq=False)
class TaughtNetwork:
    """A copy of a model's network on a device.

    Attributes:
        record: The model.
        network: In evaluation mode: batch-norm statistics are frozen, which a handful of slices would spoil.
        device: Where it computes.
        token: Cancelling it stops what goes on.
        batch: Slices that are answered at once.
    """

    record: ModelRecord
    network: nn.Module
    device: torch.device
    token: CancelToken
    batch: int

    def forward(self, images: Tensor, *, learning: bool = False) -> Tensor:
        """Return fp32 logits of images on the CPU, computed as is fast on the device and safe for what it is for."""
        images = images.to(self.device)
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        safe = _learning_precision(self.device, self.record.spatial_dims) if learning else autocast_for(self.device)
        with safe:
            logits: Tensor = self.network(images)
        return logits.float()

    def labels_of(self, logits: Tensor) -> LabelArray:
        """Return label values (N, *spatial) for logits (N, K, *spatial)."""
        maps = to_probabilities(logits.detach(), self.record.outputs)
        return np.asarray(to_labels(maps, self.record.outputs, self.record.scheme).cpu().numpy())

    @torch.no_grad()
    def answer(self, case: CorrectedCase) -> LabelArray:
        """Return its labels (z, y, x) of a case, right wherever something is confirmed, before any post-processing."""
        if self.record.spatial_dims == 3:  # how a volume is divided into windows changes its labels: the engine decides
            model = Model(self.record, self.network)
            settings = SegmentSettings(device=str(self.device), post_processing=PostProcessing())
            return run_to_end(segment(case.source, model, settings, self.token)).labels[case.box]
        labels = np.zeros(case.confirmed.shape, np.uint8)
        pieces = pieces_of(case, self.record)
        for first in range(0, len(pieces), self.batch):
            self.token.raise_if_cancelled()
            group = pieces[first : first + self.batch]
            labels[[p.window[0].start for p in group]] = self.labels_of(self.forward(self.images_of(group)))
        return labels

    def images_of(self, pieces: Sequence[Piece]) -> Tensor:
        """Return images (N, C, *spatial)."""
        return batch_of(pieces, self.record)[0]


def _learning_precision(device: torch.device, spatial_dims: int) -> AbstractContextManager[None]:
    """Return the autocast context in which gradients can be trusted."""
    # torch 2.13 on a CPU: the weight gradient of a bf16 3-D convolution of depth 2 holds uninitialised memory.
    broken = device.type == "cpu" and spatial_dims == 3
    # fp16 gradients underflow without loss scaling; where there is no bf16, fp32 learns safely.
    return autocast_for(device) if fast_dtype(device) == torch.bfloat16 and not broken else nullcontext()
