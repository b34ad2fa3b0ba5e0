"""The one form in which the data of a layer can be edited: a uint8 array in C order that can be written."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

from napari_brainseg.annotation.editing import as_label_array


def integers(data: Any) -> NDArray[np.integer]:
    """Return the data of a labels layer as a numpy array; a numpy array is not copied."""
    return data if type(data) is np.ndarray else np.asarray(data)


def make_editable(layer: Labels) -> None:
    """Give the layer a copy of its data in the form that can be edited, unless they have it."""
    data = integers(layer.data)
    editable = data.dtype == np.uint8 and data.flags.c_contiguous and data.flags.writeable
    if data is not layer.data or not editable:
        layer.data = as_label_array(data).copy()
