"""The labels of a case as far as they can be understood: values that no scheme has are told, not refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import InputError, LabelError
from napari_brainseg.cases.attaching import stored_labels
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray, LabelScheme, scheme_by_id
from napari_brainseg.cases.narrowing import candidate_schemes
from napari_brainseg.cases.reading import CaseFiles, OpenOptions, read_case
from napari_brainseg.cases.resampling import on_grid


@dataclass(frozen=True, eq=False)
class KnownLabels:
    """Labels of a case.

    Attributes:
        labels: Program values of `scheme`, (Z, Y, X); unknown values are background.
        scheme: The scheme by which they were read.
        unknown: Values on disk that the scheme does not have.
        unknown_voxels: Where they are, (N, 3).
    """

    labels: LabelArray
    scheme: LabelScheme
    unknown: tuple[int, ...] = ()
    unknown_voxels: NDArray[np.intp] = field(default_factory=lambda: np.zeros((0, 3), np.intp))


def open_case(files: CaseFiles, scheme: str | None = None) -> tuple[Case, KnownLabels | None]:
    """Read a case and what can be understood of its labels: None where there are none, or none that can be read.

    Raises:
        InputError: The images cannot be read.
        LabelError: There is no such scheme.
    """
    wanted = scheme_by_id(scheme) if scheme else None
    try:
        case = read_case(files, OpenOptions(scheme=scheme))
        found = case.labels
    except LabelError:  # the values do not all fit the scheme that was asked for
        case, found = read_case(files), None
    if found is not None:
        return case, KnownLabels(np.asarray(found.volume.data, np.uint8), found.scheme)
    if not case.label_paths:
        return case, None
    try:
        volume = on_grid(stored_labels(case, case.label_paths), case.geometry)
    except InputError:
        return case, None
    return case, None if volume is None else _understood(volume.data, wanted, case)


def _understood(values: NDArray[np.generic], wanted: LabelScheme | None, case: Case) -> KnownLabels:
    """Read values by the scheme that leaves the fewest voxels over."""
    present, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    candidates = (wanted,) if wanted else candidate_schemes(case.naming, case.id)
    tables = {s.id: _table(s, present, counts) for s in candidates}
    scheme = min(candidates, key=lambda s: int(counts[tables[s.id] < 0].sum()))
    read = tables[scheme.id][places.reshape(values.shape)]
    unknown = tuple(int(value) for value in present[tables[scheme.id] < 0])
    return KnownLabels(np.maximum(read, 0).astype(np.uint8), scheme, unknown, np.argwhere(read < 0))


def _table(scheme: LabelScheme, present: NDArray[np.generic], counts: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the program value of each value that is present, -1 where the scheme has none."""
    readings = [{0: 0, **{c.disk: c.value for c in scheme.classes}}]
    if scheme.also_on_disk:
        readings.append({0: 0, **{value: number for number, value in enumerate(scheme.also_on_disk, 1)}})
    tables = [np.array([reading.get(int(v), -1) for v in present], np.int64) for reading in readings]
    return min(tables, key=lambda table: int(counts[table < 0].sum()))
