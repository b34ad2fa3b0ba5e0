"""Writing labels on the grid of their source, under names that follow the source's style."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.base.errors import OutputError
from napari_brainseg.cases.case import Naming
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.cases.nifti import is_nifti_name, write_volume
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.slices import is_tif_name, patient_and_number, write_slice

_ENDING = {Naming.BRATS_2023: "-seg", Naming.NNUNET: "", Naming.DECATHLON: ""}  # the others: _seg


def write_labels(
    result: Segmentation, path: Path | str, *, scheme: LabelScheme | None = None, overwrite: bool = False
) -> Path:
    """Write the labels as one file and return its path: NIfTI on the source's grid, or, for slices, a tif of 0 and 255.

    Args:
        result: What to write.
        path: `.nii`, `.nii.gz`, or `.tif` where the source has no place in space; `.nii.gz` is added to other names.
        scheme: The values to write; by default `result.write_scheme`.
        overwrite: Whether an existing file is replaced. A file of the case itself never is.

    Raises:
        LabelError: A voxel of no class, or a class that the scheme cannot hold.
        OutputError: The file exists or belongs to the case, or the place cannot be written.
    """
    target = with_suffix(Path(path))
    if target.is_dir():
        raise OutputError(f"{target} is a folder. Give the name of a file in it.")
    disk = _on_disk(result, scheme)
    _refuse_source(result, (target,))
    if not is_tif_name(target):
        write_volume(disk, result.geometry, target, overwrite=overwrite)
        return target
    if result.geometry.affine is not None:
        raise OutputError(
            f"{target.name}: a tif cannot say where {result.case_id} lies in space. Write .nii.gz instead."
        )
    write_slice(disk[0] if len(disk) == 1 else disk, target, overwrite=overwrite)
    return target


def with_suffix(path: Path) -> Path:
    """Return the path with `.nii.gz` added where it ends with neither a NIfTI nor a tif suffix."""
    known = is_nifti_name(Path(path.name.lstrip("."))) or is_tif_name(Path(path.name.lstrip(".")))
    return path if known else path.with_name(f"{path.name.removesuffix('.nii.').removesuffix('.')}.nii.gz")


def output_paths(result: Segmentation, folder: Path | str) -> tuple[Path, ...]:
    """Return the files that `write_outputs` writes labels to: one NIfTI file, or one mask per slice."""
    folder = Path(folder)
    if result.naming is Naming.LGG and result.slice_names:
        return tuple(folder / patient_and_number(name)[0] / f"{name}_mask.tif" for name in result.slice_names)
    return (folder / f"{result.case_id}{_ENDING.get(result.naming, '_seg')}.nii.gz",)


def map_paths(
    result: Segmentation, folder: Path | str, *, probabilities: bool = False, uncertainty: bool = False
) -> tuple[Path, ...]:
    """Return the files that `write_outputs` writes maps to, beside the labels."""
    return tuple(_maps(result, output_paths(result, folder), probabilities, uncertainty))


def write_outputs(
    result: Segmentation,
    folder: Path | str,
    *,
    scheme: LabelScheme | None = None,
    probabilities: bool = False,
    uncertainty: bool = False,
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Write labels, and float maps beside them, under names of the source's style; return the labels' paths.

    Args:
        result: What to write.
        folder: Where to.
        scheme: The values to write; by default `result.write_scheme`.
        probabilities: Whether the probability maps are written: `…_probability-WT.nii.gz`.
        uncertainty: Whether its map is written, and the variance where there is one: `…_uncertainty-entropy.nii.gz`.
        overwrite: Whether existing files are replaced. Those of the case itself never are.

    Raises:
        LabelError: A voxel of no class, or a class that the scheme cannot hold.
        OutputError: A file exists or belongs to the case (nothing is written then), or the place cannot be written.
    """
    paths = output_paths(result, folder)
    disk = _on_disk(result, scheme)
    maps = _maps(result, paths, probabilities, uncertainty)
    _refuse_source(result, (*paths, *maps))
    existing = [path for path in (*paths, *maps) if path.exists()]
    if existing and not overwrite:
        raise OutputError(f"{existing[0]} exists. Choose another folder, or allow it to be replaced.")
    if is_tif_name(paths[0]):
        for path, plane in zip(paths, disk, strict=True):
            write_slice(plane, path, overwrite=overwrite)
    else:
        write_volume(disk, result.geometry, paths[0], overwrite=overwrite)
    for path, stored in maps.items():
        values = stored.astype(np.float32)
        if is_tif_name(path):
            write_slice(values, path, overwrite=overwrite)
        else:
            write_volume(values, result.geometry, path, overwrite=overwrite)
    return paths


def _on_disk(result: Segmentation, scheme: LabelScheme | None) -> LabelArray:
    scheme = scheme or result.write_scheme
    return scheme.to_disk(result.scheme.convert(result.labels, scheme))


def _maps(
    result: Segmentation, paths: tuple[Path, ...], probabilities: bool, uncertainty: bool
) -> dict[Path, NDArray[np.float16]]:
    """Return what is written beside the labels: one map per name and file."""
    named: dict[str, NDArray[np.float16]] = {}
    if probabilities:
        if result.probabilities is None:
            raise OutputError(f"{result.case_id} has no probabilities to write. Segment it with probabilities first.")
        for name, values in zip(result.probability_names, result.probabilities, strict=True):
            named["probability-" + re.sub(r"\W+", "-", name).strip("-")] = values
    if uncertainty:
        if result.uncertainty is None:
            raise OutputError(f"{result.case_id} has no uncertainty to write. Segment it with uncertainty first.")
        named[f"uncertainty-{result.uncertainty_name}"] = result.uncertainty
        if result.variance is not None:
            named["uncertainty-variance"] = result.variance
    maps: dict[Path, NDArray[np.float16]] = {}
    for name, values in named.items():
        if not is_tif_name(paths[0]):
            maps[paths[0].with_name(f"{result.case_id}_{name}.nii.gz")] = values
            continue
        for path, stem, plane in zip(paths, result.slice_names, values, strict=True):
            maps[path.with_name(f"{stem}_{name}.tif")] = plane
    return maps


def _refuse_source(result: Segmentation, targets: Iterable[Path]) -> None:
    sources = {identity for path in result.reference_paths for identity in _identities(path)}
    for target in targets:
        if sources & _identities(target):
            raise OutputError(
                f"{target} belongs to the case {result.case_id} itself and is never written. Choose another place."
            )


def _identities(path: Path) -> set[Path | tuple[int, int]]:
    """Return what makes a file the same under another name: the path without links, and device and inode."""
    found: set[Path | tuple[int, int]] = {path.resolve()}
    if path.exists():
        status = path.stat()
        found.add((status.st_dev, status.st_ino))
    return found
