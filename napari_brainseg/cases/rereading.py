"""Reading a case again with other channels: what a person settled before is settled the same way again."""

from __future__ import annotations

from dataclasses import replace

from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.cases.attaching import attach_labels, reread_labels
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.reading import CaseFiles, OpenOptions, read_case, resample_onto_grid, with_spacing


def read_again(files: CaseFiles, options: OpenOptions, former: Case) -> Case:
    """Read a case by `options`, with the spacing, labels and resampled channels that it had as `former`.

    Raises:
        InputError, AlignmentError, LabelError: As `read_case`.
    """
    case = read_case(files, options)
    if case.geometry.affine is None and former.geometry.spacing not in (None, case.geometry.spacing):
        case = with_spacing(case, former.geometry.spacing)
    if case.geometry.same_grid(former.geometry):
        # On the same grid a file that was stacked before, and does not lie on it, had been resampled.
        stacked = {former.paths.get(name) for name in former.channels}
        for name in tuple(case.off_grid):
            if case.paths[name] in stacked:
                case = resample_onto_grid(case, name)
    return _with_labels_of(case, former)


def _with_labels_of(case: Case, former: Case) -> Case:
    wanted, own = former.labels, case.labels
    if wanted is None or wanted.path is None:
        return case
    try:
        if own is None or own.path != wanted.path:
            return attach_labels(case, wanted.path, None if wanted.assumed else wanted.scheme.id)
        return case if own.scheme == wanted.scheme else reread_labels(case, wanted.scheme.id)
    except BrainsegError as error:  # other channels may mean another grid
        return replace(case, notes=(*case.notes, f"{error} The labels that were attached are left off."))
