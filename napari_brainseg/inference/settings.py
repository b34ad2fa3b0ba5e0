"""What a person chooses before pressing Segment. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SegmentSettings:
    """Choices for one run of a model.

    Attributes:
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps` …
        probabilities: Keep the probability maps, one per region or class.
        slices: First and last + 1 slice along Z to predict; the others keep label 0. None for the whole case.
    """

    device: str = "auto"
    probabilities: bool = False
    slices: tuple[int, int] | None = None
