"""Find what is wrong with a run's settings before any data are read."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import torch

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.cases.case import BRATS_CHANNELS, LGG_CHANNELS
from napari_brainseg.inference.decoding import class_value, is_softmax, region_values
from napari_brainseg.inference.postprocessing import PostProcessing
from napari_brainseg.model_store.model import new_network
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.first_weights import load_first_weights
from napari_brainseg.training.imagenet import load_imagenet
from napari_brainseg.training.loss_terms import Terms, create_loss
from napari_brainseg.training.schedules import create_optimizer, create_schedule
from napari_brainseg.training.settings import TrainingSettings
from napari_brainseg.training.tracking import check_trackers
from napari_brainseg.training.validation import check_score


def check_settings(settings: TrainingSettings, record: ModelRecord, terms: Terms) -> None:
    """Try every name and option of the settings.

    Raises:
        TrainingError: A channel, score, loss, optimizer, schedule or tracker is unknown, or does not take its options.
        ModelError: The network is unknown or does not take its options, or the scheme has no such output.
        InputError: There is no such step after the labels.
        MissingExtraError: A tracker's package, or the one with weights from ImageNet, is not installed.
    """
    _check_channels(settings.channels)
    check_score(settings.monitor, record.scheme)
    check_trackers(settings.trackers)
    softmax = is_softmax(settings.outputs)
    if softmax:
        if len(settings.outputs) < 2:
            raise TrainingError("outputs has background alone. Add the classes that are to be told from it.")
        for name in settings.outputs[1:]:
            class_value(record.scheme, name)
    else:
        region_values(record.scheme, settings.outputs)
    # Losses that weigh by the data get the shares later; any will do to try their options.
    create_loss(terms, softmax=softmax, frequencies=torch.full((len(settings.outputs),), 0.5))
    network = new_network(record)
    fixed = [name for name in settings.options if name.startswith("fixed_") and settings.options[name]]
    if fixed and not (settings.imagenet or settings.start_from):
        raise TrainingError(f"Layers would stay as they are drawn. Set imagenet=true, or leave options.{fixed[0]} out.")
    weights = list(network.parameters())
    if not all(weight.numel() for weight in weights):
        raise TrainingError(f"The network {settings.network!r} has a layer without weights. Check its options for a 0.")
    optimizer = create_optimizer(
        settings.optimizer, weights, settings.rate, settings.weight_decay, **settings.optimizer_options
    )
    create_schedule(
        settings.schedule, optimizer, settings.epochs, settings.epochs, settings.rate, **settings.schedule_options
    )
    PostProcessing.from_mapping(settings.post_processing)
    if settings.imagenet:
        load_imagenet(network)
    if settings.start_from:
        load_first_weights(network, record, settings.start_from)


def _check_channels(names: Sequence[str]) -> None:
    """Raise `TrainingError` for a channel that no case has: it would be learned from as missing, so in silence."""
    known = dict.fromkeys((*BRATS_CHANNELS, *LGG_CHANNELS))
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TrainingError(f"There is no channel {name!r}.{hint} There are {', '.join(known)}.")
