"""Corrections as a raw data set of nnU-Net v2: `DatasetNNN_Name` with `imagesTr`, `labelsTr` and `dataset.json`.

What nobody confirmed has nnU-Net's `ignore` label, so that training takes it neither for tumour nor for background.
Layout: dataset_format.md, ignore_label.md and region_based_training.md in the documentation of MIC-DKFZ/nnUNet.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.data_set_export import FILE_ENDING, ExportedDataSet, write_data_set
from napari_brainseg.annotation.export_plan import ExportPlan, ExportSettings, plan_export
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import InputError, OutputError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.dataset_description import nnunet_labels
from napari_brainseg.cases.nifti import write_volume
from napari_brainseg.cases.volume import Geometry


@dataclass(frozen=True)
class NnunetName:
    """What nnU-Net calls a data set: a number of three digits and a word."""

    number: int = 501
    name: str = "Corrections"

    def __post_init__(self) -> None:
        if not 1 <= self.number <= 999:
            raise InputError(f"nnU-Net numbers its data sets from 1 to 999, not {self.number}. Choose another (--id).")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", self.name):
            raise InputError(f"{self.name!r} is no name for a data set: use letters, digits, - and _ (--name).")

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return f"Dataset{self.number:03d}_{self.name}"


def export_nnunet(
    project: Project, raw: Path, name: NnunetName | None = None, settings: ExportSettings | None = None
) -> Generator[Progress, None, ExportedDataSet]:
    """Write what is confirmed in a project as a data set in nnU-Net's folder of raw data sets.

    Args:
        project: Where the corrections are.
        raw: The folder that nnU-Net knows as `nnUNet_raw`.
        name: What the data set is called.
        settings: What goes into it.

    Raises:
        InputError: As `plan_export`, or no case can be read.
        OutputError: The data set exists, another one has its number, or the folder cannot be written.
    """
    name, settings = name or NnunetName(), settings or ExportSettings()
    plan = plan_export(project, settings)
    for other in sorted(raw.glob(f"Dataset{name.number:03d}_*")):
        if other.name != name.folder:
            raise OutputError(f"{raw} holds {other.name}, which has the same number. Choose another (--id).")
    return (
        yield from write_data_set(project, plan, raw / name.folder, _Nnunet(name.name), overwrite=settings.overwrite)
    )


@dataclass(frozen=True)
class _Nnunet:
    name: str

    def write_labels(self, folder: Path, name: str, geometry: Geometry, correction: Correction) -> None:
        """Write labels in which everything that nobody confirmed has the label above all classes."""
        ignored = np.uint8(len(correction.scheme.classes) + 1)
        labels = np.where(correction.confirmed, correction.labels, ignored).astype(np.uint8)
        write_volume(labels, geometry, folder / "labelsTr" / f"{name}{FILE_ENDING}")

    def describe(self, plan: ExportPlan, names: Sequence[str]) -> Mapping[str, Any]:
        """Return nnU-Net's keys, and two that it lets pass."""
        labels, order = nnunet_labels(plan.scheme)
        return {
            "name": self.name,
            "description": "Labels that a person confirmed in napari-brainseg; what nobody confirmed is `ignore`.",
            "channel_names": {str(number): channel for number, channel in enumerate(plan.channels)},
            "labels": labels,
            **({"regions_class_order": order} if order else {}),
            "numTraining": len(names),
            "file_ending": FILE_ENDING,
        }
