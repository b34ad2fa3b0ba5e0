"""An evaluation as one self-contained HTML page: tables, distributions, and the best and worst cases as pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.cases.reading import CaseFiles, read_case
from napari_brainseg.evaluation import charts
from napari_brainseg.evaluation.bootstrap import RESAMPLES, Estimate
from napari_brainseg.evaluation.case_scores import MACRO, MACRO_WITH_BACKGROUND
from napari_brainseg.evaluation.evaluating import Evaluation, Snapshot
from napari_brainseg.evaluation.measures import MEASURES, OVERLAP
from napari_brainseg.evaluation.page import Page
from napari_brainseg.evaluation.parts import parts_of
from napari_brainseg.evaluation.pictures import Picture, side_by_side, with_classes, with_outlines
from napari_brainseg.evaluation.surfaces import box_around

ImageOf = Callable[[str, int], NDArray[np.generic] | None]

_HEADLINE = ("dice", "hd95", "surface_dice", "border_dice", "lesion_dice", "lesion_hd95")
_MORE = ("iou", "sensitivity", "specificity", "precision", "volume_error", "absolute_volume_error")
_LESIONS = ("lesions_found", "lesions_missed", "lesions_invented")
_MACROS = tuple(measure for measure in OVERLAP if measure != "f1")  # which is Dice
_SLICES = ("dice", "slice_dice_all", "slice_dice_tumour", "slice_iou_all", "slice_iou_tumour", "slice_false_alarms")
_PICTURES = 3  # best and as many worst cases
_EDGE = 6  # pixels left around what a picture shows
_HEIGHT = 300  # pixels that a picture has about, whole pixels of the slice being enlarged


def write_report(evaluation: Evaluation, path: Path, facts: Mapping[str, Any], image_of: ImageOf) -> None:
    """Write the page of an evaluation.

    Args:
        evaluation: What to show.
        path: The HTML file.
        facts: What was compared, in words by name.
        image_of: Gives the slice of a case (case id, slice from 0) as an image (Y, X) behind the labels, or None.

    Raises:
        OutputError: The folder cannot be written.
    """
    page = Page("Evaluation of segmentations")
    _opening(page, evaluation, facts)
    _tables(page, evaluation)
    _figures(page, evaluation)
    _pictures(page, evaluation, image_of)
    _cases(page, evaluation)
    page.heading("What the measures mean")
    for measure in MEASURES:
        page.paragraph(f"{measure.title}: {measure.text}")
    page.write(path)


def case_images(files: Mapping[str, CaseFiles]) -> ImageOf:
    """Return how the image behind a case's labels is read: FLAIR, or the channel that gives the grid."""

    def image_of(case_id: str, z: int) -> NDArray[np.generic] | None:
        if case_id not in files:
            return None
        try:
            case = read_case(files[case_id])
        except BrainsegError:  # without its image the case is still worth a picture
            return None
        image = case.channels[case.grid_channel].data
        return image[z] if z < len(image) else None

    return image_of


def _opening(page: Page, evaluation: Evaluation, facts: Mapping[str, Any]) -> None:
    overall = evaluation.overall
    patients = f" of {overall.patients} patients" if overall.patients != len(evaluation.cases) else ""
    page.table(
        ("What", "Was compared"),
        [
            *((name.replace("_", " "), str(value)) for name, value in facts.items() if value is not False),
            ("cases", f"{len(evaluation.cases)}{patients}"),
            ("labels", evaluation.scheme.title),
        ],
    )
    for case_id, reason in evaluation.failed.items():
        page.paragraph(f"{case_id} could not be scored: {reason}")
    for note in evaluation.notes:
        page.paragraph(note)
    for case in evaluation.cases:
        for note in case.notes:
            page.paragraph(f"{case.case_id}: {note}")


def _tables(page: Page, evaluation: Evaluation) -> None:
    parts, rows = parts_of(evaluation.scheme), evaluation.overall.estimates
    page.heading("Whole cases")
    page.paragraph(
        f"Mean over the cases, with the 95 % interval of a bootstrap over the patients ({RESAMPLES} resamples). "
        + "; ".join(f"{part.name}: {part.long_name}" for part in parts)
        + "."
    )
    for measures in (_HEADLINE, _MORE, _LESIONS, ("ece", "ece_box")):
        shown = [part for part in parts if any(measure in rows[part.name] for measure in measures)]
        if shown:
            page.table(
                ("Part", *(charts.with_unit(evaluation, measure) for measure in measures)),
                [(part.name, *(_shown(rows[part.name].get(m), _digits(m)) for m in measures)) for part in shown],
            )
    page.heading("Whole cases beside slices")
    page.paragraph(
        "Studies of slices average over slices, in one of two ways that do not compare: a slice where neither labels "
        "hold the part counts 1, or slices that truly hold it count alone. Means are over all slices of all cases, and "
        "false alarms over those that truly hold nothing of the part."
    )
    page.table(
        ("Part", "Dice of whole cases", *(charts.title(measure) for measure in _SLICES[1:])),
        [(part.name, *(_shown(rows[part.name][m]) for m in _SLICES)) for part in parts],
    )
    page.heading("Averages over the classes")
    page.paragraph(
        "Cases: the mean over the classes of each case. Pooled: the voxels of all cases are counted together first. "
        "The background is easy: with it as one of the classes averages are higher."
    )
    pooled = evaluation.overall.pooled
    names = {MACRO: "", MACRO_WITH_BACKGROUND: ", with background"}
    page.table(
        ("Average", *(charts.title(measure) for measure in _MACROS)),
        [
            *((f"cases{text}", *(_shown(rows[n][m]) for m in _MACROS)) for n, text in names.items()),
            *((f"pooled{text}", *(pooled[n][m] for m in _MACROS)) for n, text in names.items()),
        ],
    )


def _digits(measure: str) -> int:
    return 1 if "hd95" in measure else 3


def _shown(estimate: Estimate | None, digits: int = 3) -> str | None:
    if estimate is None or not estimate.cases:
        return None
    # Held together by spaces that do not break: a figure and its interval are read as one.
    return f"{estimate.mean:.{digits}f}\u00a0[{estimate.low:.{digits}f},\u00a0{estimate.high:.{digits}f}]"


def _figures(page: Page, evaluation: Evaluation) -> None:
    page.heading("Distributions")
    page.figure(charts.distributions(evaluation, _HEADLINE[:4]), "Every dot is a case; the box holds the middle half.")
    page.figure(charts.slice_dice(evaluation), "Dice by slice.")
    page.figure(charts.volumes(evaluation), "Volumes; on the line the prediction is as large as the truth.")
    if evaluation.overall.reliability:
        page.figure(
            charts.reliability_diagram(evaluation),
            "Reliability near the tumour: below the line the model is too sure of it, above it not sure enough.",
        )


def _pictures(page: Page, evaluation: Evaluation, image_of: ImageOf) -> None:
    page.heading("Pictures")
    ranked = evaluation.ranked()
    number = min(_PICTURES, len(ranked) // 2)
    page.figure(charts.class_colours(evaluation.scheme), "Classes in the pictures below.")
    sets = (("Worst cases", ranked[:number], 1), ("Best cases", ranked[::-1][:number], 0))
    for heading, chosen, which in sets if number else (("The case", ranked, 1),):
        page.heading(heading)
        page.paragraph(
            f"By the mean Dice of the regions, in the slice with the most {'wrong voxels' if which else 'tumour'}. "
            "Left the truth, in the middle the prediction, right both outlines of "
            f"{evaluation.scheme.regions[0].long_name}: truth red, prediction blue."
        )
        for case_id in chosen:
            snapshot = evaluation.snapshots[case_id][which]
            page.picture(
                _triptych(snapshot, image_of(case_id, snapshot.z), evaluation), _caption(evaluation, case_id, snapshot)
            )


def _caption(evaluation: Evaluation, case_id: str, snapshot: Snapshot) -> str:
    case = next(case for case in evaluation.cases if case.case_id == case_id)
    words = ", ".join(f"{r.name} {case.parts[r.name]['dice']:.3f}" for r in evaluation.scheme.regions)
    return f"{case_id}, slice {snapshot.z}. Dice of the whole case: {words}."


def _triptych(snapshot: Snapshot, image: NDArray[np.generic] | None, evaluation: Evaluation) -> Picture:
    """Return truth, prediction and both outlines side by side, cut to the head."""
    if image is None or image.shape != snapshot.truth.shape:
        image = np.zeros(snapshot.truth.shape, np.float32)
    box = box_around((image > image.min()) | (snapshot.truth > 0) | (snapshot.prediction > 0), _EDGE) or (slice(None),)
    image, truth, prediction = image[box], snapshot.truth[box], snapshot.prediction[box]
    outer = parts_of(evaluation.scheme)[0]
    row = side_by_side(
        [
            with_classes(image, truth, evaluation.scheme),
            with_classes(image, prediction, evaluation.scheme),
            with_outlines(image, outer.mask(truth), outer.mask(prediction)),
        ]
    )
    larger = max(1, round(_HEIGHT / len(row)))
    return np.repeat(np.repeat(row, larger, 0), larger, 1)


def _cases(page: Page, evaluation: Evaluation) -> None:
    page.heading("Every case, the worst first")
    regions = [region.name for region in evaluation.scheme.regions]
    by_id = {case.case_id: case for case in evaluation.cases}
    measures = ("dice", "hd95", "surface_dice", "lesion_dice", "sensitivity", "precision", "volume_error")
    page.table(
        ("Case", "Region", *(charts.with_unit(evaluation, measure) for measure in measures)),
        [
            (case_id if place == 0 else "", region, *(by_id[case_id].parts[region][m] for m in measures))
            for case_id in evaluation.ranked()
            for place, region in enumerate(regions)
        ],
    )
