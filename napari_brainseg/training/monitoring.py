"""What a run shows of itself: trackers, learning curves, use of the machine, and pictures when the score improves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch

from napari_brainseg.evaluation.pictures import Picture
from napari_brainseg.training.augmented_views import augmented_views
from napari_brainseg.training.checkpoints import RunState
from napari_brainseg.training.session import Session
from napari_brainseg.training.tracking import (
    create_trackers,
    gradient_histograms,
    gradient_norms,
    learning_curves,
    system_usage,
    validation_pictures,
)
from napari_brainseg.training.validation import Validated

_VIEWS = 4


class Watcher:
    """Tells the trackers of a run what happens; its first picture shows what augmentation does."""

    def __init__(self, session: Session, epoch: int, facts: Mapping[str, Any]) -> None:
        settings = session.settings
        self._session = session
        self._trackers = create_trackers(settings.trackers, settings.out, settings.name, facts, resume_step=epoch)
        if epoch == 0:
            with ExitStack() as failing:
                failing.callback(self.close)
                self._trackers.picture("augmentation", first_views(session), 0)
                failing.pop_all()

    def epoch(
        self, state: RunState, row: Mapping[str, float], validated: Sequence[Validated], *, improved: bool
    ) -> None:
        """Log a finished epoch; `validated` are this process's cases."""
        out = self._session.settings.out
        usage = {f"system_{name}": value for name, value in system_usage().items()}
        norms = {f"gradient_{name}": value for name, value in gradient_norms(state.network).items()}
        self._trackers.scalars({**row, **norms, **usage}, state.epoch)
        self._trackers.histograms(gradient_histograms(state.network), state.epoch)
        learning_curves(out / "log.csv", out / "curves.png")
        if improved:
            scheme, channel = self._session.record.scheme, self._session.shown_channel
            for name, picture in validation_pictures(validated, scheme, channel).items():
                self._trackers.picture(name, picture, state.epoch)
            self._trackers.artifact(out / self._session.settings.name)

    def close(self) -> None:
        """Let the trackers finish."""
        self._trackers.close()


def first_views(session: Session) -> Picture:
    """Return a few training images, original above augmented, with their classes."""
    chance = torch.Generator().manual_seed(session.settings.seed)
    batch = session.data.batches(_VIEWS, 0.0, 1, chance)[0]
    images, labels = session.data.take(batch, chance)
    slices, channel = session.stacked_slices, session.shown_channel
    scheme = session.record.scheme
    return augmented_views((images, labels), scheme, session.augmentation, chance, slices=slices, channel=channel)
