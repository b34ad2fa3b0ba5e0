"""Corrections of a project as a data set in a folder of its own: images, labels and a `dataset.json`.

Images lie in `imagesTr` under nnU-Net's names, `<case>_0000.nii.gz` …, and labels in `labelsTr`, all on the case's own
grid. What else there is, and what the labels say where nobody confirmed them, is the layout's affair.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from napari_brainseg.annotation.case_state import read_state
from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.annotation.export_plan import ExportPlan
from napari_brainseg.annotation.project import Project
from napari_brainseg.base.errors import BrainsegError, InputError, OutputError
from napari_brainseg.base.paths import refuse_unwritable, write_text
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.dataset_description import DATASET_FILE
from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.cases.nifti import write_volume
from napari_brainseg.cases.volume import Geometry

FILE_ENDING = ".nii.gz"


class Layout(Protocol):
    """What differs between the data sets of one program and another."""

    def write_labels(self, folder: Path, name: str, geometry: Geometry, correction: Correction) -> None:
        """Write the labels of a correction, which has the scheme of the data set, and what goes with them."""

    def describe(self, plan: ExportPlan, names: Sequence[str]) -> Mapping[str, Any]:
        """Return what `dataset.json` says of the cases `names`."""


@dataclass(frozen=True)
class ExportedDataSet:
    """What was written.

    Attributes:
        folder: Where.
        cases: Names of the cases.
        channels: Names of the channels, in their order.
        scheme: The scheme whose program values the labels have.
        unspaced: Cases whose files say no spacing, so that other programs take 1 mm.
        left_out: One sentence for each case that was left out.
    """

    folder: Path
    cases: tuple[str, ...]
    channels: tuple[str, ...]
    scheme: LabelScheme
    unspaced: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def write_data_set(
    project: Project, plan: ExportPlan, target: Path, layout: Layout, *, overwrite: bool = False
) -> Generator[Progress, None, ExportedDataSet]:
    """Write the data set aside and rename it to `target`; a case that cannot be read is left out and told.

    Raises:
        InputError: No case can be read.
        OutputError: `target` exists and must not be replaced, or cannot be written.
    """
    _refuse(project, target, overwrite=overwrite)
    names: list[str] = []
    unspaced: list[str] = []
    left_out = list(plan.left_out)
    with _folder_aside(target) as aside:
        for done, planned in enumerate(plan.cases):
            yield Progress(done, len(plan.cases), f"writing {planned.name}")
            try:
                case, correction = project.read_corrected(planned.folder, planned.state)
                correction = _in_scheme(correction, plan.scheme)
            except BrainsegError as error:
                left_out.append(str(error))
                continue
            _write_images(aside / "imagesTr", planned.name, case, plan.channels)
            layout.write_labels(aside, planned.name, case.geometry, correction)
            names.append(planned.name)
            if case.geometry.spacing is None:
                unspaced.append(planned.name)
        if not names:
            raise InputError(f"No case could be exported. {left_out[-1]}")
        described = json.dumps(layout.describe(plan, names), indent=1, ensure_ascii=False)
        write_text(aside / DATASET_FILE, described + "\n")
        yield Progress(len(plan.cases), len(plan.cases), f"{target.name} written")
    return ExportedDataSet(target, tuple(names), plan.channels, plan.scheme, tuple(unspaced), tuple(left_out))


def image_name(case: str, channel: int) -> str:
    """Return nnU-Net's name of an image: the case and the number of the channel, from 0, in four digits."""
    return f"{case}_{channel:04d}{FILE_ENDING}"


def _write_images(folder: Path, name: str, case: Case, channels: Sequence[str]) -> None:
    # Channels of one exam differ in codes and units of their headers; under one header their grids agree to the bit.
    def write(number: int) -> None:
        data = np.asarray(case.channels[channels[number]].data, np.float32)
        write_volume(data, case.geometry, folder / image_name(name, number))

    folder.mkdir(exist_ok=True)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(len(channels))))


def _in_scheme(correction: Correction, scheme: LabelScheme) -> Correction:
    labels = correction.scheme.convert(correction.labels, scheme)
    return replace(correction, labels=labels, scheme=scheme, predicted=None)


def _refuse(project: Project, target: Path, *, overwrite: bool) -> None:
    """Raise `OutputError` where the target must not be written, before any case is read."""
    refuse_unwritable(target.parent)
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"{target} is a file. Choose another folder.")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise OutputError(f"{target} exists. Choose another name, or allow it to be replaced (--overwrite).")
    if not ((target / DATASET_FILE).is_file() and (target / "imagesTr").is_dir()):
        raise OutputError(f"{target} holds something else than a data set, which is never replaced. Choose another.")
    place = Path(os.path.realpath(target))
    for folder in project.case_folders():
        source = read_state(folder).source
        files = source.folder(project.folder)
        if files is not None and Path(os.path.realpath(files)).is_relative_to(place):
            raise OutputError(f"{target} holds the images of {source.id} in this project. Choose another folder.")
    if Path(os.path.realpath(project.folder)).is_relative_to(place):
        raise OutputError(f"{target} holds the project itself. Choose another folder.")


@contextmanager
def _folder_aside(target: Path) -> Iterator[Path]:
    """Yield a folder beside `target` that takes its place, and its name, when the block ends well."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".writing-", dir=target.parent))
    except OSError as error:
        raise OutputError(f"{target.parent} cannot be written ({error.strerror}). Choose another folder.") from error
    try:
        aside = beside / target.name
        aside.mkdir()  # mkdtemp makes a folder for its owner alone
        yield aside
        if target.exists():
            target.rename(beside / "replaced")
        aside.rename(target)
    except OSError as error:
        if (beside / "replaced").exists() and not target.exists():
            (beside / "replaced").rename(target)
        raise OutputError(f"{target} could not be written ({error.strerror or error}). Choose another.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
