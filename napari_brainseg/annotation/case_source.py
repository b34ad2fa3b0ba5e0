"""`CaseSource`: what a project remembers of where a case's files are, so that it can be read again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.case import SKIP, Case, Naming
from napari_brainseg.cases.finding import CaseFiles
from napari_brainseg.cases.reading import OpenOptions, read_case, resample_onto_grid, with_spacing
from napari_brainseg.cases.volume import Shape, Spacing


@dataclass(frozen=True)
class CaseSource:
    """Where the files of a case are, and how they were read.

    Attributes:
        id: The case's name.
        absolute: The folder that holds all its files, as it was.
        relative: The same folder seen from the project, which survives a move of both together; empty where there is no
            such way (another drive).
        files: File names by channel, relative to that folder, in slice order for tifs; the channels as the files order
            them.
        expected: Every channel that such an exam has.
        order: As `Case.order`: what each volume of a 4-D file, or each colour of the tifs, is; empty for other files.
        naming: The naming style it was read under.
        scheme_id: The scheme its labels have or would have.
        shape: (Z, Y, X) as read.
        spacing: mm along (Z, Y, X), which a person may have entered because the files hold none; None where unknown.
        fingerprint: A digest of the images, by which a case that has moved is known again; empty where none was taken.
    """

    id: str
    absolute: str
    relative: str
    files: Mapping[str, tuple[str, ...]]
    expected: tuple[str, ...]
    naming: Naming
    scheme_id: str
    shape: Shape
    spacing: Spacing | None = None
    fingerprint: str = ""
    order: tuple[str, ...] = ()

    @classmethod
    def of(cls, case: Case, project: Path) -> CaseSource:
        """Return the source of `case` as seen from the folder `project`.

        Raises:
            InputError: The case was not read from files.
        """
        paths = {
            n: tuple(p.resolve() for p in group) for n, group in case.paths.items() if n in case.channels and group
        }
        if not paths:
            raise InputError(f"{case.id} was not read from files, so a project cannot find it again. Save it first.")
        every = [path for group in paths.values() for path in group]
        folder = Path(os.path.commonpath([str(path.parent) for path in every]))
        return cls(
            id=case.id,
            absolute=str(folder),
            relative=_relative(folder, project),
            files={name: tuple(p.relative_to(folder).as_posix() for p in group) for name, group in paths.items()},
            expected=case.expected,
            naming=case.naming,
            scheme_id=case.scheme.id,
            shape=case.geometry.shape,
            spacing=case.geometry.spacing,
            fingerprint=fingerprint_of(case),
            order=case.order,
        )

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> CaseSource:
        """Return the source in a state file; raise KeyError, TypeError or ValueError where it is none."""
        z, y, x = record["shape"]
        spacing = record["spacing"]
        return cls(
            id=str(record["id"]),
            absolute=str(record["absolute"]),
            relative=str(record["relative"]),
            files={str(name): tuple(map(str, group)) for name, group in record["files"].items()},
            expected=tuple(map(str, record["expected"])),
            naming=Naming[record["naming"]],
            scheme_id=str(record["scheme"]),
            shape=(int(z), int(y), int(x)),
            spacing=None if spacing is None else (float(spacing[0]), float(spacing[1]), float(spacing[2])),
            fingerprint=str(record.get("fingerprint", "")),
            order=tuple(map(str, record.get("order", ()))),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what a state file keeps."""
        return {
            "id": self.id,
            "absolute": self.absolute,
            "relative": self.relative,
            "files": {name: list(group) for name, group in self.files.items()},
            "expected": list(self.expected),
            "naming": self.naming.name,
            "scheme": self.scheme_id,
            "shape": list(self.shape),
            "spacing": None if self.spacing is None else list(self.spacing),
            "fingerprint": self.fingerprint,
            "order": list(self.order),
        }

    def is_at(self, place: CaseSource, project: Path) -> bool:
        """Whether this is a case of the name, shape and folder of `place`."""
        folder = self.folder(project)
        here = folder is not None and os.path.realpath(folder) == os.path.realpath(place.absolute)
        return here and (self.id, self.shape) == (place.id, place.shape)

    def has_moved_to(self, place: CaseSource, project: Path) -> bool:
        """Whether the files are gone and `place` has the very images; a name and a shape alone many patients share."""
        same = (self.id, self.shape, self.fingerprint) == (place.id, place.shape, place.fingerprint)
        return bool(self.fingerprint) and same and self.folder(project) is None

    def folder(self, project: Path) -> Path | None:
        """Return the folder that holds every file now, or None when the case has moved."""
        # The relative place first: a project copied with its data must not reach for the original.
        candidates = [project / self.relative] if self.relative else []
        for folder in (*candidates, Path(self.absolute)):
            if all((folder / name).is_file() for group in self.files.values() for name in group):
                return Path(os.path.abspath(folder))
        return None

    def read(self, project: Path) -> Case:
        """Read the case again.

        Raises:
            InputError: Files are missing, or the case has another shape than it had.
        """
        folder = self.folder(project)
        if folder is None:
            raise InputError(
                f"The files of {self.id} are no longer in {self.absolute}. Put them back, "
                "or open the case from its new place so that the project finds it."
            )
        case = self._read_channels(folder)
        for name in self.files:
            if name in case.off_grid:
                case = resample_onto_grid(case, name)
        if self.spacing is not None and case.geometry.spacing is None:
            case = with_spacing(case, self.spacing)
        absent = [name for name in self.files if name not in case.channels]
        if absent:
            raise InputError(
                f"{self.id} in {folder} no longer has the channel {absent[0]} that it had when it was corrected. "
                "Put the old files back."
            )
        if case.geometry.shape != self.shape:
            was, now = (" × ".join(map(str, shape)) for shape in (self.shape, case.geometry.shape))
            raise InputError(
                f"{self.id} in {folder} has the shape {now}, but {was} when it was corrected. "
                "Its corrections no longer fit; put the old files back."
            )
        return case

    def has_changed(self, case: Case) -> bool:
        """Whether the images of `case`, read from this place, are other ones than those that are remembered."""
        return bool(self.fingerprint) and self.fingerprint != fingerprint_of(case)

    def _read_channels(self, folder: Path) -> Case:
        channels = {name: tuple(folder / part for part in group) for name, group in self.files.items()}
        if self.naming is Naming.LGG:
            return read_case(
                CaseFiles(self.id, self.naming, channels, folder=folder), OpenOptions(channels=self.order or None)
            )
        if self.order:  # the volumes of one file; those that were skipped keep their place
            file = next(iter(channels.values()))
            channels = {f"{SKIP}{n}" if name == SKIP else name: file for n, name in enumerate(self.order)}
        return read_case(CaseFiles(self.id, self.naming, channels, folder=folder))


def fingerprint_of(case: Case) -> str:
    """Return a digest of the header and of a regular sample of the voxels of the channel that gives the grid."""
    volume = case.channels[case.grid_channel]
    sample = np.asarray(volume.data)[tuple(slice(None, None, max(1, n // 32)) for n in volume.data.shape)]
    digest = hashlib.sha256(volume.geometry.header or b"")
    digest.update(np.ascontiguousarray(sample, dtype="<f4").tobytes())
    return digest.hexdigest()


def _relative(folder: Path, project: Path) -> str:
    try:
        return Path(os.path.relpath(folder, project)).as_posix()
    except ValueError:  # Windows: another drive
        return ""
