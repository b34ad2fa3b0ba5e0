"""What each measure is called, what it means and which way is better: the words of tables and reports."""

from __future__ import annotations

from dataclasses import dataclass

from napari_brainseg.evaluation.calibration import BINS
from napari_brainseg.evaluation.lesions import DILATION, MISSED_DISTANCE, SMALLEST


@dataclass(frozen=True)
class Measure:
    """A measure: its name in files, its title in reports, and its definition in a sentence."""

    name: str
    title: str
    text: str


OVERLAP = ("dice", "iou", "sensitivity", "specificity", "precision", "f1")
TOLERANCE = 1.0  # mm, or pixels where the spacing is unknown
BAND = 3  # pixels
FALSE_PIXELS = 50  # of a slice without the part; more are a false alarm

_EMPTY = "Where neither labels hold the part it is 1"
MEASURES = (
    Measure("dice", "Dice", f"2 TP / (2 TP + FP + FN) of all voxels of the case (Dice 1945). {_EMPTY}."),
    Measure("iou", "IoU", f"TP / (TP + FP + FN), Jaccard 1912. {_EMPTY}."),
    Measure("sensitivity", "Sensitivity", "TP / (TP + FN), also called recall. Where the part is not there it is 1."),
    Measure("specificity", "Specificity", "TN / (TN + FP); close to 1 for every small part, so it tells little."),
    Measure("precision", "Precision", f"TP / (TP + FP). {_EMPTY}; where the part is there but not predicted, 0."),
    Measure("f1", "F1", "The harmonic mean of precision and sensitivity, which is Dice."),
    Measure(
        "hd95",
        "HD95",
        "The greater of the two 95th percentiles of the distances from each border voxel of one mask to the border of "
        "the other, as in MONAI; in mm, or in voxels where the spacing is unknown. 0 where both masks are empty, "
        f"{MISSED_DISTANCE:g} where one is (BraTS).",
    ),
    Measure(
        "surface_dice",
        "Surface Dice",
        f"Share of the border voxels of both masks within {TOLERANCE:g} mm of the border of the other (normalised "
        "surface Dice, Nikolov 2018, as in MONAI); within 1 pixel where the spacing is unknown.",
    ),
    Measure(
        "border_dice",
        "Border Dice",
        f"Dice of the voxels at most {BAND} pixels, within their slice, from the true border.",
    ),
    Measure(
        "lesion_dice",
        "Lesion-wise Dice",
        "BraTS 2023: mean over lesions. True lesions are 26-connected components, joined where they touch after "
        f"growing by {DILATION} voxels; those of at most {SMALLEST:g} mm³ are ignored; each missed or invented one "
        "counts 0. (R. Saluja, BraTS 2023 Lesion-Wise Performance Metrics.)",
    ),
    Measure(
        "lesion_hd95",
        "Lesion-wise HD95",
        f"As lesion-wise Dice; a missed or invented lesion counts {MISSED_DISTANCE:g} mm. Where the spacing is "
        "unknown, mm are voxels.",
    ),
    Measure("lesions_found", "Lesions found", "True lesions that a predicted one touches."),
    Measure("lesions_missed", "Lesions missed", "True lesions that none touches."),
    Measure("lesions_invented", "Lesions invented", "Predicted lesions that touch no true one."),
    Measure("true_volume", "True volume", "In mL, or in voxels where the spacing is unknown."),
    Measure("predicted_volume", "Predicted volume", "In mL, or in voxels where the spacing is unknown."),
    Measure("volume_error", "Volume error", "(predicted - true volume) / true volume; none without a true volume."),
    Measure("absolute_volume_error", "|Volume error|", "The volume error without its sign."),
    Measure(
        "slice_dice_all",
        "Slice Dice, empty = 1",
        "Mean over all axial slices, where a slice without the part in both labels counts 1. Empty slices raise it.",
    ),
    Measure(
        "slice_dice_tumour", "Slice Dice, tumour slices", "Mean over the axial slices that truly hold the part, alone."
    ),
    Measure(
        "slice_false_alarms",
        "False alarms",
        "Share of the axial slices that truly hold nothing of the part in which more than "
        f"{FALSE_PIXELS} pixels of it were predicted; none where every slice holds it.",
    ),
    Measure("slice_iou_all", "Slice IoU, empty = 1", "As slice Dice, empty = 1."),
    Measure("slice_iou_tumour", "Slice IoU, tumour slices", "As slice Dice, tumour slices."),
    Measure(
        "ece",
        "ECE",
        f"Expected calibration error over all voxels, {BINS} bins (Guo 2017); only where probabilities were given.",
    ),
    Measure(
        "ece_box",
        "ECE near the tumour",
        "As ECE, in the box around the true and the predicted tumour, where the far background does not dilute it.",
    ),
)
BY_NAME = {measure.name: measure for measure in MEASURES}
