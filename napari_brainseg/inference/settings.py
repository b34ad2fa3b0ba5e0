"""What a person chooses before pressing Segment. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_brainseg.base.errors import InputError

if TYPE_CHECKING:
    from napari_brainseg.inference.postprocessing import PostProcessing

UNCERTAINTIES = ("", "entropy", "margin")


@dataclass(frozen=True)
class SegmentSettings:
    """Choices for one run of a model.

    Attributes:
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps` …
        probabilities: Keep the probability maps, one per region or class.
        slices: First and last + 1 slice along Z to predict; the others keep label 0. None for the whole case.
        start: The slice of the case's grid that is shown now: what is nearest to it comes first. None for plain order.
        flips: Average over mirrored copies: slower, a little steadier.
        uncertainty: `entropy` or `margin` of the probabilities as a map beside the labels; "" for none.
        post_processing: Steps after the labels; None for those that the model's record recommends.
    """

    device: str = "auto"
    probabilities: bool = False
    slices: tuple[int, int] | None = None
    start: int | None = None
    flips: bool = False
    uncertainty: str = ""
    post_processing: PostProcessing | None = None

    def __post_init__(self) -> None:
        if self.uncertainty not in UNCERTAINTIES:
            raise InputError(f"There is no uncertainty {self.uncertainty!r}; choose entropy or margin.")
