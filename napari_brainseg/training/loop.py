"""The training loop, first form: slices, AdamW with a one-cycle rate, best weights by validation Dice per case."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import platform
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.paths import write_text, written_aside
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
from napari_brainseg.evaluation.metrics import region_dice
from napari_brainseg.inference.decoding import is_softmax, to_labels, to_probabilities, to_targets
from napari_brainseg.inference.devices import fast_dtype, resolve_device
from napari_brainseg.model_store.model import Model, new_network
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.augmentation import AugmentationSettings, augment
from napari_brainseg.training.batches import PreparedCase, SliceSet, prepare_labelled, read_labelled, slice_set
from napari_brainseg.training.losses import bce_dice, ce_dice
from napari_brainseg.training.settings import TrainingSettings
from napari_brainseg.training.splits import read_split

# The shipped samples have low seeds: they stay unseen, so that they show what a model can do.
_FIRST_PHANTOM = 100

Scores = dict[str, dict[str, float]]  # case id -> region -> Dice


@dataclass(frozen=True)
class EpochReport(Progress):
    """One finished epoch: mean training loss and mean validation Dice per region."""

    loss: float = math.nan
    dice: Mapping[str, float] | None = None


@dataclass
class _Run:
    """What changes while a run goes on; exactly what a checkpoint holds."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    epoch: int = 0
    best: float = -1.0
    best_weights: dict[str, Tensor] | None = None
    best_scores: Scores | None = None

    def save(self, path: Path, fingerprint: str) -> None:
        state = {
            "fingerprint": fingerprint,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            "epoch": self.epoch,
            "best": self.best,
            "best_weights": self.best_weights,
            "best_scores": self.best_scores,
        }
        with written_aside(path, overwrite=True) as aside:
            torch.save(state, aside)

    def resume(self, path: Path, fingerprint: str) -> None:
        state = torch.load(path, weights_only=True)
        if state["fingerprint"] != fingerprint:
            raise TrainingError(f"{path} belongs to other settings. Choose another 'out', or delete that folder.")
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"])
        self.epoch, self.best = state["epoch"], state["best"]
        self.best_weights, self.best_scores = state["best_weights"], state["best_scores"]


def train(
    settings: TrainingSettings, token: CancelToken | None = None
) -> Generator[Progress, None, tuple[Model, Scores]]:
    """Train a model by its settings; return it with its best weights and their validation Dice per case and region.

    Every epoch ends in a checkpoint in `settings.out`; a run that was stopped goes on from there.

    Raises:
        TrainingError: Data are missing, the folder holds another run, or the loss is no longer finite.
    """
    device = resolve_device(settings.device)
    torch.manual_seed(settings.seed)
    record = _record(settings)
    slices, validation = yield from _read(settings, record)
    fabric = Fabric(accelerator=device.type, devices=1, precision="bf16-mixed" if fast_dtype(device) else "32-true")
    network = new_network(record).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
    generator = torch.Generator().manual_seed(settings.seed)
    steps = sum(1 for _ in slices.batches(settings.batch, settings.empty_share, torch.Generator()))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, total_steps=steps * settings.epochs + 1)
    run = _Run(network, optimizer, schedule, generator)
    checkpoint, fingerprint = settings.out / "last.pt", _fingerprint(settings)
    if checkpoint.exists():
        run.resume(checkpoint, fingerprint)
    wrapped, wrapped_optimizer = fabric.setup(network, optimizer)
    while run.epoch < settings.epochs:
        start = time.perf_counter()
        network.train()
        loss = yield from _epoch(settings, slices, run, (fabric, wrapped, wrapped_optimizer), token)
        scores = validate(wrapped, validation, record)
        dice = _mean_scores(scores)
        run.epoch += 1
        if float(np.mean(list(dice.values()))) > run.best:
            run.best, run.best_scores = float(np.mean(list(dice.values()))), scores
            run.best_weights = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
        run.save(checkpoint, fingerprint)
        _log(settings.out / "log.csv", run.epoch, loss, dice, time.perf_counter() - start)
        words = ", ".join(f"{name} {value:.3f}" for name, value in dice.items())
        yield EpochReport(run.epoch, settings.epochs, f"loss {loss:.4f}, Dice {words}", loss, dice)
    network.load_state_dict(run.best_weights or network.state_dict())
    scores = run.best_scores or {}
    return Model(replace(record, scores=_score_facts(scores), training=_facts(settings)), network.cpu().eval()), scores


def _record(settings: TrainingSettings) -> ModelRecord:
    augmentation = AugmentationSettings(**settings.augmentation)
    return ModelRecord(
        name=settings.name,
        version="1",
        title=settings.title,
        network={"name": settings.network, "options": dict(settings.options)},
        channels=settings.channels,
        scheme_id=scheme_by_id(settings.scheme).id,
        outputs=settings.outputs,
        preprocessing=Preprocessing(**settings.preprocessing),
        trained_to_miss=settings.channels if augmentation.drop_channel else (),
    )


def _read(
    settings: TrainingSettings, record: ModelRecord
) -> Generator[Progress, None, tuple[SliceSet, list[PreparedCase]]]:
    split = read_split(settings.split, settings.split_name)
    prepared = partial(prepare_labelled, channels=record.channels, scheme=record.scheme, settings=record.preprocessing)
    train = yield from read_labelled(settings.data, split.train, prepared)
    make_phantom = make_lgg_phantom if settings.scheme == "lgg" else make_volume_phantom
    for seed in range(settings.phantoms):
        yield Progress(seed, settings.phantoms, "making phantoms")
        train.append(prepared(make_phantom(_FIRST_PHANTOM + seed)))
    validation = yield from read_labelled(settings.data, split.validation, prepared)
    return slice_set(train, settings.size), validation


def _epoch(
    settings: TrainingSettings,
    slices: SliceSet,
    run: _Run,
    machinery: tuple[Fabric, nn.Module, Any],
    token: CancelToken | None,
) -> Generator[Progress, None, float]:
    fabric, network, optimizer = machinery
    augmentation = AugmentationSettings(**settings.augmentation)
    scheme = scheme_by_id(settings.scheme)
    compute_loss = ce_dice if is_softmax(settings.outputs) else bce_dice
    losses = []
    batches = list(slices.batches(settings.batch, settings.empty_share, run.generator))
    for step, indices in enumerate(batches):
        if token is not None:
            token.raise_if_cancelled()
        images, labels = slices.images[indices].float(), slices.labels[indices]
        images, labels = augment(images, labels, augmentation, run.generator)
        images = fabric.to_device(images.to(memory_format=torch.channels_last))
        targets = to_targets(fabric.to_device(labels), settings.outputs, scheme)
        loss = compute_loss(network(images), targets)
        if not torch.isfinite(loss):
            names = ", ".join(sorted({slices.case_ids[i] for i in indices.tolist()}))
            raise TrainingError(f"The loss is no longer finite in epoch {run.epoch + 1} (batch with {names}).")
        optimizer.zero_grad()
        fabric.backward(loss)
        fabric.clip_gradients(network, optimizer, max_norm=5.0)
        optimizer.step()
        run.schedule.step()
        losses.append(float(loss.detach()))
        yield Progress(step + 1, len(batches), f"epoch {run.epoch + 1} of {settings.epochs}")
    return float(np.mean(losses))


@torch.no_grad()
def validate(network: nn.Module, cases: Sequence[PreparedCase], record: ModelRecord, batch: int = 16) -> Scores:
    """Return Dice per case and region, each case whole and as the program would segment it."""
    network.eval()
    device = next(network.parameters()).device
    scores = {}
    for case in cases:
        parts = []
        images = torch.from_numpy(case.images).float().transpose(0, 1)
        for part in torch.split(images, batch):
            logits = network(part.to(device, memory_format=torch.channels_last))
            parts.append(to_labels(to_probabilities(logits, record.outputs), record.outputs, record.scheme).cpu())
        scores[case.id] = region_dice(torch.cat(parts).numpy(), case.labels, record.scheme)
    return scores


def _mean_scores(scores: Scores) -> dict[str, float]:
    regions = next(iter(scores.values()), {})
    return {name: float(np.mean([s[name] for s in scores.values()])) for name in regions}


def _score_facts(scores: Scores) -> dict[str, Any]:
    return {"validation": {"mean": _mean_scores(scores), "cases": scores}}


def _facts(settings: TrainingSettings) -> dict[str, Any]:
    shown = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(settings).items() if k not in ("data", "out")}
    return {"settings": shown, "torch": torch.__version__, "python": platform.python_version()}


def _fingerprint(settings: TrainingSettings) -> str:
    """A run is the same run whatever its folder is called and wherever its data lie."""
    return hashlib.sha256(json.dumps(_facts(settings)["settings"], sort_keys=True, default=list).encode()).hexdigest()


def _log(path: Path, epoch: int, loss: float, dice: Mapping[str, float], seconds: float) -> None:
    old = path.read_text(encoding="utf-8").splitlines() if epoch > 1 and path.exists() else []
    header = ["epoch", "loss", *dice, "seconds"]
    row = [str(epoch), f"{loss:.5f}", *(f"{v:.5f}" for v in dice.values()), f"{seconds:.1f}"]
    rows = [r for r in csv.reader(old) if r and r[0].isdigit() and int(r[0]) < epoch]
    write_text(path, "\n".join(",".join(r) for r in [header, *rows, row]) + "\n")
