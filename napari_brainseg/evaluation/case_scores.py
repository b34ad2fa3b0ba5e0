"""Every score of one case: by part, for the whole case and slice by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.volume import Spacing
from napari_brainseg.evaluation.calibration import Reliability, reliability
from napari_brainseg.evaluation.lesions import MISSED_DISTANCE, score_lesions
from napari_brainseg.evaluation.measures import BAND, FALSE_PIXELS, OVERLAP, TOLERANCE
from napari_brainseg.evaluation.overlap import BACKGROUND, Counts, counts, macro, scheme_counts
from napari_brainseg.evaluation.parts import Part, parts_of
from napari_brainseg.evaluation.surfaces import Box, Mask, SurfaceDistances, border_band, box_around

MACRO, MACRO_WITH_BACKGROUND = "macro", "macro with background"

Scores = dict[str, float]
_MARGIN = 4  # as far as lesions grow and the border band reaches, and one more
_NOTHING = (slice(0, 1),) * 3


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two labels (Z, Y, X) of a case, in program values of one scheme.

    Attributes:
        case_id: The case.
        prediction: What is scored.
        truth: What it is scored against.
        scheme: What the values of both mean.
        spacing: mm along (Z, Y, X), or None where unknown.
        probabilities: Maps (Z, Y, X), 0 to 1, by the name of their part.
        notes: A sentence for each thing that was assumed.
    """

    case_id: str
    prediction: LabelArray
    truth: LabelArray
    scheme: LabelScheme
    spacing: Spacing | None = None
    probabilities: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CaseScores:
    """The scores of a case.

    Attributes:
        case_id: The case.
        scheme: Of its labels.
        unit: `mm`, or `voxels` where the spacing is unknown.
        parts: Measures by part; the background and the macro averages have those of overlap alone.
        slices: The same for each slice along Z.
        counts: Voxel counts by background, class and region, which add up over cases.
        reliability: Bins near the tumour by part, where there are probabilities.
        tumour_slices: Number of slices that truly hold the part, by part.
        notes: A sentence for each thing that was assumed.
    """

    case_id: str
    scheme: LabelScheme
    unit: str
    parts: Mapping[str, Scores]
    slices: tuple[Mapping[str, Scores], ...]
    counts: Mapping[str, Counts]
    reliability: Mapping[str, Reliability]
    tumour_slices: Mapping[str, int]
    notes: tuple[str, ...] = ()


def score_case(comparison: Comparison) -> CaseScores:
    """Score a case in every way that its data allow."""
    c = comparison
    by_slice = [scheme_counts(p, t, c.scheme) for p, t in zip(c.prediction, c.truth, strict=True)]
    whole = scheme_counts(c.prediction, c.truth, c.scheme)
    box = box_around((c.prediction > 0) | (c.truth > 0), _MARGIN) or _NOTHING
    spacing = c.spacing or (1.0, 1.0, 1.0)
    parts: dict[str, Scores] = {}
    slices = [_slice_overlaps(found, c.scheme) for found in by_slice]
    bins: dict[str, Reliability] = {}
    for part in parts_of(c.scheme):
        prediction, truth = part.mask(c.prediction[box]), part.mask(c.truth[box])
        band = border_band(truth, BAND)
        for z, scores in _slice_surfaces(prediction, truth, band, spacing).items():
            slices[z + box[0].start][part.name].update(scores)
        parts[part.name] = {
            **_overlap(whole[part.name]),
            **_surfaces(prediction, truth, band, spacing),
            **_lesions(prediction, truth, spacing),
            **_volumes(whole[part.name], c.spacing),
            **_slice_means([found[part.name] for found in by_slice]),
            "slice_false_alarms": _false_alarms([found[part.name] for found in by_slice]),
        }
        if part.name in c.probabilities:
            scores, bins[part.name] = _calibration(c.probabilities[part.name], c.truth, part, box)
            parts[part.name].update(scores)
    return CaseScores(
        case_id=c.case_id,
        scheme=c.scheme,
        unit="voxels" if c.spacing is None else "mm",
        parts={**overlaps(whole, c.scheme), **parts},
        slices=tuple(slices),
        counts=whole,
        reliability=bins,
        tumour_slices={name: sum(_is_there(found[name]) for found in by_slice) for name in parts},
        notes=c.notes,
    )


def _overlap(found: Counts) -> Scores:
    return {name: getattr(found, name) for name in OVERLAP}


def overlaps(found: Mapping[str, Counts], scheme: LabelScheme) -> dict[str, Scores]:
    """Return the measures of overlap of each part, of the background, and their means over the classes."""
    scores = {part.name: _overlap(found[part.name]) for part in parts_of(scheme)}
    return {**scores, BACKGROUND: _overlap(found[BACKGROUND]), **macros(found, scheme)}


def _slice_overlaps(found: Mapping[str, Counts], scheme: LabelScheme) -> dict[str, Scores]:
    scores = overlaps(found, scheme)
    for part in parts_of(scheme):
        c = found[part.name]
        scores[part.name].update(true_voxels=c.tp + c.fn, predicted_voxels=c.tp + c.fp)
    return scores


def macros(found: Mapping[str, Counts], scheme: LabelScheme) -> dict[str, Scores]:
    """Return the means of the measures of overlap over the classes, without and with the background."""
    classes = {name: found[name] for name in (BACKGROUND, *(c.name for c in scheme.classes))}
    return {
        name: {measure: macro(classes, measure, background=background) for measure in OVERLAP}
        for name, background in ((MACRO, False), (MACRO_WITH_BACKGROUND, True))
    }


def _surfaces(prediction: Mask, truth: Mask, band: Mask, spacing: Sequence[float]) -> Scores:
    distances = SurfaceDistances(prediction, truth, spacing)
    return {
        "hd95": distances.hd95 if np.isfinite(distances.hd95) else MISSED_DISTANCE,
        "surface_dice": distances.surface_dice(TOLERANCE),
        "border_dice": _border_dice(prediction, truth, band),
    }


def _border_dice(prediction: Mask, truth: Mask, band: Mask) -> float:
    # Without a true border there is no band, and nothing to say of it.
    return counts(prediction[band], truth[band]).dice if band.any() else float("nan")


def _slice_surfaces(prediction: Mask, truth: Mask, band: Mask, spacing: Sequence[float]) -> dict[int, Scores]:
    """Return the measures of the border in each slice that holds the part; HD95 where both labels do."""
    found = {}
    for z in np.flatnonzero((prediction | truth).any((1, 2))).tolist():
        distances = SurfaceDistances(prediction[z], truth[z], spacing[1:])
        found[z] = {
            "hd95": distances.hd95 if np.isfinite(distances.hd95) else float("nan"),
            "surface_dice": distances.surface_dice(TOLERANCE),
            "border_dice": _border_dice(prediction[z], truth[z], band[z]),
        }
    return found


def _lesions(prediction: Mask, truth: Mask, spacing: Sequence[float]) -> Scores:
    lesions = score_lesions(prediction, truth, spacing)
    return {
        "lesion_dice": lesions.dice,
        "lesion_hd95": lesions.hd95,
        "lesions_found": lesions.found,
        "lesions_missed": lesions.missed,
        "lesions_invented": lesions.invented,
    }


def _volumes(found: Counts, spacing: Spacing | None) -> Scores:
    unit = 1.0 if spacing is None else float(np.prod(spacing)) / 1000
    return {
        "true_volume": (found.tp + found.fn) * unit,
        "predicted_volume": (found.tp + found.fp) * unit,
        "volume_error": found.volume_error,
        "absolute_volume_error": abs(found.volume_error),
    }


def _is_there(found: Counts) -> bool:
    return found.tp + found.fn > 0


def _slice_means(found: Sequence[Counts]) -> Scores:
    """Return the means over slices by both conventions: an empty slice counts 1, and tumour slices alone."""
    tumour = [slice_counts for slice_counts in found if _is_there(slice_counts)]
    return {
        f"slice_{measure}_{name}": float(np.mean([getattr(s, measure) for s in chosen])) if chosen else float("nan")
        for measure in ("dice", "iou")
        for name, chosen in (("all", found), ("tumour", tumour))
    }


def _false_alarms(found: Sequence[Counts]) -> float:
    """Return the share of the slices without the part that have more of it predicted than may be noise."""
    healthy = [slice_counts for slice_counts in found if not _is_there(slice_counts)]
    return float(np.mean([s.fp > FALSE_PIXELS for s in healthy])) if healthy else float("nan")


def _calibration(
    probability: NDArray[np.floating], labels: LabelArray, part: Part, box: Box
) -> tuple[Scores, Reliability]:
    truth = part.mask(labels)
    near = reliability(probability[box], truth[box])
    return {"ece": reliability(probability, truth).ece, "ece_box": near.ece}, near
