"""The charts of the page: what is spread over slices, lesions, channels and the parts of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from napari_brainseg.training.exploring.findings import CaseFacts
from napari_brainseg.training.exploring.shares import PartShare

_INK, _FAINT, _BAR = "#444", "#ddd", "#4c78a8"
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756")
_MEASURES = (("low", "least value"), ("high", "greatest value"), ("mean", "mean"), ("deviation", "standard deviation"))


def _panels(count: int, width: float = 4.2, height: float = 2.8) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width * count, height), layout="constrained")
    axes: Any = figure.subplots(1, count, squeeze=False)
    for axis in axes[0]:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(_FAINT)
        axis.tick_params(colors=_INK, labelsize=8, length=0)
        axis.grid(axis="y", color=_FAINT, linewidth=0.6)
        axis.set_axisbelow(True)
    return figure, list(axes[0])


def _histogram(axis: Axes, values: Sequence[float], title: str, x: str, y: str, *, log: bool = False) -> None:
    """Draw a histogram; with `log` the bins grow by a constant factor."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high <= low:  # one bar
        axis.bar([f"{low:,g}"] if values else [], [len(values)] if values else [], width=0.2, color=_BAR)
        axis.set_xlim(-1, 1)
    else:
        bins = np.geomspace(low, high, 25) if log else np.linspace(low, high, 25)
        axis.hist(values, bins=bins.tolist(), color=_BAR, edgecolor="white", linewidth=0.4)
        axis.set_xscale("log" if log else "linear")
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    _named(axis, title, x, y)


def _named(axis: Axes, title: str, x: str, y: str) -> None:
    axis.set_title(title, fontsize=10, color=_INK, loc="left")
    axis.set_xlabel(x, fontsize=8, color=_INK)
    axis.set_ylabel(y, fontsize=8, color=_INK)


def _dots(axis: Axes, groups: Mapping[str, Sequence[float]], colours: Sequence[str] = _COLOURS) -> None:
    """Draw each group's values as dots beside each other, with a bar at the median."""
    chance = np.random.default_rng(0)
    for place, values in enumerate(groups.values()):
        colour = colours[place % len(colours)]
        aside = place + chance.uniform(-0.22, 0.22, len(values))
        axis.plot(aside, values, "o", markersize=3.5, alpha=0.55, color=colour, markeredgewidth=0)
        if len(values):
            axis.hlines(float(np.median(values)), place - 0.3, place + 0.3, color=_INK, linewidth=1.5)
    axis.set_xticks(range(len(groups)), list(groups), fontsize=8)
    axis.set_xlim(-0.6, len(groups) - 0.4)


def channel_chart(cases: Sequence[CaseFacts]) -> Figure:
    """Draw extremes, mean and standard deviation of every channel, a dot for each case."""
    names = list(dict.fromkeys(name for case in cases for name in case.channels))
    figure, axes = _panels(len(_MEASURES), 3.1, 2.8)
    for axis, (measure, title) in zip(axes, _MEASURES, strict=True):
        groups = {n: [getattr(c.channels[n], measure) for c in cases if n in c.channels] for n in names}
        _dots(axis, groups)
        _named(axis, title, "", "")
        values = np.array([v for group in groups.values() for v in group])
        if len(values) and values.min() == values.max():
            axis.set_yticks([float(values[0])])
        if len(values) and values.min() > 0 and values.max() > 30 * np.median(values):
            axis.set_yscale("log")
    return figure


def slice_chart(cases: Sequence[CaseFacts]) -> Figure:
    """Draw slices per patient, and how many of them show tumour."""
    figure, axes = _panels(2)
    slices: dict[str, int] = {}
    shown: dict[str, int] = {}
    for case in cases:
        slices[case.patient] = slices.get(case.patient, 0) + case.shape[0]
        if case.pixels is not None:
            shown[case.patient] = shown.get(case.patient, 0) + int((case.tumour > 0).sum())
    _histogram(axes[0], list(slices.values()), "Slices per patient", "slices", "patients")
    _histogram(axes[1], list(shown.values()), "Slices with tumour per patient", "slices with tumour", "patients")
    return figure


def tumour_chart(cases: Sequence[CaseFacts]) -> Figure:
    """Draw sizes of lesions, tumour in a slice, and tumour share of the cases."""
    figure, axes = _panels(3)
    in_mm = all(case.voxel_volume is not None for case in cases)
    scale = {case.id: (case.voxel_volume or 1.0) / 1000 if in_mm else 1.0 for case in cases}
    sizes = [size * scale[case.id] for case in cases for size in case.lesions]
    _histogram(axes[0], sizes, "Lesion sizes", "mL" if in_mm else "voxels", "lesions", log=True)
    areas = [float(a) for case in cases for a in case.tumour if a]
    _histogram(axes[1], areas, "Tumour in a slice", "pixels", "slices with tumour", log=True)
    shares = [100 * case.tumour_share for case in cases if case.pixels is not None]
    _histogram(axes[2], shares, "Tumour share of a case", "% of its voxels", "cases")
    return figure


def class_chart(names: Sequence[str], pixels: Sequence[int], colours: Sequence[tuple[float, float, float]]) -> Figure:
    """Draw how many pixels each class has, on a logarithmic scale, the background among them."""
    figure, (axis,) = _panels(1, 6.5, 0.6 + 0.35 * len(names))
    places = range(len(names))
    axis.barh(places, [max(p, 0.5) for p in pixels], color=colours, edgecolor="#999", linewidth=0.4)
    axis.set_xscale("log")
    axis.set_yticks(places, list(names), fontsize=8)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    for place, count in zip(places, pixels, strict=True):
        axis.annotate(f" {count:,}", (max(count, 0.5), place), va="center", fontsize=8, color=_INK)
    axis.margins(x=0.2)
    _named(axis, "Pixels of each class", "pixels (logarithmic)", "")
    return figure


def split_chart(parts: Sequence[PartShare]) -> Figure:
    """Draw the tumour share of every case by the part of the split that it stands in."""
    figure, (axis,) = _panels(1, max(4.2, 1.1 * len(parts)))
    several = len({part.split for part in parts}) > 1
    groups = {
        f"{part.split}\n{part.part}" if several else part.part: [
            100 * case.tumour_share for case in part.cases if case.pixels is not None
        ]
        for part in parts
    }
    order = {"train": _COLOURS[0], "validation": _COLOURS[1], "test": _COLOURS[2]}
    _dots(axis, groups, [order[part.part] for part in parts])
    _named(axis, "Tumour share of the cases", "", "% of the voxels")
    return figure
