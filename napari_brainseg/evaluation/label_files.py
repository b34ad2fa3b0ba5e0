"""Which files under a folder are labels, and of which case: grouped by their names; no voxel is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import Naming
from napari_brainseg.cases.naming import Kind, labels_naming, role_of
from napari_brainseg.cases.nifti import is_nifti_name, stem_of
from napari_brainseg.cases.slices import is_tif_name, patient_and_number, slice_of_mask

_DEPTH = 4  # BraTS 2018: root / HGG / case, and one for a split


@dataclass(frozen=True)
class LabelFiles:
    """The labels of one case: one NIfTI file, or the masks of its slices in numeric order.

    Attributes:
        case_id: The name that the files carry, or that of their folder.
        files: One path, or a path for each slice.
        naming: The style of the name, which tells how the values are meant.
        notes: A sentence where one of several files was chosen.
    """

    case_id: str
    files: tuple[Path, ...]
    naming: Naming
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.files[0].parent


def find_label_files(path: Path) -> dict[str, LabelFiles]:
    """Return the labels under a folder, or of a file, by case; namesakes are told apart by the folders they lie in.

    Raises:
        InputError: The path does not exist, cannot be read, or holds no labels.
    """
    if path.is_file():
        found = [_of_file(path)]
    elif path.is_dir():
        try:
            found = [labels for folder in _folders(path, _DEPTH) for labels in _in_folder(folder)]
        except OSError as error:
            raise InputError(
                f"{error.filename or path} cannot be read ({error.strerror or error}). Check its permissions."
            ) from error
    else:
        raise InputError(f"{path} does not exist. Name a labels file, or a folder of labels.")
    if not found:
        raise InputError(
            f"{path} holds no labels, such as CASE_seg.nii.gz or PATIENT_1_mask.tif. Choose another folder."
        )
    names = Counter(labels.case_id for labels in found)
    return {labels.case_id if names[labels.case_id] == 1 else _whole_name(labels, path): labels for labels in found}


def _whole_name(labels: LabelFiles, root: Path) -> str:
    """Return the folders and the name of a case: `p1/baseline`, whether or not it has a folder of its own."""
    folder = labels.folder.relative_to(root)
    return (folder if folder.name == labels.case_id else folder / labels.case_id).as_posix()


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    yield folder
    if depth:
        for entry in sorted(folder.iterdir()):
            # A data set's root has its images apart from its labels.
            if entry.is_dir() and not entry.name.startswith((".", "images")):
                yield from _folders(entry, depth - 1)


def _of_file(path: Path) -> LabelFiles:
    if is_tif_name(path):
        return LabelFiles(slice_of_mask(path.stem) or path.stem, (path,), Naming.LGG)
    if not is_nifti_name(path):
        raise InputError(f"{path} is neither NIfTI (.nii, .nii.gz) nor tif. Choose another labels file.")
    role = role_of(stem_of(path))
    case_id = role.case if role.kind is Kind.LABELS and role.case else stem_of(path)
    return LabelFiles(case_id, (path,), labels_naming(stem_of(path), case_id, Naming.PLAIN))


def _in_folder(folder: Path) -> list[LabelFiles]:
    files = sorted(file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file())
    return [*_niftis([f for f in files if is_nifti_name(f)], folder), *_masks([f for f in files if is_tif_name(f)])]


def _niftis(files: list[Path], folder: Path) -> list[LabelFiles]:
    roles = {file: role_of(stem_of(file)) for file in files}
    kinds = {role.kind for role in roles.values()}
    cases: dict[str, list[Path]] = {}
    for file, role in roles.items():
        if role.kind is Kind.LABELS:
            cases.setdefault(role.case or folder.resolve().name, []).append(file)
        # nnU-Net's labels have just the case's name; beside images or other labels such a file is something else.
        elif role.kind is Kind.UNKNOWN and not kinds & {Kind.LABELS, Kind.CHANNEL, Kind.NUMBERED}:
            cases[stem_of(file)] = [file]
    return [_chosen(case_id, sorted(c, key=lambda f: (roles[f].rank, f.name))) for case_id, c in cases.items()]


def _chosen(case_id: str, files: list[Path]) -> LabelFiles:
    notes = (f"{len(files)} labels files were found; {files[0].name} was read.",) if len(files) > 1 else ()
    return LabelFiles(case_id, (files[0],), labels_naming(stem_of(files[0]), case_id, Naming.PLAIN), notes)


def _masks(files: list[Path]) -> list[LabelFiles]:
    patients: dict[str, list[Path]] = {}
    for file in files:
        image = slice_of_mask(file.stem)
        if image is not None:
            patients.setdefault(patient_and_number(image)[0], []).append(file)
    return [LabelFiles(p, tuple(sorted(masks, key=slice_number)), Naming.LGG) for p, masks in patients.items()]


def slice_number(mask: Path) -> int:
    """Return the number of the slice that a mask's name says, 0 where it says none."""
    return patient_and_number(slice_of_mask(mask.stem) or mask.stem)[1] or 0


def unmatched(predictions: Mapping[str, LabelFiles], references: Mapping[str, LabelFiles]) -> tuple[str, ...]:
    """Return a sentence for the references without a prediction, and one for the predictions without a reference."""
    sides = (
        ("references", "prediction", references, predictions),
        ("predictions", "reference", predictions, references),
    )
    sentences = []
    for plural, other, these, those in sides:
        alone = [name for name in these if name not in those]
        if alone:
            shown = ", ".join(alone[:5]) + (f" and {len(alone) - 5} more" if len(alone) > 5 else "")
            sentences.append(f"{len(alone)} of {len(these)} {plural} have no {other} and were left out: {shown}.")
    return tuple(sentences)
