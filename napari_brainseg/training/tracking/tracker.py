"""What every tracker takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor

from napari_brainseg.evaluation.pictures import Picture


class Tracker(Protocol):
    """Something that a run tells what happens; steps are finished epochs."""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Take numbers by name."""

    def histograms(self, values: Mapping[str, Tensor], step: int) -> None:
        """Take flat tensors whose distribution is of interest."""

    def picture(self, name: str, pixels: Picture, step: int) -> None:
        """Take a picture (H, W, 3)."""

    def artifact(self, path: Path) -> None:
        """Take a file or folder, such as the model."""

    def close(self) -> None:
        """Write what is left."""
