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
        batch: Slices a step; a 3-D model takes one window a step.
        seed: Of order and augmentation; the same seed gives the same model on the same machine.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps` …
    """

    steps: int = 40
    rate: float = 3e-4
    layers: str = "all"
    batch: int = 8
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "rate", "batch"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise TrainingError(f"{name} is {value}; it must be above 0.")
        if self.layers not in LAYERS:
            raise TrainingError(f"layers is {self.layers!r}; it must be one of {', '.join(LAYERS)}.")
