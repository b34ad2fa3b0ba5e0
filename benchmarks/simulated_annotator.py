"""A simulated annotator: it segments, corrects the slices it is sent to with the truth, and teaches the model.

It follows the program: slices come from the worklist, and a fine-tuned model is taken or discarded as is recommended
(where nothing could be held out, it is discarded). Dice is that of the whole tumour for LGG and the mean of WT, TC and
ET for BraTS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.annotation.worklist import rank_slices
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.evaluation.metrics import region_dice
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.model import Model
from napari_brainseg.training.finetune_settings import FinetuneSettings
from napari_brainseg.training.finetuning import finetune
from napari_brainseg.training.seat_belt import Verdict

Labels = NDArray[np.uint8]


@dataclass(eq=False)
class Patient:
    """A case with its truth, and which slices were corrected so far.

    Attributes:
        case: As it was opened.
        truth: uint8 (Z, Y, X), program values of `scheme`.
        scheme: The model's.
        corrected: Slices, in the order in which they were corrected.
    """

    case: Case
    truth: Labels
    scheme: LabelScheme
    corrected: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, case: Case, model: Model) -> Patient:
        """Return the patient of a case with reference labels."""
        assert case.labels is not None
        scheme = model.record.scheme
        return cls(case, case.labels.scheme.convert(np.asarray(case.labels.volume.data, np.uint8), scheme), scheme)

    def fresh(self) -> Patient:
        """Return the patient with nothing corrected."""
        return Patient(self.case, self.truth, self.scheme)

    def correction(self) -> Correction:
        """Return what was corrected, as the program keeps it."""
        slices = tuple(ConfirmedSlice(0, index) for index in sorted(self.corrected))
        mask = mask_of(slices, self.case.geometry.shape)
        return Correction(self.case.id, self.truth, mask, self.scheme, slices)

    def choose(self, answer: Segmentation, count: int, method: str = "combined") -> None:
        """Correct so many more slices of those that the worklist names; of any with tumour once it names no more."""
        places = rank_slices(
            answer.labels, answer.scheme, uncertainty=answer.uncertainty, confirmed=self.corrected, method=method
        )
        wanted = [place.index for place in places]
        rest = [int(z) for z in np.flatnonzero(self.truth.any(axis=(1, 2))) if z not in {*wanted, *self.corrected}]
        self.corrected += [*wanted, *rest][:count]

    def untouched(self, labels: Labels) -> float:
        """Return Dice on the slices that nobody corrected."""
        free = np.setdiff1d(np.arange(len(self.truth)), self.corrected)
        return score(labels[free], self.truth[free], self.scheme)

    def repaired(self, labels: Labels) -> float:
        """Return Dice of the whole case, corrected slices being right."""
        whole = labels.copy()
        whole[self.corrected] = self.truth[self.corrected]
        return score(whole, self.truth, self.scheme)


def score(labels: Labels, truth: Labels, scheme: LabelScheme) -> float:
    """Return the mean Dice of the regions."""
    return fmean(region_dice(labels, truth, scheme).values())


def answer_of(case: Case, model: Model) -> Segmentation:
    """Return the model's answer with its entropy."""
    return run_to_end(segment(case, model, SegmentSettings(device="cpu", uncertainty="entropy")))


def whole_score(patient: Patient, model: Model) -> float:
    """Return Dice of a case that nobody touched."""
    return score(answer_of(patient.case, model).labels, patient.truth, patient.scheme)


@dataclass(frozen=True, eq=False)
class Taught:
    """What came of one fine-tuning.

    Attributes:
        model: The one that is used from here on: the new one, or the old one where that was recommended.
        offered: The new one in any case.
        accepted: Whether it was recommended to take it.
        seconds: How long it took, scores included.
        reason: Of the recommendation.
    """

    model: Model
    offered: Model
    accepted: bool
    seconds: float
    reason: str = ""


def teach(patients: Sequence[Patient], model: Model, settings: FinetuneSettings) -> Taught:
    """Fine-tune as the program does; the last patient is the open case."""
    pairs = [(patient.case, patient.correction()) for patient in patients]
    result = run_to_end(finetune(pairs, model, settings, newest=patients[-1].case.id))
    accepted = result.table.verdict is Verdict.ACCEPT
    return Taught(result.model if accepted else model, result.model, accepted, result.seconds, result.table.reason)
