"""Which files make up a case: folders and files are grouped by their names; no voxel is read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import LGG_CHANNELS, Naming
from napari_brainseg.cases.dataset_description import description_beside
from napari_brainseg.cases.naming import DECATHLON_ORDER, NNUNET_ORDER, FileRole, Kind, role_of
from napari_brainseg.cases.nifti import is_nifti_name, stem_of, stored_shape
from napari_brainseg.cases.slices import is_tif_name, patient_and_number, slice_of_mask

_DEPTH = 3  # BraTS 2018: root / HGG / case


@dataclass(frozen=True)
class CaseFiles:
    """The files of one case.

    Attributes:
        id: The case's name.
        naming: The style of the names.
        channels: Files by channel, in the order of the field; one path for NIfTI, the slices in order for tifs.
            Channels that share their files are the volumes of a 4-D file, or the colours of tifs, in this order.
        labels: Files of reference labels.
        undecided: Images whose channel the names do not tell.
        folder: Where they lie.
        notes: One sentence for each thing that was assumed.
        beside: Labels of the case that lie beside files which were listed one by one: not opened, and never written.
    """

    id: str
    naming: Naming
    channels: Mapping[str, tuple[Path, ...]]
    labels: tuple[Path, ...] = ()
    undecided: tuple[Path, ...] = ()
    folder: Path = Path()
    notes: tuple[str, ...] = ()
    beside: tuple[Path, ...] = ()


def find_cases(path: os.PathLike[str] | str | Sequence[os.PathLike[str] | str]) -> list[CaseFiles]:
    """Return the cases under a folder, of a file, or of several files and folders together, in natural order.

    Raises:
        InputError: A path does not exist or cannot be read, or nothing there is an image.
    """
    paths = [Path(path)] if isinstance(path, (str, os.PathLike)) else [Path(p) for p in path]
    if not paths:
        raise InputError("No file was given. Choose a case folder or its files.")
    try:
        cases = _found(paths)
    except OSError as error:
        place = error.filename or paths[0]
        raise InputError(
            f"{place} cannot be read ({error.strerror or error}). Check the path and its permissions."
        ) from error
    if not cases:
        raise InputError(f"{paths[0]} holds no NIfTI image and no tif slice. Choose a case folder or its files.")
    return sorted(cases, key=lambda case: _natural(case.id))


def _found(paths: Sequence[Path]) -> list[CaseFiles]:
    by_folder: dict[Path, list[Path]] = {}
    cases: list[CaseFiles] = []
    for given in paths:
        if given.is_dir():
            cases += _in_folder(given, _DEPTH)
        elif given.stat():
            by_folder.setdefault(given.parent, []).append(_known(given))
    for folder, group in by_folder.items():
        cases += _cases_of(group, folder, listed=True)
    return _merge_split(cases) if len(by_folder) > 1 else cases


def _known(file: Path) -> Path:
    if not (is_nifti_name(file) or is_tif_name(file)):
        raise InputError(f"{file} is neither NIfTI (.nii, .nii.gz) nor tif. Choose another file.")
    return file


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def _in_folder(folder: Path, depth: int) -> list[CaseFiles]:
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    files = [entry for entry in entries if (is_nifti_name(entry) or is_tif_name(entry)) and entry.is_file()]
    cases = _cases_of(files, folder)
    if depth == 0 or any(case.channels for case in cases):
        return cases
    folders = [entry for entry in entries if entry.is_dir()]
    # A data set's root has its images apart from its labels.
    images = [entry for entry in folders if entry.name.startswith("images")]
    below = [_in_folder(entry, depth - 1) for entry in images or folders]
    found = [case for cases_below in below for case in cases_below]
    if cases and not any(case.channels for case in found):
        return cases  # else what lies above the cases, a template or an atlas, is none of them
    if len(found) > 1 and all(len(cases_below) <= 1 for cases_below in below):
        return _one_folder_per_channel(found, folder)
    return found


def _one_folder_per_channel(cases: list[CaseFiles], folder: Path) -> list[CaseFiles]:
    """Join cases that are one channel each, none twice: a case whose files lie in a folder each."""
    names = [name for case in cases for name in case.channels]
    single = all(case.naming is not Naming.LGG and len(case.channels) + len(case.labels) == 1 for case in cases)
    if not single or len(set(names)) != len(names) or len(names) < 2:
        return cases
    files = [path for case in cases for paths in (*case.channels.values(), case.labels) for path in paths]
    joined = _cases_of(files, folder)
    return joined if len(joined) == 1 else cases


def _merge_split(cases: list[CaseFiles]) -> list[CaseFiles]:
    """Join cases of one name whose files were listed from several folders."""
    merged: dict[str, CaseFiles] = {}
    for case in cases:
        other = merged.get(case.id)
        if other is None or other.naming is not case.naming or set(other.channels) & set(case.channels):
            merged[case.id if other is None else f"{case.folder}/{case.id}"] = case
            continue
        merged[case.id] = replace(
            other,
            channels={**other.channels, **case.channels},
            labels=other.labels + case.labels,
            undecided=other.undecided + case.undecided,
            beside=other.beside + case.beside,
        )
    return list(merged.values())


def _cases_of(files: Sequence[Path], folder: Path, *, listed: bool = False) -> list[CaseFiles]:
    tifs = [file for file in files if is_tif_name(file)]
    niftis = [file for file in files if not is_tif_name(file)]
    cases = _named_by_folder(_nifti_cases(niftis, folder), folder, listed=listed)
    if listed and niftis:
        everything = _nifti_cases(sorted(entry for entry in folder.iterdir() if is_nifti_name(entry)), folder)
        cases = [replace(case, beside=_labels_beside(case, everything)) for case in cases]
    return _tif_cases(tifs, folder, listed=listed) + cases


def _labels_beside(case: CaseFiles, everything: Sequence[CaseFiles]) -> tuple[Path, ...]:
    """Return the labels that the case would have if its whole folder had been opened, less those that it has."""
    mine = set(_images(case))
    return tuple(
        path for whole in everything if mine & {*_images(whole)} for path in whole.labels if path not in case.labels
    )


def _images(case: CaseFiles) -> list[Path]:
    return [*case.undecided, *(path for paths in case.channels.values() for path in paths)]


def _tif_cases(files: Sequence[Path], folder: Path, *, listed: bool) -> list[CaseFiles]:
    patients: dict[str, list[Path]] = {}
    masks = {stem: file for file in files if (stem := slice_of_mask(file.stem)) is not None}
    images = [file for file in files if slice_of_mask(file.stem) is None and "_probability" not in file.stem]
    for file in images:
        patients.setdefault(patient_and_number(file.stem)[0], []).append(file)
    cases = []
    for patient, slices in patients.items():
        slices.sort(key=lambda file: (patient_and_number(file.stem)[1] or 0, file.name))
        beside = [masks.get(file.stem, file.with_name(f"{file.stem}_mask{file.suffix}")) for file in slices]
        labels = tuple(mask for mask in beside if mask.is_file())
        # One slice that was asked for alone is a case of its own, not the patient.
        name = slices[0].stem if listed and len(slices) == 1 else patient
        cases.append(CaseFiles(name, Naming.LGG, dict.fromkeys(LGG_CHANNELS, tuple(slices)), labels, (), folder))
    if not images and masks:
        first = next(iter(masks))
        return [CaseFiles(patient_and_number(first)[0], Naming.LGG, {}, tuple(masks.values()), (), folder)]
    return cases


def _named_by_folder(cases: list[CaseFiles], folder: Path, *, listed: bool) -> list[CaseFiles]:
    """Name a case of plain names after its folder where it is the only one there, listed or not."""
    if len(cases) != 1 or cases[0].naming is not Naming.PLAIN:
        return cases
    if listed:
        beside = [entry for entry in folder.iterdir() if is_nifti_name(entry)]
        if len(_nifti_cases(beside, folder)) != 1:
            return cases
    return [replace(cases[0], id=folder.resolve().name or cases[0].id)]


def _nifti_cases(files: Sequence[Path], folder: Path) -> list[CaseFiles]:
    groups: dict[str, dict[Path, FileRole]] = {}
    for file in files:
        role = role_of(stem_of(file))
        if role.kind is Kind.NUMBERED and _volumes(file) > 1:
            role = FileRole(Kind.UNKNOWN, stem_of(file))  # `BRATS_0001` is a 4-D file with a long number
        groups.setdefault(role.case, {})[file] = role
    with_channels = {key: roles for key, roles in groups.items() if _has_channel(roles)}
    if len(with_channels) > 1 and _differ_in_numbers_alone(with_channels):
        groups = {"": {file: role for roles in groups.values() for file, role in roles.items()}}
    elif len(with_channels) == 1:  # whatever else lies in the folder can only belong to this case
        key = next(iter(with_channels))
        groups = {key: {file: role for roles in groups.values() for file, role in roles.items()}}
    elif not with_channels:
        groups = _unknown_together(groups)
    cases = [case for key, roles in groups.items() if (case := _nifti_case(key, roles, folder)) is not None]
    # Where some names tell a channel, a stray file beside them is no case.
    return [c for c in cases if c.channels] or [c for c in cases if c.undecided] or cases


def _unknown_together(groups: Mapping[str, dict[Path, FileRole]]) -> dict[str, dict[Path, FileRole]]:
    """Put 3-D images whose names tell nothing into one case, whose channels a person can name; 4-D files stay apart."""
    joined: dict[str, dict[Path, FileRole]] = {}
    unknown = [key for key, roles in groups.items() if any(role.kind is Kind.UNKNOWN for role in roles.values())]
    for key, roles in groups.items():
        alone = len(unknown) < 2 or key not in unknown or any(_volumes(file) > 1 for file in roles)
        joined.setdefault(key if alone else "", {}).update(roles)
    return joined


def _has_channel(roles: Mapping[Path, FileRole]) -> bool:
    return any(role.kind in (Kind.CHANNEL, Kind.NUMBERED) for role in roles.values())


def _differ_in_numbers_alone(groups: Mapping[str, Mapping[Path, FileRole]]) -> bool:
    """Whether the groups are one case whose files carry a number each (BraTS 2013-2016: `VSD….MR_Flair.54512`)."""
    roles = [role for group in groups.values() for role in group.values() if role.kind is Kind.CHANNEL]
    channels = [role.channel for role in roles]
    bare = {re.sub(r"[\d._ \-]+", "", role.case) for role in roles}
    return len(set(channels)) == len(channels) and len(bare) == 1 and all(role.rank > 0 for role in roles)


def _nifti_case(key: str, roles: Mapping[Path, FileRole], folder: Path) -> CaseFiles | None:
    order = description_beside(folder).channels
    channels, undecided = _choose_channels(roles, order or NNUNET_ORDER)
    labels = [file for file, role in roles.items() if role.kind is Kind.LABELS]
    labels.sort(key=lambda file: (roles[file].case != key, roles[file].rank, file.name))
    unknown = [file for file, role in roles.items() if role.kind is Kind.UNKNOWN]
    styles = {role.naming for file, role in roles.items() if (file,) in channels.values()}
    styles = styles or {roles[file].naming for file in labels}
    naming = styles.pop() if len(styles) == 1 else Naming.PLAIN
    if not channels and len(unknown) == 1 and (count := _volumes(unknown[0])) > 1:
        naming = Naming.DECATHLON
        names = order if len(order) == count else DECATHLON_ORDER if count == len(DECATHLON_ORDER) else ()
        channels = dict.fromkeys(names, (unknown[0],))
        undecided = () if names else (unknown[0],)
    elif naming is Naming.NNUNET:
        labels += [file for file in unknown if stem_of(file) == key]  # nnU-Net's labels have just the case's name
    else:
        undecided += tuple(unknown)
    if naming in (Naming.NNUNET, Naming.DECATHLON):
        labels += _labels_apart(key, folder)
    if not (channels or labels or undecided):
        return None
    id_ = key or folder.resolve().name
    return CaseFiles(id_, naming, channels, tuple(labels), undecided, folder, _assumed_order(naming, key, order))


def _assumed_order(naming: Naming, key: str, order: Sequence[str]) -> tuple[str, ...]:
    """Return the sentence that says which order of the channels was assumed, where nothing tells it."""
    if order or naming not in (Naming.NNUNET, Naming.DECATHLON) or re.fullmatch(r"BRATS_\d+", key):
        return ()
    used = NNUNET_ORDER if naming is Naming.NNUNET else DECATHLON_ORDER
    source = "nnU-Net's BraTS" if naming is Naming.NNUNET else "the Decathlon's"
    return (f"No dataset.json says which channel is which; {source} order was assumed: {', '.join(used)}.",)


def _choose_channels(
    roles: Mapping[Path, FileRole], order: Sequence[str]
) -> tuple[dict[str, tuple[Path, ...]], tuple[Path, ...]]:
    """Return one file per channel, the plainest name first, and the files between which the names do not decide."""
    claims: dict[str, list[Path]] = {}
    undecided: list[Path] = []
    places = {name: place for place, name in enumerate(DECATHLON_ORDER)}
    for file, role in roles.items():
        if role.kind is Kind.CHANNEL:
            claims.setdefault(role.channel, []).append(file)
        elif role.kind is Kind.NUMBERED and role.number < len(order):
            claims.setdefault(order[role.number], []).append(file)
        elif role.kind is Kind.NUMBERED:
            undecided.append(file)
    channels: dict[str, tuple[Path, ...]] = {}
    for name in sorted(claims, key=lambda name: places.get(name, len(places))):
        best = min(roles[file].rank for file in claims[name])
        files = [file for file in claims[name] if roles[file].rank == best]
        if len(files) == 1:
            channels[name] = (files[0],)
        else:
            undecided += files
    return channels, tuple(undecided)


def _volumes(file: Path) -> int:
    """Return how many volumes the file holds; 1 where its header cannot be read, which reading will explain."""
    try:
        shape = stored_shape(file)
    except InputError:
        return 1
    return shape[3] if len(shape) == 4 else 1


def _labels_apart(case: str, folder: Path) -> list[Path]:
    """Return the labels of a case in the `labelsTr` beside its `imagesTr`."""
    if not folder.name.startswith("images"):
        return []
    apart = folder.parent / folder.name.replace("images", "labels", 1)
    return [file for suffix in (".nii.gz", ".nii") if (file := apart / f"{case}{suffix}").is_file()]
