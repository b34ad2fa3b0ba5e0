"""What a fine-tuning is told, validated. Loads no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_brainseg.base.errors import TrainingError

LAYERS = ("all", "decoder")


@dataclass(frozen=True)
class FinetuneSettings:
    """One fine-tuning.

    Attributes:
        steps: Steps of AdamW.
        rate: Learning rate.
        layers: Which weights may change: `all`, or `decoder` (everything behind the encoder).
        replay: How much a step also asks for the old model's own answers, on slices that nobody confirmed and on a
            synthetic case; 0 for not at all, 1 for as much as for what was confirmed.
        keep: How much of the old weights the new ones keep in the end: 0 for none, 1 would be the old model (the mean
            of both weights, Wortsman et al. 2022, arXiv:2109.01903). Half as much where what is held out clearly gains.
        hold_out: Whether a part of the corrections is held out, for the new model to be judged by.
        batch: Slices a step; a 3-D model takes one window a step.
        seed: Of order, augmentation and what is held out; the same seed gives the same model on the same machine.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps` …
    """

    steps: int = 30
    rate: float = 3e-4
    layers: str = "all"
    replay: float = 0.0
    keep: float = 0.5
    hold_out: bool = True
    batch: int = 8
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "rate", "batch"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise TrainingError(f"{name} is {value}; it must be above 0.")
        if not (math.isfinite(self.replay) and self.replay >= 0):
            raise TrainingError(f"replay is {self.replay}; it must be 0 or more.")
        if not 0 <= self.keep < 1:
            raise TrainingError(f"keep is {self.keep}; it must be 0 or more and below 1.")
        if self.layers not in LAYERS:
            raise TrainingError(f"layers is {self.layers!r}; it must be one of {', '.join(LAYERS)}.")
