"""What a results folder of nnU-Net v2 says of its model, in `dataset.json` and `plans.json`. JSON alone is read.

Layout: `nnUNet_results/DatasetNNN_Name/Trainer__Plans__configuration/{dataset.json, plans.json, fold_0/…}`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from napari_brainseg.base.errors import InputError, LabelError, ModelError
from napari_brainseg.cases.label_names import added_by_each, classes_of, regions_of
from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.cases.nifti import is_nifti_name, stored_affine
from napari_brainseg.cases.orientations import USUAL, letters_of
from napari_brainseg.model_store.described import (
    AddSettings,
    Described,
    group,
    in_order,
    read_description,
    values_of_scheme,
)
from napari_brainseg.model_store.external import NNUNET, External, digests_of

_DATASET, _PLANS = "dataset.json", "plans.json"
_RAW = "nnUNet_raw"  # the variable, and the usual name of the folder
_PICTURES = (".png", ".bmp", ".tif", ".tiff", ".jpg")
_LOOKED_AT = 50  # training images whose order of axes is read


def results_folder(path: Path) -> Path | None:
    """Return the folder of one trained configuration: this one, or the only one in it; None where there is none.

    Raises:
        ModelError: There are several.
    """
    if (path / _DATASET).is_file() and (path / _PLANS).is_file():
        return path
    found = sorted({file.parent for depth in ("*", "*/*") for file in path.glob(f"{depth}/{_PLANS}")})
    if len(found) > 1:
        names = ", ".join(str(folder.relative_to(path)) for folder in found[:5])
        raise ModelError(f"{path} holds {len(found)} trained configurations ({names}). Choose one of them.")
    return found[0] if found else None


def describe_nnunet(folder: Path, settings: AddSettings) -> Described:
    """Return what a results folder says of its model.

    Raises:
        ModelError: A file is missing or says something that cannot be used.
        LabelError: The labels are not known here, and no scheme was given.
    """
    dataset, plans = read_description(folder / _DATASET), read_description(folder / _PLANS)
    configuration = folder.name.rpartition("__")[2]
    if group(plans, "configurations", configuration).get("previous_stage"):
        raise ModelError(
            f"{folder} is the second stage of a cascade, which needs the first one's result. Choose 3d_fullres, "
            "3d_lowres or 2d."
        )
    ending = str(dataset.get("file_ending", ".nii.gz"))
    if ending.lower() in _PICTURES:
        raise ModelError(f"{folder} was trained on {ending} pictures, not on volumes. Choose another model.")
    folds = _folds(folder, settings)
    scheme, values = _labels(folder, dataset, settings.scheme)
    name = str(plans.get("dataset_name") or folder.parent.name)
    orientation, source = _orientation(folder, name, plans)
    files = [folder / _DATASET, folder / _PLANS, *(folder / f"fold_{f}" / settings.checkpoint for f in folds)]
    external = External(
        kind=NNUNET,
        path=folder,
        python=Path(),
        values={0: 0, **values},
        orientation=orientation,
        digests=digests_of(folder, files),
        runs_code=settings.allow_code,
        folds=folds,
        checkpoint=settings.checkpoint,
    )
    told = f"{name}, {configuration}, {'fold' if len(folds) == 1 else 'folds'} {', '.join(folds)}"
    words = in_order(group(dataset, "channel_names") or group(dataset, "modality"))
    return Described(f"nnU-Net: {told}", words, scheme, external, source)


def _folds(folder: Path, settings: AddSettings) -> tuple[str, ...]:
    """Return the folds that are averaged: those asked for, else all that are numbered, else `all`."""
    there = sorted(path.parent.name.removeprefix("fold_") for path in folder.glob(f"fold_*/{settings.checkpoint}"))
    missing = [fold for fold in settings.folds if fold not in there]
    if missing or not there:
        which = f"fold_{missing[0]}" if missing else "any of its folds"
        others = ", ".join(sorted({path.name for path in folder.glob("fold_*/*.pth")}))
        hint = f" Choose another with --checkpoint: {others}." if others else " Choose a folder with trained folds."
        raise ModelError(f"{folder} has no {settings.checkpoint} in {which}.{hint}")
    return settings.folds or tuple(fold for fold in there if fold.isdecimal()) or tuple(there)


def _labels(folder: Path, dataset: Mapping[str, Any], scheme: LabelScheme | None) -> tuple[LabelScheme, dict[int, int]]:
    """Return the scheme of the labels that it writes, and the program value of each."""
    labels = {k: v for k, v in group(dataset, "labels").items() if k not in ("background", "ignore")}
    overlap = any(isinstance(value, list) and len(value) > 1 for value in labels.values())
    names, given = list(labels), dataset.get("regions_class_order") if overlap else labels.values()
    try:
        values = [int(one[0] if isinstance(one, list) else one) for one in given or ()]
        if not values or len(values) != len(names):
            raise ValueError
        if scheme is not None:
            return scheme, values_of_scheme(scheme, values)
        if overlap:
            found, regions = regions_of(names)
            return found, added_by_each(dict(zip(values, regions, strict=True)))
        found, program = classes_of(names, values)
        return found, dict(zip(values, program, strict=True))
    except (ValueError, TypeError, IndexError) as error:
        raise ModelError(f"{folder / _DATASET} has no usable labels. Choose another folder.") from error
    except LabelError as error:
        raise LabelError(
            f"{folder / _DATASET}: {error} Say whose values its labels are with --scheme (brats2017, brats2023, msd …)."
        ) from error


def _orientation(folder: Path, dataset: str, plans: Mapping[str, Any]) -> tuple[str, str]:
    """Return the order of axes of the images that it learnt from, and what says so; `LPS` where nothing does.

    nnU-Net writes it down nowhere. One of its readers turns every image itself; else the raw data set, where it is
    still there, tells.
    """
    if str(plans.get("image_reader_writer", "")).endswith("Reorient"):
        return USUAL, f"{_PLANS}: it turns images itself"
    for raw in _raw_folders(folder):
        images = sorted(path for path in (raw / dataset / "imagesTr").glob("*") if is_nifti_name(path))
        orders = set(filter(None, map(_stored_order, islice(images, _LOOKED_AT))))
        if len(orders) == 1:
            return orders.pop(), f"the training images in {raw / dataset}"
        if orders:
            return "", f"the training images in {raw / dataset}, which are {', '.join(sorted(orders))}"
    return USUAL, ""


def _raw_folders(folder: Path) -> Iterator[Path]:
    if os.environ.get(_RAW):
        yield Path(os.environ[_RAW])
    yield from (parent / _RAW for parent in islice(folder.absolute().parents, 4))


def _stored_order(path: Path) -> str:
    try:
        affine = stored_affine(path)
    except InputError:
        return ""
    return "" if affine is None else letters_of(affine)
