"""Labels on disk as comparisons: a case's prediction and reference on one grid and in one scheme."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import AlignmentError, InputError, LabelError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Naming
from napari_brainseg.cases.labels import LGG, LabelArray, LabelScheme, values_of
from napari_brainseg.cases.narrowing import Reading, read_as
from napari_brainseg.cases.nifti import read_label_values, read_volume, stem_of
from napari_brainseg.cases.resampling import grids_differ, on_grid
from napari_brainseg.cases.slices import is_tif_name, read_mask_stack, read_slices, slice_of_mask
from napari_brainseg.cases.volume import Geometry, Spacing, Volume
from napari_brainseg.evaluation.case_scores import Comparison
from napari_brainseg.evaluation.evaluating import Load
from napari_brainseg.evaluation.label_files import LabelFiles, find_label_files, unmatched
from napari_brainseg.evaluation.parts import part_names

_Readings = tuple[Reading, Reading]


@dataclass(frozen=True)
class PairOptions:
    """What a person may settle when the files do not.

    Attributes:
        scheme: Id of the scheme of the references, and of predictions that have none of their own.
        prediction_scheme: Id of the scheme of the predictions.
        spacing: mm along (Z, Y, X), for files that say none.
    """

    scheme: str | None = None
    prediction_scheme: str | None = None
    spacing: Spacing | None = None


@dataclass(frozen=True)
class Pair:
    """The files of one case."""

    case_id: str
    prediction: LabelFiles
    reference: LabelFiles


def match(predictions: Path, references: Path) -> tuple[dict[str, Pair], tuple[str, ...]]:
    """Return the pairs of labels by case, and a sentence for what has no partner. Two files are always a pair.

    Raises:
        InputError: A path does not exist or holds no labels, or no case is on both sides.
    """
    found, true = find_label_files(predictions), find_label_files(references)
    if predictions.is_file() and references.is_file():
        (prediction,), (reference,) = found.values(), true.values()
        return {reference.case_id: Pair(reference.case_id, prediction, reference)}, ()
    pairs = {name: Pair(name, found[name], true[name]) for name in true if name in found}
    if not pairs:
        raise InputError(
            f"No case of {predictions} ({_some(found)}) is in {references} ({_some(true)}). "
            "Predictions are matched by the names of their cases: choose other folders."
        )
    return pairs, unmatched(found, true)


def _some(found: dict[str, LabelFiles]) -> str:
    names = list(found)
    return ", ".join(names[:2]) + (" …" if len(names) > 2 else "")


def loader(pairs: dict[str, Pair], options: PairOptions) -> Load:
    """Return how the comparison of a case is read; it raises a `BrainsegError` for files that cannot be compared."""

    def load(case_id: str) -> Generator[Progress, None, Comparison]:
        yield Progress(0, 0, f"reading {case_id}")
        return read_pair(pairs[case_id], options)

    return load


def read_pair(pair: Pair, options: PairOptions) -> Comparison:
    """Read a case's two labels, and the probabilities beside the prediction.

    Raises:
        InputError: A file cannot be read, or slices are missing on one side.
        AlignmentError: The two lie on different grids.
        LabelError: Values of no scheme, or schemes of which neither can hold the other.
    """
    values, predicted = _values(pair.reference), _values(pair.prediction)
    if is_tif_name(pair.reference.files[0]) and is_tif_name(pair.prediction.files[0]):
        _refuse_other_slices(pair)
    aligned = on_grid(predicted, values.geometry)
    if aligned is None:
        name, other = pair.prediction.files[0], pair.reference.files[0]
        differ = grids_differ(str(name), predicted.geometry, str(other), values.geometry)
        raise AlignmentError(f"{differ}. Write the prediction on the grid of its case.")
    found, truth = _readings(aligned.data, values.data, pair, options)
    labels, true_labels, scheme = in_one_scheme((found.labels, found.scheme), (truth.labels, truth.scheme))
    spacing = values.geometry.spacing or options.spacing
    return Comparison(
        case_id=pair.case_id,
        prediction=labels,
        truth=true_labels,
        scheme=scheme,
        spacing=spacing,
        probabilities=_probabilities(pair.prediction, values.geometry, scheme),
        notes=(*pair.prediction.notes, *pair.reference.notes, *_assumptions(pair, found, truth)),
    )


def in_one_scheme(
    prediction: tuple[LabelArray, LabelScheme], truth: tuple[LabelArray, LabelScheme]
) -> tuple[LabelArray, LabelArray, LabelScheme]:
    """Return both labels in the scheme of the truth or, where it cannot hold the prediction, the other way round.

    Raises:
        LabelError: Neither scheme can hold the labels of the other.
    """
    (found, own), (true, scheme) = prediction, truth
    try:
        return own.convert(found, scheme), true, scheme
    except LabelError as error:
        try:
            return found, scheme.convert(true, own), own
        except LabelError:
            raise error from None


def _values(labels: LabelFiles) -> Volume:
    if not is_tif_name(labels.files[0]):
        return read_label_values(labels.files[0])
    return read_mask_stack(labels.files)


def _refuse_other_slices(pair: Pair) -> None:
    found, true = ({f.stem.lower() for f in side.files} for side in (pair.prediction, pair.reference))
    if len(pair.prediction.files) == len(pair.reference.files) == 1 or found == true:
        return
    missing, more = sorted(true - found), sorted(found - true)
    if missing:
        raise InputError(
            f"{pair.prediction.folder} lacks {len(missing)} of the {len(true)} masks of {pair.case_id}, the first is "
            f"{missing[0]}.tif. Segment the case again."
        )
    raise InputError(
        f"{pair.reference.folder} lacks {len(more)} of the {len(found)} masks of {pair.case_id}, the first is "
        f"{more[0]}.tif. Choose the reference of the whole case."
    )


def _readings(found: NDArray[np.generic], true: NDArray[np.generic], pair: Pair, options: PairOptions) -> _Readings:
    """Understand the values of both, each by its name unless the other side tells more."""
    prediction, reference = pair.prediction, pair.reference
    chosen = options.scheme
    # Slices have one scheme alone; a reference that goes with them as NIfTI carries nothing that tells it.
    if chosen is None and prediction.naming is Naming.LGG and LGG.fits(values_of(true)):
        chosen = LGG.id
    truth = read_as(true, reference.naming, reference.case_id, chosen, str(reference.files[0]))
    chosen = options.prediction_scheme or options.scheme
    alike = prediction.naming is reference.naming or truth.scheme is LGG
    if chosen is None and alike and truth.scheme.fits(values_of(found)):
        chosen = truth.scheme.id
    return read_as(found, prediction.naming, prediction.case_id, chosen, str(prediction.files[0])), truth


def _assumptions(pair: Pair, found: Reading, truth: Reading) -> tuple[str, ...]:
    if found.scheme is truth.scheme or not (found.assumed or truth.assumed):
        return ()
    return (
        f"{pair.prediction.files[0].name} was read as {found.scheme.title} and {pair.reference.files[0].name} as "
        f"{truth.scheme.title}, told by their names. Name the schemes if that is wrong.",
    )


def _probabilities(labels: LabelFiles, grid: Geometry, scheme: LabelScheme) -> dict[str, NDArray[np.floating]]:
    """Return the maps beside the prediction, as `brainseg segment --probabilities` writes them, by part."""
    maps: dict[str, NDArray[np.floating]] = {}
    for ending, part in part_names(scheme).items():
        if is_tif_name(labels.files[0]):
            files = [f.with_name(f"{slice_of_mask(f.stem) or f.stem}_probability-{ending}.tif") for f in labels.files]
        else:
            stems = dict.fromkeys((labels.case_id, stem_of(labels.files[0])))
            named = [
                labels.folder / f"{s}_probability-{ending}{suffix}" for s in stems for suffix in (".nii.gz", ".nii")
            ]
            files = [file for file in named if file.is_file()][:1]
        if files and all(file.is_file() for file in files):
            maps[part] = _map(files, grid)
    return maps


def _map(files: list[Path], grid: Geometry) -> NDArray[np.floating]:
    if is_tif_name(files[0]):
        stack = read_slices(files)[0]
        volume: Volume | None = Volume(stack, grid) if stack.shape == grid.shape else None
    else:
        volume = on_grid(read_volume(files[0]), grid)
    if volume is None:
        raise AlignmentError(
            f"{files[0]} lies on another grid than the labels beside it. Remove it, or write it again."
        )
    data = volume.data.astype(np.float32, copy=False)
    if data.min() < 0 or data.max() > 1:
        raise InputError(
            f"{files[0]} holds values from {data.min():.3g} to {data.max():.3g}, which are no probabilities. "
            "Remove it, or write it again."
        )
    return data
