"""The network that is taught, and what it answers: what learning, scoring and replaying share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from napari_brainseg.base.progress import CancelToken, run_to_end
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.inference.decoding import to_labels, to_probabilities
from napari_brainseg.inference.devices import autocast_for, fast_dtype
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.pixel_size import UNCHANGED, Zoom, seen_at
from napari_brainseg.inference.planning import tuple_of
from napari_brainseg.inference.postprocessing import PostProcessing
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.model import Model
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.corrected import CorrectedCase, batch_of, by_zoom, pieces_of
from napari_brainseg.training.half_gradients import SAFE_PATCH, half_is_safe


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

    @property
    def lesson(self) -> ModelRecord:
        """The model with the windows that it learns from: where its own are large, a step on them takes long."""
        window = self.record.window
        smaller = None if window is None else tuple_of(min(size, SAFE_PATCH) for size in window)
        return replace(self.record, window=smaller)

    def forward(self, images: Tensor, zoom: Zoom = UNCHANGED, *, learning: bool = False) -> Tensor:
        """Return fp32 logits of images on the CPU, computed as is fast on the device and safe for what it is for.

        A 2-D network sees the images `zoom` as large, see `inference.pixel_size`.
        """
        images = images.to(self.device)
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        with _learning_precision(self.device, images.shape[2:]) if learning else autocast_for(self.device):
            logits = seen_at(self.network, images, zoom[1:])
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
            for zoom, group in by_zoom(pieces[first : first + self.batch], self.record):
                found = self.labels_of(self.forward(batch_of(group, self.record)[0], zoom))
                labels[[p.window[0].start for p in group]] = found
        return labels


def _learning_precision(device: torch.device, size: Sequence[int]) -> AbstractContextManager[None]:
    """Return the autocast context in which gradients can be trusted."""
    # fp16 gradients underflow without loss scaling; where there is no bf16, fp32 learns safely.
    safe = fast_dtype(device) == torch.bfloat16 and half_is_safe(device, size)
    return autocast_for(device) if safe else nullcontext()
