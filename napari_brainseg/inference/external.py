"""Run a model of another program on a case: images out as NIfTI, a child process in its environment, labels back in."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import BrainsegError, Cancelled, InputError, LabelError, ModelError, OutputError
from napari_brainseg.base.paths import user_data
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.cases.nifti import read_volumes, write_volume
from napari_brainseg.cases.orientations import stored_as
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.inference.child_process import run_child
from napari_brainseg.inference.postprocessing import last_steps
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.consent import require_allowed
from napari_brainseg.model_store.domain import unlike_in_words
from napari_brainseg.model_store.external import BUNDLE, External
from napari_brainseg.model_store.preprocessing import require_channels
from napari_brainseg.model_store.store import ModelRecord

CHILD = Path(__file__).with_name("external_child.py")
_NEAR = 0.05  # mm by which a grid that was written by another library may be off


def segment_elsewhere(
    case: Case, record: ModelRecord, settings: SegmentSettings, token: CancelToken
) -> Generator[Progress, None, Segmentation]:
    """Segment a case with an external model; as `engine.segment`, but labels alone and always from the whole case.

    Raises:
        InputError: The case has none of the model's channels.
        LabelError: It gave values that are none of its labels.
        ModelError: It may not run, its files have changed, or its program failed.
        OutputError: There is no room for the images.
        Cancelled: The token was cancelled.
    """
    external = record.external
    assert external is not None
    times = {"start": time.perf_counter()}
    require_channels(case, record.channels)
    require_allowed(record)
    yield Progress(0, 0, "checking the model's files")
    external.refuse_changed(record.name)
    geometry = stored_as(case.geometry, external.orientation)
    with _working_folder() as folder, _log(record.name) as log:
        yield Progress(0, 0, "handing over the images")
        job = _write_job(case, record, settings, (folder, geometry))
        times["prepare"] = time.perf_counter()
        yield from run_child([external.python, "-I", CHILD, job], folder, log, token)
        times["network"] = time.perf_counter()
        labels = labels_from(_read_result(folder, record.name), geometry, record)
    yield Progress(0, 0, "finishing")
    if settings.slices is not None:
        first, last = settings.slices
        labels[:first], labels[last:] = 0, 0
    labels, told = last_steps(labels, case, record, settings)
    times["labels"] = time.perf_counter()
    stages = list(times)
    return Segmentation.for_case(
        case,
        labels,
        record.scheme,
        model=f"{record.name} {record.version}",
        seconds={stage: times[stage] - times[before] for before, stage in pairwise(stages)},
        notes=(*unlike_in_words(case, [record]), *_not_given(record, external, settings), *told),
    )


def labels_from(given: Sequence[Volume], geometry: Geometry, record: ModelRecord) -> LabelArray:
    """Return program values (Z, Y, X) from what an external model gave: one label map, or a channel for each region.

    Raises:
        LabelError: A value is none of the model's labels.
        ModelError: The grid is not that of the case, or the channels are not those of the model.
    """
    external = record.external
    assert external is not None
    for volume in given:
        if not volume.geometry.same_grid(geometry, _NEAR):
            raise ModelError(
                f"{record.name} gave labels on another grid ({volume.geometry.describe()}) than the images "
                f"({geometry.describe()}), so they are not used. Its last step should return to the grid of its input."
            )
    if len(given) == 1:
        return _from_values(given[0].data, external.values, record.name)
    if len(given) != len(external.regions):
        expected = f"{len(external.regions)} were expected" if external.regions else "one label map was expected"
        raise ModelError(f"{record.name} gave {len(given)} channels, where {expected}. Add it again with --scheme.")
    channels = [volume.data for volume in given]
    if () in external.regions:
        table = np.array([region[0] if region else 0 for region in external.regions], np.uint8)
        return np.asarray(table[np.argmax(np.stack(channels), axis=0)])
    labels = np.zeros(geometry.shape, np.uint8)
    # The outermost first: each adds the classes that those inside it do not have.
    for region, channel in sorted(zip(external.regions, channels, strict=True), key=lambda one: -len(one[0])):
        inner = {value for other in external.regions if set(other) < set(region) for value in other}
        own = [value for value in region if value not in inner] or list(region)
        labels[np.greater(channel, 0.5)] = own[0]
    return labels


def _from_values(array: NDArray[np.generic], values: Mapping[int, int], name: str) -> LabelArray:
    found = np.unique(array)
    unknown = [value for value in found if value not in values]
    if unknown:
        meant = f"whose labels are {', '.join(map(str, values))}" if values else "whose labels have no values"
        raise LabelError(
            f"{name}, {meant}, gave the value {unknown[0]:g}. Add it again with --scheme, which says whose values its "
            "labels are."
        )
    table = np.zeros(int(found[-1]) + 1, np.uint8)
    for value in found:
        table[int(value)] = values[int(value)]
    return np.asarray(table[array.astype(np.intp)])


def _write_job(case: Case, record: ModelRecord, settings: SegmentSettings, place: tuple[Path, Geometry]) -> Path:
    """Write the images, a channel that the case lacks as zeros, and what the child must know; return its file."""
    (folder, geometry), external = place, record.external
    assert external is not None
    images = []
    for number, name in enumerate(record.channels):
        volume = case.channels.get(name)
        data = np.zeros(geometry.shape, np.float32) if volume is None else volume.data.astype(np.float32, copy=False)
        images.append(folder / f"case_{number:04d}.nii")
        try:
            write_volume(data, geometry, images[-1])
        except OutputError as error:
            raise OutputError(
                f"There is no room for the images of {case.id} in {folder.parent}: {error} Free some, or set TMPDIR to "
                "another folder."
            ) from error
    job = {
        "kind": external.kind,
        "path": str(external.path),
        "folder": str(folder),
        "images": list(map(str, images)),
        "result": str(_result(folder)),
        "device": settings.device,
        "flips": settings.flips,
        "runs_code": external.runs_code,
        "folds": list(external.folds),
        "checkpoint": external.checkpoint,
        "config": external.config,
        "image_key": external.keys[0],
        "result_key": external.keys[1],
    }
    path = folder / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    return path


def _result(folder: Path) -> Path:
    return folder / "result.nii.gz"


def _read_result(folder: Path, name: str) -> tuple[Volume, ...]:
    try:
        return read_volumes(_result(folder))
    except InputError as error:
        raise ModelError(f"What {name} gave cannot be read: {error}") from error


def _not_given(record: ModelRecord, external: External, settings: SegmentSettings) -> Iterator[str]:
    """Yield what was asked for and an external model does not do."""
    if settings.probabilities:
        yield f"{record.name} gives labels alone, so there are no probabilities."
    if settings.flips and external.kind == BUNDLE:
        yield f"{record.name} was not averaged over flips: a bundle says itself how it is run."
    if settings.slices is not None:
        yield f"{record.name} worked on the whole case; the slices that were asked for are kept."


@contextmanager
def _working_folder() -> Iterator[Path]:
    """Give an empty folder that vanishes with all that the child leaves there."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="brainseg-"))
    except OSError as error:
        raise OutputError(f"{tempfile.gettempdir()} cannot be written ({error.strerror}). Set TMPDIR.") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _log(name: str) -> Iterator[Path]:
    """Give the file for what the child's libraries print; it is kept only where something went wrong."""
    path = user_data() / "logs" / f"{name}-{os.getpid()}-{time.time_ns()}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be written ({error.strerror}). Set BRAINSEG_HOME.") from error
    failed = False
    try:
        yield path
    except Cancelled:
        raise
    except BrainsegError:
        failed = True
        raise
    finally:
        if not failed:
            path.unlink(missing_ok=True)
