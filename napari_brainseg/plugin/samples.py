"""File > Open Sample: the shipped synthetic cases as napari layers."""

from __future__ import annotations

from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.sample_files import lgg_sample, volume_sample
from napari_brainseg.plugin.layers import LayerData, case_layers


def open_volume() -> list[LayerData]:
    """Return the layers of the synthetic four-channel volume with its reference labels."""
    return case_layers(read_case(volume_sample()))


def open_slices() -> list[LayerData]:
    """Return the layers of the synthetic LGG-like slices with their reference labels."""
    return case_layers(read_case(lgg_sample()))
