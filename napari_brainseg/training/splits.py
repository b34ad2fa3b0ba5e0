"""Splits by patient, kept as one JSON file."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.paths import write_text


@dataclass(frozen=True)
class Split:
    """Case ids by part; no patient may stand in two parts."""

    train: tuple[str, ...]
    validation: tuple[str, ...]

    def __post_init__(self) -> None:
        leaked = {patient_of(c) for c in self.train} & {patient_of(c) for c in self.validation}
        if leaked:
            raise TrainingError(
                f"{', '.join(sorted(leaked))} stand in training and validation at once. Give each patient one part."
            )


def patient_of(case_id: str) -> str:
    """Return the patient of a case: the LGG set adds the date of the exam, BraTS 2018 a running number."""
    return case_id.rpartition("_")[0] if case_id.startswith(("TCGA_", "Brats")) else case_id


def site_of(case_id: str) -> str:
    """Return where a case comes from, as its name says: `TCGA_CS`, `Brats18_CBICA` …"""
    return "_".join(case_id.split("_")[:2])


def split_by_patient(case_ids: Iterable[str], share: float, seed: int) -> Split:
    """Split cases so that every site gives about `share` of its patients to validation; the same for the same seed."""
    sites: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case_id in sorted(case_ids):
        sites[site_of(case_id)][patient_of(case_id)].append(case_id)
    chance = random.Random(seed)
    train: list[str] = []
    validation: list[str] = []
    owed = 0.0
    for site in sorted(sites):
        patients = sorted(sites[site])
        chance.shuffle(patients)
        owed += share * len(patients)
        taken = min(len(patients) - 1, round(owed)) if len(patients) > 1 else 0
        owed -= taken
        for i, patient in enumerate(patients):
            (validation if i < taken else train).extend(sites[site][patient])
    return Split(tuple(sorted(train)), tuple(sorted(validation)))


def write_splits(splits: Mapping[str, Split], path: Path) -> None:
    """Write named splits to one file."""
    parts = {name: {"train": list(s.train), "validation": list(s.validation)} for name, s in splits.items()}
    write_text(path, json.dumps(parts, indent=1) + "\n")


def read_splits(path: Path) -> dict[str, Split]:
    """Read every split of a file; raise `TrainingError` that says what is wrong with it."""
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
        return {name: Split(tuple(p["train"]), tuple(p["validation"])) for name, p in parts.items()}
    except OSError as error:
        raise TrainingError(f"{path} cannot be read ({error.strerror}). Name the file of the split.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{path} holds no splits with train and validation ({error}).") from error


def read_split(path: Path, name: str) -> Split:
    """Read one split of a file; raise `TrainingError` that lists the names there are when it is not among them."""
    splits = read_splits(path)
    if name not in splits:
        raise TrainingError(f"{path} holds no split {name!r}; it holds {', '.join(splits) or 'none'}.")
    return splits[name]
