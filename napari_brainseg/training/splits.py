"""Splits by patient, kept as one JSON file."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.paths import write_text


@dataclass(frozen=True)
class Split:
    """Case ids by part; no patient may stand in two parts."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        for (one, first), (other, second) in combinations(parts.items(), 2):
            leaked = {patient_of(c) for c in first} & {patient_of(c) for c in second}
            if leaked:
                raise TrainingError(
                    f"{', '.join(sorted(leaked))} stand in {one} and {other} at once. Give each patient one part."
                )

    def with_share(self, share: float, seed: int) -> Split:
        """Return the split with this share of its training patients, one at least; a smaller share lies in a larger."""
        patients = sorted({patient_of(c) for c in self.train})
        random.Random(seed).shuffle(patients)
        kept = set(patients[: max(1, round(share * len(patients)))])
        return replace(self, train=tuple(c for c in self.train if patient_of(c) in kept))


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


def kfold_by_patient(
    tumour_shares: Mapping[str, float], folds: int, seed: int, test_share: float = 0.0
) -> tuple[Split, ...]:
    """Divide cases into folds, each patient validating once, like in site and tumour share; the same for the same seed.

    Patients are sorted by site and tumour share, and dealt out to the parts in turn, in random order within each round.

    Args:
        tumour_shares: Share of the voxels that is tumour, by case.
        folds: How many.
        seed: Of the dealing.
        test_share: Share of the patients that is kept back from every fold.

    Raises:
        TrainingError: There are fewer patients than folds.
    """
    cases: dict[str, list[str]] = defaultdict(list)
    for case_id in sorted(tumour_shares):
        cases[patient_of(case_id)].append(case_id)
    order = sorted(cases, key=lambda p: (site_of(cases[p][0]), max(tumour_shares[c] for c in cases[p]), p))
    chance = random.Random(seed)
    test: list[str] = []
    if test_share:
        step = 1 / test_share
        start = chance.random() * step
        chosen = {order[int(start + i * step)] for i in range(len(order)) if int(start + i * step) < len(order)}
        test = [p for p in order if p in chosen]
        order = [p for p in order if p not in chosen]
    if folds < 2 or len(order) < folds:
        raise TrainingError(f"{len(order)} patients cannot be divided into {folds} folds. Choose 2 folds or more.")
    part_of: dict[str, int] = {}
    for start_of_round in range(0, len(order), folds):
        parts = list(range(folds))
        chance.shuffle(parts)
        part_of.update(zip(order[start_of_round : start_of_round + folds], parts, strict=False))

    def ids(patients: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(c for p in patients for c in cases[p]))

    return tuple(
        Split(ids(p for p in order if part_of[p] != fold), ids(p for p in order if part_of[p] == fold), ids(test))
        for fold in range(folds)
    )


def write_splits(splits: Mapping[str, Split], path: Path) -> None:
    """Write named splits to one file."""
    parts = {
        name: {"train": list(s.train), "validation": list(s.validation), **({"test": list(s.test)} if s.test else {})}
        for name, s in splits.items()
    }
    write_text(path, json.dumps(parts, indent=1) + "\n")


def read_splits(path: Path) -> dict[str, Split]:
    """Read every split of a file; raise `TrainingError` that says what is wrong with it."""
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: Split(tuple(p["train"]), tuple(p["validation"]), tuple(p.get("test", ())))
            for name, p in parts.items()
        }
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
