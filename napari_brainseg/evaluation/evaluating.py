"""Score many cases: one that cannot be scored is reported and does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_brainseg.base.errors import BrainsegError, Cancelled, InputError, LabelError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.evaluation.case_scores import CaseScores, Comparison, score_case
from napari_brainseg.evaluation.summary import SetScores, summarise

Load = Callable[[str], Generator[Progress, None, Comparison]]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One slice of a case for a picture: both labels (Y, X), and which slice it is (from 0)."""

    z: int
    prediction: LabelArray
    truth: LabelArray


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The scores of a set of cases.

    Attributes:
        scheme: Of all its labels.
        cases: Scores by case.
        overall: What they are together.
        snapshots: By case, the slice with the most tumour and the one with the most wrong voxels.
        failed: What is wrong with each case that could not be scored.
        notes: A sentence for each thing that was left out or assumed.
    """

    scheme: LabelScheme
    cases: tuple[CaseScores, ...]
    overall: SetScores
    snapshots: Mapping[str, tuple[Snapshot, Snapshot]]
    failed: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def ranked(self) -> list[str]:
        """Return the case ids by the mean Dice of their regions, the worst first."""
        order = sorted(self.cases, key=lambda case: (self.region_dice(case), case.case_id))
        return [case.case_id for case in order]

    def region_dice(self, case: CaseScores) -> float:
        """Return the mean Dice of a case's regions."""
        return float(np.mean([case.parts[region.name]["dice"] for region in self.scheme.regions]))


def evaluate(
    case_ids: Sequence[str], load: Load, patient_of: Callable[[str], str] = str, notes: Sequence[str] = ()
) -> Generator[Progress, None, Evaluation]:
    """Score cases one after the other and return their evaluation.

    Args:
        case_ids: The cases.
        load: Reads, or segments, a case; raises a `BrainsegError` where that fails.
        patient_of: Whose a case is: uncertainties are over patients.
        notes: What is known already of what was left out.

    Raises:
        InputError: Not one of the cases could be scored.
        Cancelled: A person asked to stop.
    """
    scored: list[CaseScores] = []
    snapshots: dict[str, tuple[Snapshot, Snapshot]] = {}
    failed: dict[str, str] = {}
    for number, case_id in enumerate(case_ids):
        yield Progress(number, len(case_ids), case_id)
        try:
            comparison = yield from load(case_id)
            _refuse_other_scheme(comparison, scored)
        except Cancelled:
            raise
        except BrainsegError as error:
            failed[case_id] = str(error)
            continue
        scored.append(score_case(comparison))
        snapshots[case_id] = _snapshots(comparison)
    if not scored:
        reason = next(iter(failed.values()), "There are none.")
        raise InputError(f"Not one of {len(case_ids)} cases could be scored. {reason}")
    overall = summarise(scored, [patient_of(case.case_id) for case in scored])
    mixed = {case.unit for case in scored} == {"mm", "voxels"}
    more = ("Some cases say no spacing: their distances and volumes are in voxels, and means mix both.",) * mixed
    return Evaluation(scored[0].scheme, tuple(scored), overall, snapshots, failed, (*notes, *more))


def _refuse_other_scheme(comparison: Comparison, scored: Sequence[CaseScores]) -> None:
    if scored and scored[0].scheme is not comparison.scheme:
        raise LabelError(
            f"{comparison.case_id} was read as {comparison.scheme.title}, but {scored[0].case_id} as "
            f"{scored[0].scheme.title}. Name the scheme of all labels."
        )


def _snapshots(c: Comparison) -> tuple[Snapshot, Snapshot]:
    tumour = np.count_nonzero((c.truth > 0) | (c.prediction > 0), (1, 2))
    wrong = np.count_nonzero(c.truth != c.prediction, (1, 2))
    most, worst = (int(np.argmax(n)) for n in (tumour, wrong if wrong.any() else tumour))
    return Snapshot(most, c.prediction[most].copy(), c.truth[most].copy()), Snapshot(
        worst, c.prediction[worst].copy(), c.truth[worst].copy()
    )
