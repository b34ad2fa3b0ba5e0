"""Corrections as a data list that MONAI reads: a Decathlon-style `dataset.json` with images, labels and masks.

`monai.data.load_decathlon_datalist` gives its `training` entries with whole paths. A mask is 1 where a person confirmed
the labels and 0 elsewhere, where the labels are the work as it stood and no truth.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.data_set_export import FILE_ENDING, ExportedDataSet, image_name, write_data_set
from napari_brainseg.annotation.export_plan import ExportPlan, ExportSettings, plan_export
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.dataset_description import decathlon_labels
from napari_brainseg.cases.nifti import write_volume
from napari_brainseg.cases.volume import Geometry


def export_monai(
    project: Project, folder: Path, settings: ExportSettings | None = None
) -> Generator[Progress, None, ExportedDataSet]:
    """Write what is confirmed in a project as `folder/dataset.json` and the files that it lists.

    Raises:
        InputError: As `plan_export`, or no case can be read.
        OutputError: The folder exists, or cannot be written.
    """
    settings = settings or ExportSettings()
    plan = plan_export(project, settings)
    return (yield from write_data_set(project, plan, folder, _Monai(), overwrite=settings.overwrite))


class _Monai:
    def write_labels(self, folder: Path, name: str, geometry: Geometry, correction: Correction) -> None:
        """Write labels and mask."""
        write_volume(correction.labels, geometry, folder / "labelsTr" / f"{name}{FILE_ENDING}")
        write_volume(correction.confirmed.astype(np.uint8), geometry, folder / "masksTr" / f"{name}{FILE_ENDING}")

    def describe(self, plan: ExportPlan, names: Sequence[str]) -> Mapping[str, Any]:
        """Return the Decathlon's keys and, for each case, `image` (a file for each channel), `label` and `mask`."""
        return {
            "name": "Corrections",
            "description": "Labels that a person confirmed in napari-brainseg, where the mask is 1.",
            "tensorImageSize": "3D",
            "modality": {str(number): channel for number, channel in enumerate(plan.channels)},
            "labels": decathlon_labels(plan.scheme),
            "numTraining": len(names),
            "training": [
                {
                    "image": [f"imagesTr/{image_name(name, number)}" for number in range(len(plan.channels))],
                    "label": f"labelsTr/{name}{FILE_ENDING}",
                    "mask": f"masksTr/{name}{FILE_ENDING}",
                }
                for name in names
            ],
        }
