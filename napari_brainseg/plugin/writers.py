"""napari's writer for a labels layer of a case: File > Save writes it on the grid of its source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_brainseg.base.errors import OutputError
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.writing import with_suffix, write_labels
from napari_brainseg.plugin.layers import METADATA_KEY, TARGET_KEY, LayerIdentity


def write_labels_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one labels layer as NIfTI, or slices as tif, and return the path written; `.nii.gz` is added when missing.

    Raises:
        LabelError: A voxel holds a value of no class.
        OutputError: The layer belongs to no case, or the place cannot be written.
    """
    metadata = attributes.get("metadata") or {}
    identity, target = metadata.get(METADATA_KEY), metadata.get(TARGET_KEY)
    name = attributes.get("name", "this layer")
    if not isinstance(identity, LayerIdentity) or not isinstance(target, Segmentation):
        raise OutputError(
            f"{name} is not known to belong to a case, so its place in space is unknown. "
            "Start from it in the Brain segmentation workbench, and save the layer made there."
        )
    labels = np.asarray(data)
    if labels.shape != target.labels.shape:
        raise OutputError(
            f"{name} has another shape than {target.case_id}. Save the layer that was made for this case."
        )
    scheme = target.scheme if identity.scheme_id is None else scheme_by_id(identity.scheme_id)
    # Values that no byte holds must not become a class by wrapping.
    within = (
        np.where((labels < 0) | (labels > 255), 255, labels).astype(np.uint8) if labels.dtype != np.uint8 else labels
    )
    result = replace(target, labels=within, scheme=scheme, model=identity.model)
    # The dialog asks about the name that was typed; about the one with `.nii.gz` added nobody was asked.
    asked = with_suffix(Path(path)) == Path(path)
    return [str(write_labels(result, path, overwrite=asked))]
