"""The training loop: a generator on Lightning Fabric that reports each epoch, keeps the best weights and can resume."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from napari_brainseg.base.allocation import reusing_memory
from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.paths import write_text
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.model_store.card import model_card
from napari_brainseg.model_store.ensembles import EARLIER, IMAGENET
from napari_brainseg.model_store.model import Model, new_network, save_model
from napari_brainseg.training.augmentation import augment
from napari_brainseg.training.checkpoints import (
    RunState,
    moving_average,
    read_checkpoint,
    remove_leftovers,
    write_checkpoint,
)
from napari_brainseg.training.mask_edges import draw_mask_edges
from napari_brainseg.training.monitoring import Watcher
from napari_brainseg.training.schedules import create_optimizer, create_schedule
from napari_brainseg.training.session import Session, changes_of, facts_of, fingerprint_of, first_network, open_session
from napari_brainseg.training.settings import TrainingSettings, without_place
from napari_brainseg.training.splits import read_split
from napari_brainseg.training.surface_scores import is_of_surfaces, surface_score
from napari_brainseg.training.validation import SLICES, CaseCounts, Validated, mean_dice, score, score_facts, validate

_Thing = TypeVar("_Thing")


@dataclass(frozen=True)
class EpochReport(Progress):
    """One finished epoch: mean training loss, mean validation Dice per region, and the monitored score."""

    loss: float = math.nan
    dice: Mapping[str, float] | None = None
    score: float = math.nan


@dataclass
class Pace:
    """How an epoch's time was spent, seconds, and how many images passed."""

    data: float = 0.0
    total: float = 0.0
    images: int = 0


def train(
    settings: TrainingSettings, token: CancelToken | None = None, *, resume: bool = False, command: str = ""
) -> Generator[Progress, None, Model]:
    """Train a model by its settings and return it with its best weights.

    `settings.out` gets `settings.json`, a checkpoint `last.pt` after every epoch, the log, and the model folder, made
    anew whenever the monitored score improves: whatever ends the run, the best weights so far can be used.

    Args:
        settings: The run.
        token: Cancels it between two steps.
        resume: Go on from the checkpoint in `settings.out`.
        command: What made the run, for the card.

    Raises:
        TrainingError: Data are missing, the folder holds a run already, or the loss is no longer finite.
        OutputError: Something cannot be written; the last checkpoint is kept.
        Cancelled: The token was cancelled.
    """
    checkpoint, fingerprint = settings.out / "last.pt", fingerprint_of(settings)
    if checkpoint.exists() and not resume:
        raise TrainingError(
            f"{settings.out} holds a run already. Add --resume to go on with it, or choose another out."
        )
    going_on = resume and checkpoint.exists()
    kept = read_checkpoint(checkpoint, fingerprint, changes_of(settings)) if going_on else None
    session = yield from open_session(settings)
    network = first_network(session)
    wrapped = session.fabric.setup_module(network)  # before the optimizer: it may share out the weights
    state = first_state(session, network)
    if kept is not None:
        state.resume(kept)
        del kept
    optimizer = session.fabric.setup_optimizers(state.optimizer)
    with ExitStack() as ending:
        watcher = _watcher(session, state) if session.fabric.is_global_zero else None
        if watcher is not None:
            ending.callback(watcher.close)
        ending.enter_context(reusing_memory())
        while state.epoch < settings.epochs and not _is_out_of_patience(state, settings):
            pace = Pace()
            loss = yield from run_epoch(session, state, (wrapped, optimizer), pace, token)
            judged = yield from _judge(session, state)
            snapshot = state.snapshot(fingerprint)
            if watcher is not None:
                if judged.improved:
                    _save(session, state, command)
                watcher.epoch(state, _row(session, state, loss, judged, pace), judged.cases, improved=judged.improved)
                # Last: a run that is killed before repeats the epoch, and with it its row of the log.
                write_checkpoint(snapshot, checkpoint)
            yield _report(session, state, loss, judged)
    return _model(session, state, command)


def _watcher(session: Session, state: RunState) -> Watcher:
    """Write down what the run is, and return who writes down how it goes."""
    settings = session.settings
    remove_leftovers(settings.out)
    facts = {**facts_of(settings), "seed": settings.seed, "cases": _parts(session), "lacking": session.lacking}
    write_text(settings.out / "settings.json", json.dumps(facts, indent=1, default=list) + "\n")
    return Watcher(session, state.epoch, facts_of(settings))


def first_state(session: Session, network: nn.Module) -> RunState:
    """Return the state of a run that has not made a step."""
    settings = session.settings
    weights = [w for w in network.parameters() if w.requires_grad]
    optimizer = create_optimizer(
        settings.optimizer, weights, settings.rate, settings.weight_decay, **settings.optimizer_options
    )
    batches = session.data.batches(settings.batch, settings.empty_share, settings.oversample, torch.Generator())
    steps = math.ceil(len(batches) / settings.accumulate) * settings.epochs
    options = dict(settings.schedule_options)
    schedule = create_schedule(settings.schedule, optimizer, steps, settings.epochs, settings.rate, **options)
    return RunState(network, optimizer, schedule, moving_average(network, settings.average))


def _is_out_of_patience(state: RunState, settings: TrainingSettings) -> bool:
    return settings.patience > 0 and state.epoch - state.best_epoch >= settings.patience


def seeds(settings: TrainingSettings, epoch: int, rank: int) -> tuple[torch.Generator, torch.Generator]:
    """Return the chance of an epoch: of its order, the same in every process, and of augmentation, its own in each.

    Both follow from the seed and the epoch alone, so that a resumed run draws what an unbroken one would have drawn.
    torch's own generator, which dropout uses, is set too.
    """
    base = settings.seed * 1_000_003 + epoch * 1009
    torch.manual_seed(base + rank + 1)
    return torch.Generator().manual_seed(base), torch.Generator().manual_seed(base + rank + 1)


def run_epoch(
    session: Session, state: RunState, machinery: tuple[Any, Any], pace: Pace, token: CancelToken | None
) -> Generator[Progress, None, float]:
    """Make the steps of one epoch and return its mean loss; a generator.

    Args:
        session: The run.
        state: Its weights, optimizer and schedule, which move on.
        machinery: The network and the optimizer as Fabric wraps them.
        pace: Filled with how the time was spent.
        token: Cancels between two steps.
    """
    settings, (wrapped, optimizer) = session.settings, machinery
    order, chance = seeds(settings, state.epoch, session.fabric.global_rank)
    state.network.train()
    batches = session.data.batches(settings.batch, settings.empty_share, settings.oversample, order)
    losses = []
    optimizer.zero_grad()  # the last gradients of the epoch before are kept until here, for whoever looks at them
    started = time.perf_counter()
    for step, batch in enumerate(batches):
        if token is not None:
            token.raise_if_cancelled()
        begun = time.perf_counter()
        mine = session.share(batch)
        images, targets = draw(session, mine, chance)
        pace.data += time.perf_counter() - begun
        ends = (step + 1) % settings.accumulate == 0 or step + 1 == len(batches)
        with torch.enable_grad(), session.fabric.no_backward_sync(wrapped, enabled=not ends):
            loss = compute_loss(session, wrapped(images), targets)
            _raise_unless_finite(session, loss, mine, state.epoch)
            session.fabric.backward(loss / settings.accumulate)
        if ends:
            if settings.clip:
                session.fabric.clip_gradients(wrapped, optimizer, max_norm=settings.clip, error_if_nonfinite=False)
            optimizer.step()
            state.schedule.after_step()
            if state.average is not None:
                state.average.update_parameters(state.network)
            if step + 1 < len(batches):
                optimizer.zero_grad()
        losses.append(float(loss.detach()))
        pace.images += len(batch)
        yield Progress(step + 1, len(batches), f"epoch {state.epoch + 1} of {settings.epochs}")
    pace.total = time.perf_counter() - started
    mean = torch.tensor(np.mean(losses), device=session.device)
    return float(torch.as_tensor(session.fabric.all_reduce(mean, reduce_op="mean")))


def draw(session: Session, numbers: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return an augmented batch on the device: images (N, C, *spatial) fp32 and targets (N, K, *spatial)."""
    images, labels = session.data.take(numbers, chance)
    images, labels = images.to(session.device).float(), labels.to(session.device)
    if session.settings.mask_edges:
        images = draw_mask_edges(images, labels)
    images, labels = augment(images, labels, session.augmentation, chance, slices=session.stacked_slices)
    if images.ndim == 4:
        images = images.contiguous(memory_format=torch.channels_last)
    return images, session.targets(labels)


def compute_loss(session: Session, logits: Tensor | list[Tensor], targets: Tensor) -> Tensor:
    """Return the loss, fp32; the mean over the outputs of a network with deep supervision."""
    outputs = logits if isinstance(logits, list) else [logits]
    losses = [session.loss(output, targets) for output in outputs]
    return torch.stack(losses).mean()


def _raise_unless_finite(session: Session, loss: Tensor, numbers: Tensor, epoch: int) -> None:
    finite = torch.isfinite(loss.detach()).float()
    if session.fabric.world_size > 1:  # every process must stop, or the others would wait for ever
        finite = torch.as_tensor(session.fabric.all_reduce(finite, reduce_op="mean"))
    if finite < 1:
        names = ", ".join(session.data.cases(numbers))
        kept = f"The best weights so far are kept in {session.settings.out}; look" if epoch else "Look"
        raise TrainingError(
            f"The loss is no longer finite in epoch {epoch + 1} (batch with {names}). {kept} at these cases, or try a "
            "lower rate or precision=32-true."
        )


@dataclass(frozen=True, eq=False)
class _Judged:
    """The validation of an epoch: this process's cases, the counts of all, and the monitored score."""

    cases: list[Validated]
    counts: CaseCounts
    score: float
    improved: bool


def _judge(session: Session, state: RunState) -> Generator[Progress, None, _Judged]:
    """Validate, end the epoch, and keep the weights where they are the best so far."""
    scheme = session.record.scheme
    validated = yield from _validate(session, state)
    counts = _gathered(session, {v.case.id: v.counts(scheme) for v in validated})
    value = _monitored(session, counts, validated)
    state.epoch += 1
    state.schedule.after_epoch(value)
    improved = value > state.best or session.settings.choose == "last"
    if improved:
        state.keep_best(value, dict(score_facts(counts, scheme)))
    return _Judged(validated, counts, value, improved)


def _validate(session: Session, state: RunState) -> Generator[Progress, None, list[Validated]]:
    judged = _judged(session, state)

    def forward(images: Tensor) -> Tensor:
        with session.fabric.autocast():
            logits: Tensor = judged(images)
        return logits.float()

    mine = session.validation[session.fabric.global_rank :: session.fabric.world_size]
    return (yield from validate(forward, mine, session.record, session.device))


def _judged(session: Session, state: RunState) -> nn.Module:
    """Return the network that is validated; a whole copy where processes share out the weights."""
    if session.settings.strategy == "fsdp":
        network = new_network(session.record).to(session.device)
        network.load_state_dict(state.judged_weights())
        return network.eval()
    judged: nn.Module = state.average.module if state.average is not None else state.network
    return judged.eval()


def _gathered(session: Session, counts: dict[str, _Thing]) -> dict[str, _Thing]:
    """Return what all processes have found of their validation cases, in order of their names."""
    if session.fabric.world_size > 1:
        parts: list[Any] = [None] * session.fabric.world_size
        torch.distributed.all_gather_object(parts, counts)
        counts = {id: case for part in parts for id, case in part.items()}
    return dict(sorted(counts.items()))


def _monitored(session: Session, counts: CaseCounts, validated: Sequence[Validated]) -> float:
    """Return the score that chooses the best epoch."""
    scheme, name = session.record.scheme, session.settings.monitor
    if is_of_surfaces(name):
        each = _gathered(session, {case.case.id: surface_score(case, name, scheme) for case in validated})
        return float(np.mean(list(each.values())))
    if name.startswith(SLICES):
        counts = _gathered(session, {k: v for case in validated for k, v in case.slice_counts(scheme).items()})
    return score(counts, name, scheme)


def _row(session: Session, state: RunState, loss: float, judged: _Judged, pace: Pace) -> dict[str, float]:
    """Return what is logged of an epoch."""
    dice = {f"dice_{name}": value for name, value in mean_dice(judged.counts, session.record.scheme).items()}
    return {
        "loss": loss,
        "rate": state.schedule.rate,
        **dice,
        session.settings.monitor: judged.score,
        "seconds": pace.total,
        "images_per_second": pace.images / max(pace.total, 1e-9),
        "data_share": pace.data / max(pace.total, 1e-9),
    }


def _report(session: Session, state: RunState, loss: float, judged: _Judged) -> EpochReport:
    dice = mean_dice(judged.counts, session.record.scheme)
    words = ", ".join(f"{name} {number:.3f}" for name, number in dice.items())
    if session.settings.monitor != "dice":
        words += f", {session.settings.monitor} {judged.score:.3f}"
    total = session.settings.epochs
    return EpochReport(state.epoch, total, f"loss {loss:.4f}, Dice {words}", loss, dice, judged.score)


def _model(session: Session, state: RunState, command: str) -> Model:
    network = new_network(session.record)
    network.load_state_dict(state.best_weights or state.judged_weights())
    commands = " && ".join(one for one in (session.history.command, command) if one)
    told: dict[str, Any] = {"command": commands, "cases": _parts(session)}
    if session.history.imagenet:
        told[IMAGENET] = True
    settings = replace(session.settings, start_from=without_place(session.settings.start_from))
    facts = {**session.record.training, **facts_of(settings), **told}
    record = replace(session.record, scores=state.best_scores, training=facts)
    return Model(record, network.eval())


def _save(session: Session, state: RunState, command: str) -> None:
    model = _model(session, state, command)
    card = model_card(model.record)
    save_model(model, session.settings.out / session.settings.name, card, overwrite=True)


def _parts(session: Session) -> dict[str, list[str]]:
    data = session.data
    seen = {c.id for c in data.prepared} if hasattr(data, "prepared") else set(data.case_ids)
    split = read_split(session.settings.split, session.settings.split_name)
    train = sorted(seen.intersection(split.train))  # without the synthetic ones
    told = {"train": train, "validation": [case.id for case in session.validation], "test": sorted(split.test)}
    return {**told, EARLIER: sorted(session.history.cases)} if session.history.cases else told
