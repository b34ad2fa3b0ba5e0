"""Calibrate a model: measure on cases that were not learnt from how sure it may be, and write that into its weights."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brainseg.base.errors import ModelError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.reading import OpenOptions, read_case
from napari_brainseg.evaluation.calibration import Reliability
from napari_brainseg.evaluation.temperature import LogitSample, fit_temperatures, reliability_at
from napari_brainseg.inference.decoding import BACKGROUND, is_softmax, to_targets
from napari_brainseg.inference.devices import autocast_for, resolve_device
from napari_brainseg.model_store.card_facts import read_facts
from napari_brainseg.model_store.card_writing import card_files
from napari_brainseg.model_store.model import Model, load_model, new_network, save_model
from napari_brainseg.model_store.planes import usable
from napari_brainseg.model_store.preprocessing import input_channels
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.divided_logits import divide_logits
from napari_brainseg.training.folds import Fold, SplitPart, find_folds
from napari_brainseg.training.prepared import PreparedCase, find_labelled, prepare_labelled
from napari_brainseg.training.validation import predicted

# Of a case; drawn by chance, they say what all of its voxels say.
_MOST_VOXELS = 200_000
_SMALLEST = 1e-7  # a probability in fp32 tells no more of its logit
_SIZE = {2: 64, 3: 32}


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A model that was calibrated, and a sentence for each thing that a person should know."""

    record: ModelRecord
    notes: tuple[str, ...] = ()


def calibrate(
    models: Sequence[str | Path],
    cases: Path,
    chosen: SplitPart,
    target: ModelRecord,
    options: OpenOptions | None = None,
    device: str = "auto",
) -> Generator[Progress, None, Calibrated]:
    """Fit a temperature to each output on the validation cases of models, and divide the target's logits by it.

    Counted are the voxels in the brain: those in which a channel is brighter than a tenth of its 99.5th percentile.
    The target's labels stay as they are, but near the borders of one that sees a case along several planes, whose
    answers are averaged, they may change. `model.json` says the temperatures and how well probabilities fit before and
    after. With several models each is judged at the temperatures of the other ones' cases.

    Args:
        models: Names or folders: the target itself, or the folds of a cross-validation that stand for it.
        cases: Folder of labelled cases.
        chosen: The part of each model's split.
        target: The model that is written anew, its version one higher.
        options: How cases are opened.
        device: Where the models compute.

    Raises:
        ModelError: A model cannot be used, the target was calibrated before by other models, or its last layer is no
            convolution.
        TrainingError: A split cannot be used, or cases are not in the folder.
        InputError: A case cannot be read or has no labels.
        OutputError: The target cannot be written.
    """
    folds = find_folds(models, chosen)
    _refuse_target(target, folds)
    divided = _divided(target, [1.0] * len(target.outputs))  # what cannot be divided is said before anything is read
    chance, where = np.random.default_rng(1), resolve_device(device)
    total, samples = sum(len(fold.ids) for fold in folds), dict[str, list[LogitSample]]()
    for fold in folds:
        files, found = find_labelled(cases, fold.ids), samples.setdefault(fold.title, [])
        for number, one in enumerate(files):
            yield Progress(sum(map(len, samples.values())), total, f"{fold.record.name}: {one.id}, {number + 1}")
            found.append(_measured(fold.record, read_case(one, options), where, chance))
    temperatures, before, after = _fitted(list(samples.values()))
    divided = _divided(target, temperatures)
    scores = {
        "scored": [case_id for fold in folds for case_id in fold.ids],
        "models": [fold.to_json() for fold in folds],
        "cross_fitted": len(folds) > 1,
        "regions": _by_output(target, temperatures, before, after),
    }
    record = _next(target, temperatures, scores)
    assert target.folder is not None
    # Scores that were taken for the card hold on where the labels are the same.
    card = card_files(record, read_facts(target.folder) if len(target.preprocessing.planes) == 1 else {})
    saved = save_model(Model(record, divided), target.folder, card, overwrite=True, exact=True)
    notes = [note for fold in folds for note in fold.learned_from()]
    if len(target.preprocessing.planes) > 1:
        notes.append(
            f"{target.name} averages what it sees along several planes: score it anew, labels may have changed."
        )
    return Calibrated(saved, tuple(notes))


def _refuse_target(target: ModelRecord, folds: Sequence[Fold]) -> None:
    if target.folder is None:
        raise ModelError(f"The model {target.name} has not been saved yet.")
    if target.outputs != folds[0].record.outputs:
        raise ModelError(f"{target.name} gives other outputs than {folds[0].record.name}. Choose models of one kind.")
    measured = [fold.record.weights_sha256 for fold in folds]
    if "temperature" in target.training and target.weights_sha256 not in measured:
        raise ModelError(
            f"{target.folder} was calibrated before, and what was measured now is not its own. Make it anew first."
        )


def _divided(target: ModelRecord, temperatures: Sequence[float]) -> torch.nn.Module:
    """Return a copy of the model's network with its logits divided."""
    network = new_network(target)
    network.load_state_dict(load_model(target).network.state_dict())
    channels, size = input_channels(target.preprocessing, len(target.channels)), _SIZE[target.spatial_dims]
    shape = (1, channels, *[size] * target.spatial_dims)
    divide_logits(network.eval(), temperatures, torch.randn(shape, generator=torch.Generator().manual_seed(1)))
    return network


def _measured(record: ModelRecord, case: Case, device: torch.device, chance: np.random.Generator) -> LogitSample:
    """Return what the model says of a case's voxels in the brain."""
    network = load_model(record).network.to(device)

    def forward(images: Tensor) -> Tensor:
        with autocast_for(device):
            logits: Tensor = network(images)
        return logits.float()

    prepared = prepare_labelled(case, record.channels, record.scheme, record.preprocessing)
    planes = usable(record.preprocessing.planes, prepared.spacing)
    each = [replace(record, preprocessing=replace(record.preprocessing, planes=(plane,))) for plane in planes]
    maps = torch.cat([predicted(forward, prepared, one, device) for one in each])
    return sample_of(maps, prepared, in_brain(case, record.channels, prepared), record, chance)


def in_brain(case: Case, channels: Sequence[str], prepared: PreparedCase) -> NDArray[np.bool_]:
    """Return where in the prepared crop (z, y, x) a channel is brighter than a tenth of its 99.5th percentile."""
    assert prepared.box is not None
    seen = np.zeros(prepared.labels.shape, bool)
    for name in channels:
        if name in case.channels:
            image: NDArray[Any] = case.channels[name].data
            seen |= image[prepared.box] > max(0.1 * float(np.percentile(image, 99.5)), 0.0)
    return seen


def sample_of(
    maps: Tensor, case: PreparedCase, inside: NDArray[np.bool_], record: ModelRecord, chance: np.random.Generator
) -> LogitSample:
    """Return the logits of probabilities (V, R, z, y, x) at voxels that are drawn from those inside."""
    places = np.flatnonzero(inside)
    drawn = np.sort(chance.choice(places, min(_MOST_VOXELS, len(places)), replace=False))
    flat = maps.flatten(2)[..., torch.from_numpy(drawn)].transpose(1, 2)
    if is_softmax(record.outputs):
        whole = torch.cat([1 - flat.sum(2, keepdim=True), flat], 2)
        logits = whole.clamp_min(_SMALLEST).log()  # but for a number that is the same for all classes
    else:
        logits = torch.special.logit(flat, eps=_SMALLEST)
    labels = torch.from_numpy(case.labels.ravel()[drawn])
    truth = to_targets(labels[None], record.outputs, record.scheme)[0].T > 0
    weight = len(places) / max(1, len(drawn))
    return LogitSample(logits.numpy(), truth.numpy(), weight, exclusive=is_softmax(record.outputs))


_Bins = list[Reliability]


def _fitted(samples: Sequence[Sequence[LogitSample]]) -> tuple[list[float], _Bins, _Bins]:
    """Return the temperatures of all cases, and the reliability of each output before and after."""
    every = [sample for of_model in samples for sample in of_model]
    temperatures = fit_temperatures(every)
    before = reliability_at(every, np.ones(len(temperatures)))
    if len(samples) == 1:
        return temperatures.tolist(), before, reliability_at(every, temperatures)
    after: _Bins = []
    for left_out, own in enumerate(samples):
        others = [sample for number, some in enumerate(samples) if number != left_out for sample in some]
        found = reliability_at(own, fit_temperatures(others))
        after = [a + b for a, b in zip(after, found, strict=True)] if after else found
    return temperatures.tolist(), before, after


def _by_output(target: ModelRecord, temperatures: Sequence[float], before: _Bins, after: _Bins) -> dict[str, Any]:
    told = zip(target.outputs, temperatures, before, after, strict=True)
    return {
        name: {"temperature": round(t, 4), "before": _told(b), "after": _told(a)}
        for name, t, b, a in told
        if name != BACKGROUND
    }


def _told(bins: Reliability) -> dict[str, Any]:
    values = {"voxels": bins.voxels, "predicted": bins.predicted, "true": bins.true}
    return {"ece": round(bins.ece, 5), **{name: np.round(array).tolist() for name, array in values.items()}}


def _next(target: ModelRecord, temperatures: Sequence[float], scores: Mapping[str, Any]) -> ModelRecord:
    """Return the record of the calibrated model; temperatures of earlier times are in its weights already."""
    earlier = target.training.get("temperature", {})
    told = {name: round(earlier.get(name, 1.0) * t, 5) for name, t in zip(target.outputs, temperatures, strict=True)}
    version = str(int(target.version) + 1) if target.version.isdigit() else f"{target.version}+1"
    former = [*target.training.get("calibrated_from", []), target.weights_sha256]
    training = {**target.training, "temperature": told, "calibrated_from": former}
    return replace(target, version=version, training=training, scores={**target.scores, "calibration": dict(scores)})
