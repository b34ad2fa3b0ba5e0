"""Run a model, or the mean of several, on a case: `segment` is the one entrance."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import nullcontext
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_brainseg.base.allocation import reusing_memory
from napari_brainseg.base.errors import InputError
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.inference.decoding import probability_names
from napari_brainseg.inference.devices import resolve_device
from napari_brainseg.inference.external import segment_elsewhere
from napari_brainseg.inference.facts import half_for, needs_of
from napari_brainseg.inference.members import (
    Choice,
    Chosen,
    choices_of,
    chosen_models,
    common_planes,
    external_among,
    prepared_members,
)
from napari_brainseg.inference.memory import require_memory, return_memory
from napari_brainseg.inference.postprocessing import last_steps
from napari_brainseg.inference.predictor import Predictor
from napari_brainseg.inference.remembered import key_of_run
from napari_brainseg.inference.results import Results
from napari_brainseg.inference.running import Job, run
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.domain import unlike_in_words
from napari_brainseg.model_store.model import Model
from napari_brainseg.model_store.preprocessing import Box
from napari_brainseg.model_store.store import ModelRecord

Run = Generator[Progress, None, Segmentation]


def segment(
    case: Case,
    model: Choice | Sequence[Choice] | None = None,
    settings: SegmentSettings | None = None,
    token: CancelToken | None = None,
) -> Run:
    """Segment a case; a generator that yields `Progress`, labels with `Delivery`, and returns the `Segmentation`.

    Args:
        case: The case; channels of the model that it lacks are given as zeros.
        model: A model, its record, name or folder, or several whose probabilities are averaged; by default the one made
            for such cases.
        settings: Device, slices, which slice comes first and which maps are kept.
        token: Cancelling it stops the computation at the network's next layer.

    Raises:
        InputError: The case has none of the model's channels, there is no such device, or too little memory is free.
        ModelError: There is no such model, several do not fit together, or the computation failed.
        Cancelled: The token was cancelled.
    """
    settings, token = settings or SegmentSettings(), token or CancelToken()
    choices = choices_of(case, model)
    external = external_among(choices)
    if external is not None:
        return (yield from _stoppable(segment_elsewhere(case, external, settings, token), token))
    return (yield from _stoppable(_run(case, choices, settings, token), token))


def _stoppable(task: Run, token: CancelToken) -> Run:
    """Drive a run, and raise `Cancelled` where the token was cancelled at one of its reports."""
    while True:
        try:
            report = next(task)
        except StopIteration as stop:
            result: Segmentation = stop.value
            return result
        yield report
        token.raise_if_cancelled()


def _run(case: Case, choices: Sequence[Model | ModelRecord], settings: SegmentSettings, token: CancelToken) -> Run:
    times = {"start": time.perf_counter()}
    yield Progress(0, 0, "loading the model")
    chosen = chosen_models(choices, token)
    device = resolve_device(settings.device)
    times["model"] = time.perf_counter()
    yield Progress(0, 0, "preparing the images")
    members, box = yield from prepared_members(case, [c.model for c in chosen])
    times["prepare"] = time.perf_counter()
    try:
        with reusing_memory() if device.type == "cpu" else nullcontext():
            job = _job(chosen, Predictor(members, token, flips=settings.flips), settings, (device, box, case))
            yield from run(job)
    finally:
        return_memory(device)
    times["network"] = time.perf_counter()
    yield Progress(0, 0, "finishing")
    return _segmentation(case, chosen, settings, (job, box), times)


def _job(
    chosen: Sequence[Chosen], predictor: Predictor, settings: SegmentSettings, where: tuple[torch.device, Box, Case]
) -> Job:
    """Return the run over the box, with all that is to be known of the models and the device."""
    device, box, case = where
    record = chosen[0].model.record
    wanted = _wanted(box[0], settings.slices, case.geometry.shape[0])
    key = key_of_run([c.key for c in chosen], device)
    half, undecided = half_for(key, device)
    shape = tuple(s.stop - s.start for s in box)
    maps = 2 * (predictor.regions * settings.probabilities + bool(settings.uncertainty) + predictor.varies)
    planes = common_planes([c.model.record for c in chosen], case)
    sums = 4 * predictor.maps * prod(shape) * (len(planes) > 1)
    # The maps of the box and, at the end, of the whole case.
    require_memory((1 + maps) * (prod(shape) + prod(case.geometry.shape)) + sums, f"The result of {case.id}")
    results = Results(
        shape, record.outputs, record.scheme, settings, regions=predictor.regions, varies=predictor.varies
    )
    return Job(
        predictor=predictor,
        results=results,
        needs=needs_of(predictor, key, device, half),
        device=device,
        half=half,
        undecided=undecided,
        wanted=wanted,
        start=None if settings.start is None else settings.start - box[0].start,
        origin=(box[0].start, box[1].start, box[2].start),
        key=key,
        planes=planes,
    )


def _wanted(box: slice, slices: tuple[int, int] | None, depth: int) -> range:
    """Return the slices to predict, counted within the box."""
    first, last = slices or (0, depth)
    if not 0 <= first < last <= depth:
        raise InputError(f"Slices {first} to {last - 1} are not within the case, which has 0 to {depth - 1}.")
    return range(max(first, box.start) - box.start, max(0, min(last, box.stop) - box.start))


def _segmentation(
    case: Case, chosen: Sequence[Chosen], settings: SegmentSettings, ran: tuple[Job, Box], times: dict[str, float]
) -> Segmentation:
    """Return the results on the case's grid, after the last steps."""
    job, box = ran
    record, results = chosen[0].model.record, job.results
    labels, told = last_steps(_whole(results.labels, case, box), case, record, settings)
    job.notes.extend(told)
    times["labels"] = time.perf_counter()
    stages = list(times)
    return Segmentation.for_case(
        case,
        labels,
        record.scheme,
        probabilities=None if results.probabilities is None else _whole(results.probabilities, case, box),
        probability_names=probability_names(record.outputs) if settings.probabilities else (),
        model=" + ".join(f"{c.model.record.name} {c.model.record.version}" for c in chosen),
        seconds={stage: times[stage] - times[before] for before, stage in pairwise(stages)},
        uncertainty=None if results.uncertainty is None else _whole(results.uncertainty, case, box),
        uncertainty_name=settings.uncertainty,
        variance=None if results.variance is None else _whole(results.variance, case, box),
        notes=(*unlike_in_words(case, [c.model.record for c in chosen]), *job.notes),
    )


def _whole(part: NDArray[Any], case: Case, box: Box) -> NDArray[Any]:
    """Return an array (…, z, y, x) of the box on the case's grid, 0 around it."""
    whole = np.zeros((*part.shape[:-3], *case.geometry.shape), part.dtype)
    whole[(..., *box)] = part
    return whole
