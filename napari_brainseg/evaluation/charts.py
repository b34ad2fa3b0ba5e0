"""The figures of an evaluation: distributions over cases and slices, volumes, and reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.evaluation.calibration import Reliability
from napari_brainseg.evaluation.evaluating import Evaluation
from napari_brainseg.evaluation.measures import BY_NAME
from napari_brainseg.evaluation.parts import Part, parts_of

Colour = tuple[float, float, float]
# Regions that are no class, outermost first; Okabe & Ito (2008): blue, reddish purple, bluish green.
_REGIONS: tuple[Colour, ...] = ((0.0, 0.447, 0.698), (0.8, 0.475, 0.655), (0.0, 0.62, 0.451))


def colour_of(part: Part, scheme: LabelScheme) -> Colour:
    """Return the colour of a part in figures: that of its class, told apart by the colour-blind too, or a region's."""
    for label_class in scheme.classes:
        if part.values == (label_class.value,) and len(scheme.classes) > 1:
            return label_class.safe_colour
    names = [region.name for region in scheme.regions]
    return _REGIONS[names.index(part.name) % len(_REGIONS)]


def distributions(evaluation: Evaluation, measures: Sequence[str]) -> Figure:
    """Return a box with every case as a dot, by measure and part."""
    parts = parts_of(evaluation.scheme)
    figure = Figure(figsize=(2.9 * len(measures), 3.2), layout="constrained")
    for place, measure in enumerate(measures, start=1):
        axes = figure.add_subplot(1, len(measures), place)
        for number, part in enumerate(parts):
            values = np.array([case.parts[part.name][measure] for case in evaluation.cases])
            _box(axes, number, values[np.isfinite(values)], colour_of(part, evaluation.scheme))
        axes.set_xticks(range(len(parts)), [part.name for part in parts])
        axes.set_xlim(-0.6, len(parts) - 0.4)
        axes.set_title(with_unit(evaluation, measure), fontsize=10)
        axes.set_ylim(-0.03, 1.03) if "dice" in measure else axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
        _plain(axes)
    return figure


def with_unit(evaluation: Evaluation, measure: str) -> str:
    """Return the title of a measure with its unit, where it has one."""
    units = {case.unit for case in evaluation.cases}
    unit = units.pop() if len(units) == 1 else "mm or voxels"
    if "hd95" in measure:
        return f"{BY_NAME[measure].title} ({unit})"
    return (
        f"{BY_NAME[measure].title} ({'mL' if unit == 'mm' else unit})" if measure.endswith("volume") else title(measure)
    )


def title(measure: str) -> str:
    """Return the title of a measure."""
    return BY_NAME[measure].title


def slice_dice(evaluation: Evaluation) -> Figure:
    """Return how Dice is distributed over the tumour slices of all cases, by region."""
    regions = [part for part in parts_of(evaluation.scheme) if "region" in part.kind]
    figure = Figure(figsize=(3.6 * len(regions), 2.7), layout="constrained")
    for place, part in enumerate(regions, start=1):
        rows = [slice_scores[part.name] for case in evaluation.cases for slice_scores in case.slices]
        tumour = [row["dice"] for row in rows if row["true_voxels"]]
        empty = [row for row in rows if not row["true_voxels"]]
        invented = sum(row["predicted_voxels"] > 0 for row in empty)
        axes = figure.add_subplot(1, len(regions), place)
        axes.hist(
            tumour,
            np.linspace(0, 1, 21).tolist(),
            color=colour_of(part, evaluation.scheme),
            edgecolor="black",
            linewidth=0.4,
        )
        axes.set_title(f"{part.name}: Dice of {len(tumour)} tumour slices", fontsize=10)
        axes.set_xlabel(f"{invented} of {len(empty)} slices without it had some predicted", fontsize=8)
        _plain(axes)
    return figure


def volumes(evaluation: Evaluation) -> Figure:
    """Return predicted against true volume by region, with the line where they are equal."""
    regions = [part for part in parts_of(evaluation.scheme) if "region" in part.kind]
    figure = Figure(figsize=(3.6 * len(regions), 3.3), layout="constrained")
    for place, part in enumerate(regions, start=1):
        true, found = (
            [c.parts[part.name][name] for c in evaluation.cases] for name in ("true_volume", "predicted_volume")
        )
        axes = figure.add_subplot(1, len(regions), place)
        most = max(*true, *found) * 1.08 or 1
        axes.plot([0, most], [0, most], color="#999999", linewidth=1)
        axes.scatter(true, found, s=20, color=colour_of(part, evaluation.scheme), edgecolors="black", lw=0.4)
        axes.set_xlim(0, most)
        axes.set_ylim(0, most)
        axes.set_title(f"{part.name}: {part.long_name}", fontsize=10)
        axes.set_xlabel(with_unit(evaluation, "true_volume"), fontsize=9)
        axes.set_ylabel(with_unit(evaluation, "predicted_volume"), fontsize=9)
        _plain(axes)
    return figure


def reliability_diagram(evaluation: Evaluation) -> Figure:
    """Return the true share of the voxels near the tumour against their predicted probability, by part."""
    figure = Figure(figsize=(4.6, 4), layout="constrained")
    _reliability(figure.add_subplot(), evaluation.overall.reliability, evaluation.scheme)
    return figure


def reliability_before_and_after(
    before: Mapping[str, Reliability], after: Mapping[str, Reliability], scheme: LabelScheme
) -> Figure:
    """Return the true share of voxels against their predicted probability, by part, before and after calibration."""
    figure = Figure(figsize=(8.6, 4), layout="constrained")
    for place, (when, bins) in enumerate((("before", before), ("after", after)), start=1):
        axes = figure.add_subplot(1, 2, place)
        _reliability(axes, bins, scheme)
        axes.set_title(f"{when} calibration", fontsize=10)
    return figure


def class_colours(scheme: LabelScheme) -> Figure:
    """Return the legend of the classes as pictures show them."""
    figure = Figure(figsize=(7, 0.4))
    patches = [Patch(color=c.colour, label=c.long_name) for c in scheme.classes]
    figure.legend(handles=patches, loc="center left", ncols=len(patches), frameon=False)
    return figure


def _reliability(axes: Axes, by_part: Mapping[str, Reliability], scheme: LabelScheme) -> None:
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    for part in parts_of(scheme):
        bins = by_part.get(part.name)
        if bins is not None:
            filled = bins.voxels > 0
            shares = (values[filled] / bins.voxels[filled] for values in (bins.predicted, bins.true))
            axes.plot(
                *shares, "o-", color=colour_of(part, scheme), label=f"{part.name}, ECE {bins.ece:.3f}", markersize=4
            )
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("true share")
    axes.legend(frameon=False, fontsize=9)
    _plain(axes)


def _box(axes: Axes, place: int, values: NDArray[np.float64], colour: Colour) -> None:
    if not values.size:
        return
    box = axes.boxplot(values, positions=[place], widths=0.55, showfliers=False, patch_artist=True)
    box["boxes"][0].set(facecolor=colour, alpha=0.35)
    box["medians"][0].set(color="black")
    # The same places every time, so that the figure of the same scores is the same.
    spread = np.random.default_rng(1).uniform(-0.16, 0.16, len(values))
    axes.scatter(place + spread, values, s=14, color=colour, edgecolors="black", linewidths=0.4, zorder=3)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.7)
    axes.set_axisbelow(True)
