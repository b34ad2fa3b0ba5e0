"""What the scores of many cases say together: means with uncertainty, and voxels of all cases pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from napari_brainseg.evaluation.bootstrap import Estimate, estimate
from napari_brainseg.evaluation.calibration import Reliability
from napari_brainseg.evaluation.case_scores import CaseScores, Scores, overlaps
from napari_brainseg.evaluation.overlap import Counts


@dataclass(frozen=True, eq=False)
class SetScores:
    """The scores of a set.

    Attributes:
        estimates: By part and measure, the mean over the cases with its 95 % interval. Slice measures are means over
            all slices of all cases, as the studies of slices report them.
        pooled: By part, the measures of overlap of the voxels of all cases taken together.
        counts: These voxels, by background, class and region.
        reliability: Bins of all cases by part, where there were probabilities.
        patients: How many patients there are.
    """

    estimates: Mapping[str, Mapping[str, Estimate]]
    pooled: Mapping[str, Scores]
    counts: Mapping[str, Counts]
    reliability: Mapping[str, Reliability]
    patients: int


def summarise(cases: Sequence[CaseScores], patients: Sequence[str]) -> SetScores:
    """Return the scores of a set of cases of one scheme; `patients` says whose each case is."""
    first = cases[0]
    estimates = {
        part: {measure: _estimate(cases, patients, part, measure) for measure in _measures(cases, part)}
        for part in first.parts
    }
    pooled = {name: reduce(add, (case.counts[name] for case in cases)) for name in first.counts}
    names = dict.fromkeys(name for case in cases for name in case.reliability)
    bins = {name: reduce(add, (c.reliability[name] for c in cases if name in c.reliability)) for name in names}
    return SetScores(estimates, overlaps(pooled, first.scheme), pooled, bins, len(set(patients)))


def _measures(cases: Sequence[CaseScores], part: str) -> list[str]:
    return list(dict.fromkeys(measure for case in cases for measure in case.parts[part]))


def _estimate(cases: Sequence[CaseScores], patients: Sequence[str], part: str, measure: str) -> Estimate:
    values = [case.parts[part].get(measure, float("nan")) for case in cases]
    weights = None
    if measure.startswith("slice_"):
        weights = [_slices_of(case, part, measure) for case in cases]
    return estimate(values, patients, weights)


def _slices_of(case: CaseScores, part: str, measure: str) -> int:
    """Return over how many slices of a case a slice measure is the mean."""
    tumour = case.tumour_slices[part]
    if measure == "slice_false_alarms":
        return len(case.slices) - tumour
    return len(case.slices) if measure.endswith("_all") else tumour
