"""Showing and hiding classes of a labels layer by its colours; the data are never touched."""

from __future__ import annotations

from collections.abc import Collection

from napari.layers import Labels

from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.plugin.layers import label_colours


def class_colours(layer: Labels, scheme: LabelScheme) -> dict[int, tuple[float, float, float]]:
    """Return the RGB in which the layer draws each class, whether or not it is hidden."""
    own = _table(layer, scheme)
    return {c.value: (own[c.value][0], own[c.value][1], own[c.value][2]) for c in scheme.classes}


def hidden_classes(layer: Labels, scheme: LabelScheme) -> frozenset[int]:
    """Return the classes that the layer draws transparent."""
    own = _table(layer, scheme)
    return frozenset(c.value for c in scheme.classes if own[c.value][3] == 0)


def hide_classes(layer: Labels, scheme: LabelScheme, hidden: Collection[int]) -> None:
    """Draw these classes transparent and the others opaque, in the colours that the layer has."""
    colours = _table(layer, scheme)
    for label_class in scheme.classes:
        value = label_class.value
        colours[value] = (*colours[value][:3], 0.0 if value in hidden else 1.0)
    layer.colormap = colours


def colour_classes(layer: Labels, scheme: LabelScheme, *, colour_blind: bool) -> None:
    """Draw every class in the usual colours or in those of the colour-blind set; hidden classes stay hidden."""
    hidden = hidden_classes(layer, scheme)
    layer.colormap = label_colours(scheme, colour_blind=colour_blind)
    hide_classes(layer, scheme, hidden)


def _table(layer: Labels, scheme: LabelScheme) -> dict[int | None, tuple[float, ...]]:
    # A layer that is not ours may have napari's random colours; it then gets those of the scheme.
    colours = label_colours(scheme)
    own = getattr(layer.colormap, "color_dict", None)
    if own is None:
        return colours
    return {value: tuple(float(c) for c in own[value]) if value in own else colours[value] for value in colours}
