"""`finetune`: teach a model from confirmed voxels in a few steps, without touching the model it starts from."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.progress import CancelToken, Progress, run_to_end
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.evaluation.metrics import region_dice
from napari_brainseg.inference.decoding import is_softmax, to_labels, to_probabilities, to_targets
from napari_brainseg.inference.devices import autocast_for, fast_dtype, resolve_device
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.model import Model, new_network
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.augmentation import AugmentationSettings, change_intensities
from napari_brainseg.training.corrected import CorrectedCase, Piece, batch_of, pieces_of, prepare_corrected
from napari_brainseg.training.finetune_settings import FinetuneSettings
from napari_brainseg.training.masked_losses import masked_bce_dice, masked_ce_dice

# How the registered networks name what lies before the decoder.
_ENCODER_PARTS = frozenset({"encoder", "convInit", "down_layers"})
_LIGHT = AugmentationSettings(intensity=0.1, noise=0.05)


@dataclass(frozen=True)
class FinetuneReport(Progress):
    """One step: the batch's loss and its mean Dice over the regions, before the step; NaN while there is none."""

    loss: float = math.nan
    dice: float = math.nan


@dataclass(frozen=True, eq=False)
class FinetuneResult:
    """What a fine-tuning gives.

    Attributes:
        model: The new model, not saved yet; its record names parent, data, settings, scores and date.
        before: Dice per region of the model it started from, over the confirmed voxels, averaged over the cases.
        after: The same of the new model, on the very voxels that it learnt from.
        slices: How many slices or windows it learnt from.
        cases: How many cases they are from.
        seconds: How long it took.
    """

    model: Model
    before: dict[str, float]
    after: dict[str, float]
    slices: int
    cases: int
    seconds: float


@dataclass(frozen=True, eq=False)
class _Run:
    record: ModelRecord
    network: nn.Module
    device: torch.device
    settings: FinetuneSettings
    token: CancelToken

    def forward(self, images: Tensor) -> Tensor:
        """Return fp32 logits of images on the CPU, computed as is fast on the device."""
        images = images.to(self.device)
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        with _precision(self.device, self.record.spatial_dims):
            logits: Tensor = self.network(images)
        return logits.float()


def finetune(
    corrections: Sequence[tuple[Case, Correction]],
    model: Model,
    settings: FinetuneSettings | None = None,
    *,
    token: CancelToken | None = None,
) -> Generator[FinetuneReport, None, FinetuneResult]:
    """Teach a copy of `model` from confirmed voxels; yields a report per step and returns the new model.

    Only confirmed voxels enter the loss; the images around them are seen, their labels are not. Batch-norm statistics
    are frozen. Whatever ends it, `model` is as it was.

    Raises:
        TrainingError: Nothing is confirmed that this model can learn from, or the loss is no longer finite.
        InputError: A case does not fit the model or its correction.
        LabelError: The model's scheme cannot hold a confirmed class.
        Cancelled: The token was cancelled; nothing is kept.
    """
    start = time.perf_counter()
    settings, token = settings or FinetuneSettings(), token or CancelToken()
    record = model.record
    cases: list[CorrectedCase] = []
    for index, (case, correction) in enumerate(corrections):
        yield FinetuneReport(0, 0, f"preparing case {index + 1} of {len(corrections)}")
        token.raise_if_cancelled()
        if not correction.is_empty:
            cases.append(prepare_corrected(case, correction, record))
    pieces = [piece for case in cases for piece in pieces_of(case, record)]
    if not pieces:
        raise TrainingError("Nothing is confirmed that the model could learn from. Confirm a slice of the brain first.")
    device = resolve_device(settings.device)
    network = new_network(record)
    network.load_state_dict(model.network.state_dict())
    network.to(device)
    # Evaluation mode freezes the batch-norm statistics: a handful of slices would spoil them.
    run = _Run(record, network.eval(), device, settings, token)
    before = yield from _scores(run, cases, pieces, "scoring the model as it is")
    yield from _steps(run, pieces)
    after = yield from _scores(run, cases, pieces, "scoring the new model")
    taught = replace(
        record,
        name=f"{record.name}-taught",
        version="1",
        parent=record.name,
        training=_facts(corrections, record, settings),
        scores={"confirmed": {"before": before, "after": after}},
        folder=None,
    )
    seconds = time.perf_counter() - start
    return FinetuneResult(Model(taught, network.cpu().eval()), before, after, len(pieces), len(cases), seconds)


def _steps(run: _Run, pieces: Sequence[Piece]) -> Generator[FinetuneReport, None, None]:
    settings, record = run.settings, run.record
    weights = _chosen_weights(run.network, settings.layers)
    optimizer = torch.optim.AdamW(weights, lr=settings.rate)
    chance = torch.Generator().manual_seed(settings.seed)
    size = min(settings.batch, len(pieces)) if record.spatial_dims == 2 else 1
    waiting: list[int] = []
    for step in range(settings.steps):
        run.token.raise_if_cancelled()
        if len(waiting) < size:
            waiting += torch.randperm(len(pieces), generator=chance).tolist()
        drawn, waiting = waiting[:size], waiting[size:]
        images, labels, confirmed = _changed(*batch_of([pieces[i] for i in drawn], record), chance)
        loss, dice = _step(run, optimizer, weights, (images, labels, confirmed))
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss was no longer finite at step {step + 1}. The model is unchanged; choose a lower rate."
            )
        yield FinetuneReport(step + 1, settings.steps, f"step {step + 1} of {settings.steps}", loss, dice)


def _step(
    run: _Run, optimizer: torch.optim.Optimizer, weights: list[nn.Parameter], batch: tuple[Tensor, Tensor, Tensor]
) -> tuple[float, float]:
    images, labels, confirmed = batch
    record = run.record
    compute_loss = masked_ce_dice if is_softmax(record.outputs) else masked_bce_dice
    # A caller may hold gradients off, and gradients must not stay on across a yield.
    with torch.enable_grad():
        logits = run.forward(images)
        targets = to_targets(labels.to(run.device), record.outputs, record.scheme)
        loss = compute_loss(logits, targets, confirmed.to(run.device))
        value = float(loss.detach())
        if math.isfinite(value):
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(weights, 5.0)
            optimizer.step()
    found, known = _labels_of(run, to_probabilities(logits.detach(), record.outputs)), confirmed.numpy()
    scores = region_dice(found[known], labels.numpy()[known], record.scheme)
    return value, float(np.mean(list(scores.values())))


def _changed(images: Tensor, labels: Tensor, confirmed: Tensor, chance: torch.Generator) -> tuple[Tensor, ...]:
    """Mirror some images left to right and change the intensities of their channels a little."""
    mirrored = torch.rand(len(images), generator=chance) < 0.5
    images, labels, confirmed = (
        torch.where(mirrored.reshape(-1, *[1] * (part.ndim - 1)), part.flip(-1), part)
        for part in (images, labels, confirmed)
    )
    flat = change_intensities(images.flatten(2, -2), _LIGHT, chance)
    return flat.reshape(images.shape), labels, confirmed


def _scores(
    run: _Run, cases: Sequence[CorrectedCase], pieces: Sequence[Piece], message: str
) -> Generator[FinetuneReport, None, dict[str, float]]:
    """Return Dice per region over the confirmed voxels, as the program would segment them; the mean of the cases."""
    each = []
    for index, case in enumerate(cases):
        yield FinetuneReport(0, 0, f"{message}, case {index + 1} of {len(cases)}")
        run.token.raise_if_cancelled()
        found = _segmented(run, case, [p for p in pieces if p.case is case])
        each.append(region_dice(found[case.confirmed], case.labels[case.confirmed], run.record.scheme))
    return {name: float(np.mean([scores[name] for scores in each])) for name in each[0]}


@torch.no_grad()
def _segmented(run: _Run, case: CorrectedCase, pieces: Sequence[Piece]) -> LabelArray:
    """Return the model's labels (z, y, x), right wherever something is confirmed."""
    if run.record.spatial_dims == 3:  # how a volume is divided into windows changes its labels: the program decides
        model, settings = Model(run.record, run.network), SegmentSettings(device=run.settings.device)
        return run_to_end(segment(case.source, model, settings, run.token)).labels[case.box]
    labels = np.zeros(case.confirmed.shape, np.uint8)
    for start in range(0, len(pieces), run.settings.batch):
        run.token.raise_if_cancelled()
        group = pieces[start : start + run.settings.batch]
        labels[[p.window[0].start for p in group]] = _labels_of(run, _maps(run, group))
    return labels


def _maps(run: _Run, pieces: Sequence[Piece]) -> Tensor:
    """Return probabilities (N, R, *spatial), fp32 on the CPU."""
    return to_probabilities(run.forward(batch_of(pieces, run.record)[0]), run.record.outputs).cpu()


def _labels_of(run: _Run, maps: Tensor) -> LabelArray:
    """Return label values (N, *spatial) for probabilities (N, R, *spatial)."""
    return np.asarray(to_labels(maps, run.record.outputs, run.record.scheme).cpu().numpy())


def _chosen_weights(network: nn.Module, layers: str) -> list[nn.Parameter]:
    chosen, encoder = [], 0
    for name, weight in network.named_parameters():
        in_encoder = bool(_ENCODER_PARTS & set(name.split(".")))
        encoder += in_encoder
        weight.requires_grad_(layers == "all" or not in_encoder)
        if weight.requires_grad:
            chosen.append(weight)
    if layers == "decoder" and not encoder:
        raise TrainingError("This network does not say which of its weights are the decoder. Choose all layers.")
    return chosen


def _precision(device: torch.device, spatial_dims: int) -> AbstractContextManager[None]:
    """Return the autocast context in which gradients can be trusted."""
    # torch 2.13 on a CPU: the weight gradient of a bf16 3-D convolution of depth 2 holds uninitialised memory.
    broken = device.type == "cpu" and spatial_dims == 3
    # fp16 gradients underflow without loss scaling; where there is no bf16, fp32 learns safely.
    return autocast_for(device) if fast_dtype(device) == torch.bfloat16 and not broken else nullcontext()


def _facts(
    corrections: Sequence[tuple[Case, Correction]], record: ModelRecord, settings: FinetuneSettings
) -> dict[str, Any]:
    data = []
    for case, correction in corrections:
        if correction.is_empty:
            continue
        digest = hashlib.sha256(np.packbits(correction.confirmed).tobytes())
        digest.update(correction.labels[correction.confirmed].tobytes())
        data.append(
            {
                "case": case.id,
                "slices": [s.describe() for s in correction.slices],
                "voxels": int(correction.confirmed.sum()),
                "sha256": digest.hexdigest(),
            }
        )
    return {
        "parent": {"name": record.name, "version": record.version, "sha256": record.training.get("sha256", "")},
        "data": data,
        "settings": asdict(settings),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "torch": torch.__version__,
    }
