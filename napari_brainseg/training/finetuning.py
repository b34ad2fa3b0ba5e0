"""`finetune`: teach a model from confirmed voxels in a few steps, without touching the model it starts from."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.base.allocation import reusing_memory
from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.evaluation.metrics import region_dice
from napari_brainseg.inference.decoding import is_softmax, to_targets
from napari_brainseg.inference.devices import resolve_device
from napari_brainseg.inference.memory import ran_out_of_memory, return_memory
from napari_brainseg.inference.pixel_size import Zoom
from napari_brainseg.model_store.model import Model, new_network
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.augmentation import AugmentationSettings, change_intensities
from napari_brainseg.training.corrected import (
    CorrectedCase,
    DrawnPieces,
    Piece,
    batch_of,
    by_zoom,
    pieces_of,
    prepare_corrected,
)
from napari_brainseg.training.finetune_settings import FinetuneSettings
from napari_brainseg.training.held_out import HeldOut, hold_out
from napari_brainseg.training.masked_losses import masked_bce_dice, masked_ce_dice
from napari_brainseg.training.replay import phantoms_for, replayed
from napari_brainseg.training.seat_belt import Kind, Scored, SeatBelt, by_chance
from napari_brainseg.training.taught_network import TaughtNetwork

# How the registered networks name what lies before the decoder.
_ENCODER_PARTS = frozenset({"encoder", "convInit", "down_layers", "stem", "stages"})
_LIGHT = AugmentationSettings(intensity=0.1, noise=0.05)
_LOOKS = 4  # how often the held-out part is scored on the way, for the curve


@dataclass(frozen=True)
class FinetuneReport(Progress):
    """One step: the batch's loss and its mean Dice over the regions, before the step; NaN while there is none.

    Attributes:
        held_out: Mean Dice on what is held out, where it was scored after this step; else NaN.
    """

    loss: float = math.nan
    dice: float = math.nan
    held_out: float = math.nan


@dataclass(frozen=True, eq=False)
class FinetuneResult:
    """What a fine-tuning gives.

    Attributes:
        model: The new model, not saved yet; its record names parent, data, settings, scores and date.
        table: Scores before and after, and what is recommended.
        slices: How many slices or windows it learnt from.
        cases: How many cases they are from.
        seconds: How long it took.
        notes: What a person should know, one sentence each.
    """

    model: Model
    table: SeatBelt
    slices: int
    cases: int
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Lesson:
    """What there is to learn and to be judged by."""

    parts: HeldOut
    pieces: tuple[Piece, ...]
    phantoms: tuple[CorrectedCase, ...]
    newest: str

    def exam(self) -> list[tuple[Kind, str, CorrectedCase]]:
        """Return everything that both models segment: its kind, name and where its labels are known."""
        several = len({case.id for case in self.parts.learnt}) > 1
        learnt = [
            (Kind.EARLIER if several and self.newest not in ("", case.id) else Kind.LEARNT, case.id, case)
            for case in self.parts.learnt
        ]
        held = [(Kind.HELD_OUT, name, case) for name, case in self.parts.held]
        return [*held, *learnt, *((Kind.PHANTOM, case.id, case) for case in self.phantoms)]


Reports = Generator[FinetuneReport, None, None]
# Its weight in the loss, how much enlarged it is seen, images, labels, and what of them is confirmed.
_Batch = tuple[float, Zoom, Tensor, Tensor, Tensor]


def finetune(
    corrections: Sequence[tuple[Case, Correction]],
    model: Model,
    settings: FinetuneSettings | None = None,
    *,
    newest: str = "",
    token: CancelToken | None = None,
) -> Generator[FinetuneReport, None, FinetuneResult]:
    """Teach a copy of `model` from confirmed voxels; yields a report per step and returns the new model.

    Only confirmed voxels are truth; elsewhere at most the old model's own answer is asked for. A part of what is
    confirmed is held out, and both models are scored on it. Batch-norm statistics are frozen. Whatever ends it, `model`
    is as it was.

    Args:
        corrections: Cases and what is confirmed of them.
        model: The model to start from.
        settings: Steps, rate, what is held out …
        newest: The id of the case that is being worked on, which is learnt from in any case; the others count as
            earlier ones.
        token: Cancelling it stops the run; nothing is kept.

    Raises:
        TrainingError: Nothing is confirmed that this model can learn from, the loss is no longer finite, or too little
            memory is free.
        InputError: A case does not fit the model or its correction.
        LabelError: The model's scheme cannot hold a confirmed class.
        Cancelled: The token was cancelled; nothing is kept.
    """
    start = time.perf_counter()
    settings, token = settings or FinetuneSettings(), token or CancelToken()
    record, device = model.record, resolve_device(settings.device)
    network = new_network(record)
    network.load_state_dict(model.network.state_dict())
    taught = TaughtNetwork(record, network.eval(), device, token, settings.batch)
    lesson = yield from _lesson(corrections, taught, settings, newest)
    network.to(device)
    notes: list[str] = []
    try:
        with reusing_memory():
            table, kept = yield from _taught(taught, model.network, lesson, settings, notes)
    except (RuntimeError, MemoryError) as error:
        if not ran_out_of_memory(error):
            raise
        words = f"{device} ran out of memory. The model is unchanged; close other programs, or choose the CPU."
        raise TrainingError(words) from error
    finally:
        return_memory(device)
    facts = {**_facts(corrections, record, settings), "kept": kept}
    new = replace(
        record, name=f"{record.name}-taught", version="1", parent=record.name, training=facts, scores=table.to_json()
    )
    return FinetuneResult(
        Model(replace(new, folder=None), network.cpu().eval()),
        table,
        len(lesson.pieces),
        len({piece.case.id for piece in lesson.pieces}),
        time.perf_counter() - start,
        tuple(notes),
    )


def _taught(
    taught: TaughtNetwork, old: nn.Module, lesson: _Lesson, settings: FinetuneSettings, notes: list[str]
) -> Generator[FinetuneReport, None, tuple[SeatBelt, float]]:
    """Teach the network; return both models' scores and the share of the old weights that is kept."""
    before = yield from _examined(taught, lesson, "scoring the model as it is")
    replay = yield from _replay(taught, lesson, settings)
    yield from _steps(taught, lesson, replay, settings, notes)
    kept = _draw_back(taught, old, lesson, settings.keep)
    after = yield from _examined(taught, lesson, "scoring the new model")
    scored = tuple(Scored(k, n, b, a) for (k, n, _), b, a in zip(lesson.exam(), before, after, strict=True))
    return SeatBelt(scored, lesson.parts.words), kept


def _lesson(
    corrections: Sequence[tuple[Case, Correction]], taught: TaughtNetwork, settings: FinetuneSettings, newest: str
) -> Generator[FinetuneReport, None, _Lesson]:
    record = taught.record
    cases: list[CorrectedCase] = []
    for index, (case, correction) in enumerate(corrections):
        yield FinetuneReport(0, 0, f"preparing case {index + 1} of {len(corrections)}")
        taught.token.raise_if_cancelled()
        if not correction.is_empty:
            cases.append(prepare_corrected(case, correction, record))
    parts = hold_out(cases, settings.seed, newest) if settings.hold_out else HeldOut(tuple(cases), ())
    pieces = tuple(piece for case in parts.learnt for piece in pieces_of(case, taught.lesson))
    if not pieces:
        raise TrainingError("Nothing is confirmed that the model could learn from. Confirm a slice of the brain first.")
    return _Lesson(parts, pieces, phantoms_for(record), newest)


def _examined(
    taught: TaughtNetwork, lesson: _Lesson, message: str
) -> Generator[FinetuneReport, None, list[dict[str, float]]]:
    """Return Dice per region over what is confirmed, for everything of the exam."""
    exam = lesson.exam()
    yield FinetuneReport(0, 0, message)
    scores = []
    for number, found in enumerate(_dice(taught, [case for _, _, case in exam])):
        scores.append(found)
        yield FinetuneReport(0, 0, f"{message}, {number + 1} of {len(exam)}")
    return scores


def _dice(taught: TaughtNetwork, cases: Iterable[CorrectedCase]) -> Iterator[dict[str, float]]:
    """Yield Dice per region over what is confirmed of each."""
    answers: dict[int, LabelArray] = {}
    for case in cases:
        taught.token.raise_if_cancelled()
        # A 3-D model answers for the whole case, of which several slices may be asked for.
        found = answers.get(id(case.images))
        if found is None:
            found = taught.answer(case)
            if taught.record.spatial_dims == 3:
                answers[id(case.images)] = found
        yield region_dice(found[case.confirmed], case.labels[case.confirmed], taught.record.scheme)


def _replay(
    taught: TaughtNetwork, lesson: _Lesson, settings: FinetuneSettings
) -> Generator[FinetuneReport, None, tuple[Piece, ...]]:
    """Return pieces with the old model's own answers: of the phantoms, and of what nobody confirmed."""
    if not settings.replay:
        return ()
    unseen = [replace(case, confirmed=np.zeros_like(case.confirmed)) for case in lesson.phantoms]
    found: list[CorrectedCase] = []
    for case in replayed([*lesson.parts.learnt, *unseen], taught.answer):
        yield FinetuneReport(0, 0, "asking the old model")
        found.append(case)
    return tuple(piece for case in found for piece in pieces_of(case, taught.lesson))


def _steps(
    taught: TaughtNetwork,
    lesson: _Lesson,
    replay: Sequence[Piece],
    settings: FinetuneSettings,
    notes: list[str],
) -> Reports:
    weights = _chosen_weights(taught.network, settings.layers)
    optimizer = torch.optim.AdamW(weights, lr=settings.rate)
    chance = torch.Generator().manual_seed(settings.seed)
    size = min(settings.batch, len(lesson.pieces)) if taught.record.spatial_dims == 2 else 1
    lessons, repeats = DrawnPieces(lesson.pieces, chance), DrawnPieces(replay, chance)
    for step in range(1, settings.steps + 1):
        taught.token.raise_if_cancelled()
        batches = _batches(1.0, lessons.draw(size), taught.lesson, chance)
        # A window of a 3-D model takes a second on a CPU: every other step repeats one.
        if replay and (taught.record.spatial_dims == 2 or step % 2):
            batches += _batches(settings.replay, repeats.draw(size), taught.lesson, chance)
        try:
            loss, dice = _step(taught, optimizer, weights, batches)
        except (RuntimeError, MemoryError) as error:
            if not ran_out_of_memory(error) or size == 1:
                raise
            size //= 2
            notes.append(f"{taught.device} ran out of memory: {size} slices a step instead of {2 * size}.")
            continue
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss was no longer finite at step {step}. The model is unchanged; choose a lower rate."
            )
        look = lesson.parts.held and step % max(1, settings.steps // _LOOKS) == 0 and taught.record.spatial_dims == 2
        held = _held_out_dice(taught, lesson) if look else math.nan
        yield FinetuneReport(step, settings.steps, f"step {step} of {settings.steps}", loss, dice, held)


def _step(
    taught: TaughtNetwork,
    optimizer: torch.optim.Optimizer,
    weights: list[nn.Parameter],
    batches: Sequence[_Batch],
) -> tuple[float, float]:
    """Make one step on weighted batches of images, labels and mask; return the whole loss and the first one's Dice."""
    record = taught.record
    compute_loss = masked_ce_dice if is_softmax(record.outputs) else masked_bce_dice
    optimizer.zero_grad(set_to_none=True)
    total, dice = 0.0, math.nan
    for weight, zoom, images, labels, confirmed in batches:
        # A caller may hold gradients off, and gradients must not stay on across a yield.
        with torch.enable_grad():
            logits = taught.forward(images, zoom, learning=True)
            targets = to_targets(labels.to(taught.device), record.outputs, record.scheme)
            loss = weight * compute_loss(logits, targets, confirmed.to(taught.device))
            total += float(loss.detach())
            if not math.isfinite(total):
                return total, dice
            loss.backward()  # type: ignore[no-untyped-call]
        if math.isnan(dice):
            found, known = taught.labels_of(logits), confirmed.numpy()
            dice = fmean(region_dice(found[known], labels.numpy()[known], record.scheme).values())
    nn.utils.clip_grad_norm_(weights, 5.0)
    optimizer.step()
    return total, dice


def _batches(weight: float, pieces: Sequence[Piece], record: ModelRecord, chance: torch.Generator) -> list[_Batch]:
    """Return what was drawn, slightly changed: a batch for each size that pixels are seen at, weighted by its share."""
    return [
        (weight * len(group) / len(pieces), zoom, *_changed(*batch_of(group, record), chance))
        for zoom, group in by_zoom(pieces, record)
    ]


def _changed(
    images: Tensor, labels: Tensor, confirmed: Tensor, chance: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Mirror some images left to right and change the intensities of their channels a little."""
    mirrored = torch.rand(len(images), generator=chance) < 0.5
    images, labels, confirmed = (
        torch.where(mirrored.reshape(-1, *[1] * (part.ndim - 1)), part.flip(-1), part)
        for part in (images, labels, confirmed)
    )
    flat = change_intensities(images.flatten(2, -2), _LIGHT, chance)
    return flat.reshape(images.shape), labels, confirmed


@torch.no_grad()
def _draw_back(taught: TaughtNetwork, old: nn.Module, lesson: _Lesson, share: float) -> float:
    """Draw the new weights back towards the old ones by a share, and return it.

    Half as far where what is held out says clearly that more has to change: a model that fails on a patient altogether.
    """
    new = [weight.clone() for weight in taught.network.parameters()]

    def draw(back: float) -> None:
        for weight, after, before in zip(taught.network.parameters(), new, old.parameters(), strict=True):
            # In half precision, as it is saved: so that the scores are those of the model that a person gets.
            drawn = after.lerp(before.to(after), back).half().to(after)
            weight.copy_(drawn.where(after != before.to(after), after))

    draw(share)
    if not share or not lesson.parts.held:
        return share
    careful = _held_out_dice(taught, lesson)
    draw(share / 2)
    if _held_out_dice(taught, lesson) - careful > 2 * by_chance(len(lesson.parts.held)):
        return share / 2
    draw(share)
    return share


def _held_out_dice(taught: TaughtNetwork, lesson: _Lesson) -> float:
    return fmean(fmean(found.values()) for found in _dice(taught, (case for _, case in lesson.parts.held)))


def _chosen_weights(network: nn.Module, layers: str) -> list[nn.Parameter]:
    chosen, encoder = [], 0
    for name, weight in network.named_parameters():
        in_encoder = bool(_ENCODER_PARTS & set(name.split(".")))
        encoder += in_encoder
        weight.requires_grad_(weight.requires_grad and (layers == "all" or not in_encoder))  # what is fixed stays so
        if weight.requires_grad:
            chosen.append(weight)
    if layers == "decoder" and not encoder:
        raise TrainingError("This network does not say which of its weights are the decoder. Choose all layers.")
    return chosen


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
        # A few corrections do not make it fit for other images than its parent was made for.
        **{name: record.training[name] for name in ("domain",) if name in record.training},
        "torch": torch.__version__,
    }
