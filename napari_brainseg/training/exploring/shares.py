"""How much of each case, and of each part of a split, is tumour."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_brainseg.base.errors import InputError, TrainingError
from napari_brainseg.base.progress import Progress
from napari_brainseg.training.exploring.findings import CaseFacts
from napari_brainseg.training.exploring.known_labels import open_case
from napari_brainseg.training.prepared import cases_by_id
from napari_brainseg.training.splits import Split, patient_of


@dataclass(frozen=True)
class PartShare:
    """One part of a split.

    Attributes:
        split: Name of the split.
        part: `train`, `validation` or `test`.
        cases: Facts of its cases that could be read.
        absent: Its cases that the folder lacks, or that could not be read.
    """

    split: str
    part: str
    cases: tuple[CaseFacts, ...]
    absent: tuple[str, ...]

    @property
    def patients(self) -> int:
        """How many patients it has."""
        return len({case.patient for case in self.cases} | {patient_of(id) for id in self.absent})

    @property
    def slices(self) -> int:
        """How many slices its readable cases have."""
        return sum(case.shape[0] for case in self.cases)

    @property
    def tumour_share(self) -> float:
        """Share of the voxels of its labelled cases that is tumour; NaN without any."""
        labelled = [case for case in self.cases if case.pixels is not None]
        return sum(int(c.tumour.sum()) for c in labelled) / sum(c.voxels for c in labelled) if labelled else np.nan

    @property
    def tumour_slices(self) -> float:
        """Share of the slices of its labelled cases that show tumour; NaN without any."""
        labelled = [case.tumour > 0 for case in self.cases if case.pixels is not None]
        return float(np.concatenate(labelled).mean()) if labelled else np.nan


def part_shares(splits: Mapping[str, Split], cases: Sequence[CaseFacts]) -> list[PartShare]:
    """Return every part of every split that has cases."""
    facts = {case.id: case for case in cases}
    shares = []
    for name, split in splits.items():
        for part, ids in (("train", split.train), ("validation", split.validation), ("test", split.test)):
            if ids:
                known = tuple(facts[id] for id in ids if id in facts)
                shares.append(PartShare(name, part, known, tuple(id for id in ids if id not in facts)))
    return shares


def tumour_shares(folder: Path, case_ids: Sequence[str] | None = None) -> Generator[Progress, None, dict[str, float]]:
    """Read the labels of cases and return the share of the voxels that is tumour, by case.

    Args:
        folder: Folder of cases.
        case_ids: Which of them; all by default.

    Raises:
        InputError: The folder holds no case, or two of one name.
        TrainingError: A case cannot be read, or has no labels.
    """
    found = [files for id, files in cases_by_id(folder).items() if case_ids is None or id in case_ids]
    shares = {}
    for number, files in enumerate(found):
        yield Progress(number, len(found), f"reading {files.id}")
        try:
            _, known = open_case(files)
        except InputError as error:
            raise TrainingError(f"{files.id} cannot be read: {error}") from error
        if known is None:
            raise TrainingError(f"{files.id} has no labels to measure its tumour by. Add them or leave the case out.")
        shares[files.id] = float(np.isin(known.labels, known.scheme.regions[0].values).mean())
    return shares
