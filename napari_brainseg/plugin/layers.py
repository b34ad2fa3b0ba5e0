"""A `Case` and its results as napari layer tuples, and the identity of a layer of ours; napari itself is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.volume import Spacing

METADATA_KEY = "brainseg"
TARGET_KEY = "brainseg-target"  # an empty `Segmentation`: the grid, names and values that File > Save writes
LABELS_OPACITY = 0.4
# Magenta: no scheme uses it, so a value of no class cannot be taken for one.
FOREIGN_COLOUR = (1.0, 0.0, 1.0, 1.0)
# Light grey: no scheme uses it, and it reads as rubbed out.
ERASED_COLOUR = (0.85, 0.85, 0.85, 1.0)
DIFFERENCE_NAME = "would change"
DIFFERENCE_OPACITY = 1.0  # it must stand out from labels of the same colour
AXES = ("z", "y", "x")

LayerData = tuple[Any, dict[str, Any], str]


class Role(StrEnum):
    """What a layer of ours is for."""

    CHANNEL = "channel"
    WORKING = "working"  # the one labels layer that Correct edits and Export writes
    LABELS = "labels"  # other labels of the case: a second run, a copy, a file
    REFERENCE = "reference"  # labels that came with the case, never edited
    PROBABILITY = "probability"
    UNCERTAINTY = "uncertainty"  # how unsure the model is, or how much its answers vary
    DIFFERENCE = "difference"  # what a new model's answer would change in the working layer
    COPY = "copy"  # an image of the case that a person duplicated
    SPLIT = "split"  # one class or region of the working layer, mirrored


@dataclass(frozen=True)
class LayerIdentity:
    """Who a layer is, whatever its name on screen has become.

    Attributes:
        case_id: The case it belongs to.
        role: What it is for.
        name: Channel, region or class that it shows.
        layer_id: Unique; a duplicate made by napari carries the same one until it is given its own.
        scheme_id: The scheme of labels.
        model: Name and version of the model that made it, or what else did.
        made: ISO 8601 time of making.
        source: The files that it was read from.
    """

    case_id: str
    role: Role
    name: str
    layer_id: str = field(default_factory=lambda: uuid4().hex)
    scheme_id: str | None = None
    model: str = ""
    made: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    source: tuple[Path, ...] = ()


def identity_of(layer: Any) -> LayerIdentity | None:
    """Return the identity in the metadata of a napari layer, or None for a layer that is not ours."""
    found = layer.metadata.get(METADATA_KEY)
    return found if isinstance(found, LayerIdentity) else None


def case_layers(case: Case, *, reference: bool = True) -> list[LayerData]:
    """Return one image layer per channel, only the grid channel visible, and the case's labels as the reference."""
    layers = [_channel_layer(case, name) for name in _bottom_to_top(case)]
    if reference and case.labels is not None:
        labels = case.labels
        source = case.label_paths or (() if labels.path is None else (labels.path,))
        identity = LayerIdentity(case.id, Role.REFERENCE, "reference", scheme_id=labels.scheme.id, source=source)
        data = np.asarray(labels.volume.data, np.uint8)
        target = Segmentation.empty(case)
        layers.append(labels_layer(data, labels.scheme, case.geometry.spacing, identity, target=target))
    return layers


def labels_layer(
    labels: LabelArray,
    scheme: LabelScheme,
    spacing: Spacing | None,
    identity: LayerIdentity,
    *,
    name: str | None = None,
    target: Segmentation | None = None,
) -> LayerData:
    """Return a labels layer in the scheme's colours, (Z, Y, X) program values, whose hover text names the class.

    A `target`, from `Segmentation.empty`, lets napari's own saving write the layer on the grid of its source.
    """
    attributes = {
        "name": name or identity.name,
        "colormap": label_colours(scheme),
        "features": hover_table(scheme),
        "opacity": LABELS_OPACITY,
        "metadata": {METADATA_KEY: identity} if target is None else {METADATA_KEY: identity, TARGET_KEY: target},
        **space(spacing),
    }
    return labels, attributes, "labels"


def result_layers(result: Segmentation, *, role: Role = Role.WORKING, name: str = "segmentation") -> list[LayerData]:
    """Return the labels layer of a segmentation and, below it, its maps."""
    identity = LayerIdentity(result.case_id, role, name, scheme_id=result.scheme.id, model=result.model)
    return [*result_maps(result), labels_layer(result.labels, result.scheme, result.geometry.spacing, identity)]


def result_maps(result: Segmentation) -> list[LayerData]:
    """Return one image layer per probability map, hidden, then those of the variance, hidden, and the uncertainty."""
    maps = () if result.probabilities is None else result.probabilities
    layers = [
        _map_layer(result, values, Role.PROBABILITY, region, f"p({region})", "inferno")
        for region, values in zip(result.probability_names, maps, strict=False)
    ]
    if result.variance is not None:
        layers.append(_map_layer(result, result.variance, Role.UNCERTAINTY, "variance", "variance", "magma"))
    if result.uncertainty is not None:
        name = result.uncertainty_name or "uncertainty"
        layers.append(_map_layer(result, result.uncertainty, Role.UNCERTAINTY, name, "uncertainty", "magma"))
    return layers


def _map_layer(
    result: Segmentation, values: NDArray[np.generic], role: Role, name: str, title: str, colormap: str
) -> LayerData:
    """Return a map (Z, Y, X) over the images, in which nothing is black and so changes nothing."""
    # The variance of numbers from 0 to 1 is a quarter at most, and hardly ever near it.
    highest = max(float(values.max(initial=0)), 1e-3) if name == "variance" else 1.0
    attributes = {
        "name": title,
        "contrast_limits": (0.0, highest),
        "colormap": colormap,
        "blending": "additive",
        "visible": title == "uncertainty",
        "metadata": {METADATA_KEY: LayerIdentity(result.case_id, role, name, model=result.model)},
        **space(result.geometry.spacing),
    }
    # 16-bit floats are no texture format everywhere.
    return np.asarray(values, np.float32), attributes, "image"


def label_colours(scheme: LabelScheme, *, colour_blind: bool = False) -> dict[int | None, tuple[float, ...]]:
    """Return RGBA per program value, transparent for the background and a warning colour for values of no class."""
    colours: dict[int | None, tuple[float, ...]] = {0: (0.0, 0.0, 0.0, 0.0), None: FOREIGN_COLOUR}
    for label_class in scheme.classes:
        colours[label_class.value] = (*(label_class.safe_colour if colour_blind else label_class.colour), 1.0)
    return colours


def difference_layer(
    difference: LabelArray, scheme: LabelScheme, spacing: Spacing | None, case_id: str, model: str
) -> LayerData:
    """Return the layer of what a model's answer would change: `difference_values`, over the labels they change."""
    identity = LayerIdentity(case_id, Role.DIFFERENCE, DIFFERENCE_NAME, scheme_id=scheme.id, model=model)
    data, attributes, kind = labels_layer(difference, scheme, spacing, identity)
    hover = hover_table(scheme)
    texts = ["stays", *(f"becomes {text}" for text in hover["class"][1:]), "becomes background"]
    attributes["features"] = {"index": [*hover["index"], erased_value(scheme)], "class": texts}
    attributes["colormap"] = difference_colours(scheme)
    attributes["opacity"] = DIFFERENCE_OPACITY
    return data, attributes, kind


def difference_values(answer: LabelArray, changed: NDArray[np.bool_], scheme: LabelScheme) -> LabelArray:
    """Return the value that each changed voxel gets, `erased_value` where it becomes background, 0 elsewhere."""
    values = np.where(answer == 0, np.uint8(erased_value(scheme)), answer)
    return np.where(changed, values, np.uint8(0)).astype(np.uint8)


def erased_value(scheme: LabelScheme) -> int:
    """Return the value that stands for the background among differences, where 0 says that nothing changes."""
    return len(scheme.classes) + 1


def difference_colours(scheme: LabelScheme, *, colour_blind: bool = False) -> dict[int | None, tuple[float, ...]]:
    """Return RGBA per value of a difference: the classes' own colours, and one for what becomes background."""
    return {**label_colours(scheme, colour_blind=colour_blind), erased_value(scheme): ERASED_COLOUR}


def hover_table(scheme: LabelScheme) -> dict[str, list[Any]]:
    """Return the features by which the status bar names class and value on disk: `enhancing tumour, on disk 4`."""
    rows: list[tuple[int, str]] = [(0, "background")]
    rows += [(c.value, f"{c.long_name}, on disk {c.disk}") for c in scheme.classes]
    return {"index": [value for value, _ in rows], "class": [text for _, text in rows]}


def space(spacing: Spacing | None) -> dict[str, Any]:
    """Return the scale, units and axis labels of a layer: mm where the spacing is known, else pixels."""
    unit = "pixel" if spacing is None else "mm"
    return {"scale": spacing or (1.0, 1.0, 1.0), "units": (unit,) * 3, "axis_labels": AXES}


def contrast_limits(data: NDArray[np.generic], low: float = 1.0, high: float = 99.5) -> tuple[float, float]:
    """Return the percentiles of the brain, the voxels above zero, between which an image is shown.

    Where hardly any voxel is zero (no skull stripping), the voxels above the mean stand for the head. A volume of more
    than two million voxels is sampled.
    """
    step = max(1, round((data.size / 2_000_000) ** (1 / 3)))
    sample = np.asarray(data[::step, ::step, ::step] if data.ndim == 3 else data, np.float32)
    brain = sample[sample > 0]
    if brain.size > 0.95 * sample.size:
        brain = sample[sample > sample.mean()]
    if brain.size == 0:
        brain = sample.reshape(-1)
    bottom, top = (float(p) for p in np.percentile(brain, (low, high)))
    return (bottom, top) if top > bottom else (bottom, bottom + 1.0)


def _bottom_to_top(case: Case) -> Sequence[str]:
    # Reversed, because napari lists the top layer first: the list then reads in the field's own order.
    order = [*case.expected, *(c for c in case.channels if c not in case.expected)]
    return [name for name in reversed(order) if name in case.channels]


def _channel_layer(case: Case, name: str) -> LayerData:
    volume = case.channels[name]
    identity = LayerIdentity(case.id, Role.CHANNEL, name, source=tuple(case.paths.get(name, ())))
    attributes = {
        "name": name,
        "contrast_limits": contrast_limits(volume.data),
        "colormap": "gray",
        "blending": "opaque",
        "visible": name == case.grid_channel,
        "metadata": {METADATA_KEY: identity},
        **space(case.geometry.spacing),
    }
    return volume.data, attributes, "image"
