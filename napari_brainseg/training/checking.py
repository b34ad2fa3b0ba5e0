"""Find what is wrong with a run's settings before any data are read."""

from __future__ import annotations

import torch

from napari_brainseg.inference.decoding import class_value, is_softmax, region_values
from napari_brainseg.model_store.model import new_network
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.loss_terms import Terms, create_loss
from napari_brainseg.training.schedules import create_optimizer, create_schedule
from napari_brainseg.training.settings import TrainingSettings
from napari_brainseg.training.tracking import check_trackers
from napari_brainseg.training.validation import check_score


def check_settings(settings: TrainingSettings, record: ModelRecord, terms: Terms) -> None:
    """Try every name and option of the settings.

    Raises:
        TrainingError: A score, loss, optimizer, schedule or tracker is unknown, or does not take its options.
        ModelError: The network is unknown or does not take its options, or the scheme has no such output.
        MissingExtraError: A tracker's package is not installed.
    """
    check_score(settings.monitor, record.scheme)
    check_trackers(settings.trackers)
    softmax = is_softmax(settings.outputs)
    if softmax:
        for name in settings.outputs[1:]:
            class_value(record.scheme, name)
    else:
        region_values(record.scheme, settings.outputs)
    # Losses that weigh by the data get the shares later; any will do to try their options.
    create_loss(terms, softmax=softmax, frequencies=torch.full((len(settings.outputs),), 0.5))
    weights = list(new_network(record).parameters())
    optimizer = create_optimizer(
        settings.optimizer, weights, settings.rate, settings.weight_decay, **settings.optimizer_options
    )
    create_schedule(
        settings.schedule, optimizer, settings.epochs, settings.epochs, settings.rate, **settings.schedule_options
    )
