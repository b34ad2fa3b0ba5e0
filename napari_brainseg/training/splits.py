"""Splits by patient, kept as one JSON file."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

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
        for part, ids in parts.items():
            twice = sorted({c for c in ids if ids.count(c) > 1})
            if twice:
                raise TrainingError(f"The {part} part names {_few(twice)} more than once. Name each case once.")
        for (one, first), (other, second) in combinations(parts.items(), 2):
            leaked = sorted({patient_of(c) for c in first} & {patient_of(c) for c in second})
            if leaked:
                raise TrainingError(
                    f"The {one} and the {other} part share the patient{'s' * (len(leaked) > 1)} {_few(leaked)}. "
                    "Give each patient one part."
                )

    def with_share(self, share: float, seed: int) -> Split:
        """Return the split with this share of its training patients, one at least; a smaller share lies in a larger."""
        patients = sorted({patient_of(c) for c in self.train})
        random.Random(seed).shuffle(patients)
        kept = set(patients[: max(1, round(share * len(patients)))])
        return replace(self, train=tuple(c for c in self.train if patient_of(c) in kept))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def patient_of(case_id: str) -> str:
    """Return the patient of a case.

    The LGG set adds the date of the exam, BraTS 2017 to 2019 a running number, BraTS 2023 on that of the exam.
    """
    if re.fullmatch(r"BraTS-[A-Z]+-\d+-\d+", case_id):
        return case_id.rpartition("-")[0]
    return case_id.rpartition("_")[0] if case_id.startswith(("TCGA_", "Brats", "BraTS19_")) else case_id


def site_of(case_id: str) -> str:
    """Return where a case comes from, as its name says: `TCGA_CS`, `Brats18_CBICA` …, or its name less the numbers."""
    parts = case_id.split("_")
    return "_".join(parts[:2]) if len(parts) > 2 else re.sub(r"([_-]?\d+)+$", "", case_id)


def split_by_patient(
    case_ids: Iterable[str],
    share: float,
    seed: int,
    tumour_shares: Mapping[str, float] | None = None,
    test_share: float = 0.0,
) -> Split:
    """Split cases so that every site gives about `share` of its patients to validation; the same for the same seed.

    Args:
        case_ids: The cases.
        share: Share of the patients that validates.
        seed: Of the drawing.
        tumour_shares: Share of the voxels that is tumour, by case; then small and large tumours go to each part alike.
        test_share: Share of the patients that is kept back for the test.

    Raises:
        TrainingError: The shares leave nothing to learn from, or nothing of a part.
    """
    if not (share >= 0 and test_share >= 0 and share + test_share < 1):  # so that NaN is refused too
        raise TrainingError(
            f"Shares of {share:g} to validate on and {test_share:g} to test on leave nothing to learn from. "
            "Choose shares of 0 or more that add up to less than 1."
        )
    cases = _by_patient(case_ids)
    sites = _by_site(cases)
    sizes = None if tumour_shares is None else _largest(cases, tumour_shares)
    chance = random.Random(seed)
    test = _drawn(sites, test_share, chance, sizes) if test_share else set()
    left = {site: [p for p in patients if p not in test] for site, patients in sites.items()}
    validation = _drawn(left, share / (1 - test_share), chance, sizes)
    for part, wanted, drawn in (("validate", share, validation), ("test", test_share, test)):
        if wanted and not drawn:
            raise TrainingError(
                f"A share of {wanted:g} to {part} on is none of {len(cases)} patients. Choose a larger one, or 0."
            )
    train = set(cases) - test - validation
    return Split(_ids(cases, train), _ids(cases, validation), _ids(cases, test))


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
        TrainingError: There are fewer patients than folds, or fewer than two folds.
    """
    if folds < 2 or not 0 <= test_share < 1:
        raise TrainingError(f"{folds} folds and a test share of {test_share:g}: choose 2 folds or more, and 0 to 1.")
    cases = _by_patient(tumour_shares)
    sizes = _largest(cases, tumour_shares)
    order = [
        p for _, patients in sorted(_by_site(cases).items()) for p in sorted(patients, key=lambda p: (sizes[p], p))
    ]
    chance = random.Random(seed)
    test = _spread(order, round(test_share * len(order)), chance)
    order = [p for p in order if p not in test]
    if len(order) < folds:
        raise TrainingError(f"{len(order)} patients cannot be divided into {folds} folds. Choose fewer folds.")
    part_of: dict[str, int] = {}
    for start_of_round in range(0, len(order), folds):
        parts = list(range(folds))
        chance.shuffle(parts)
        part_of.update(zip(order[start_of_round : start_of_round + folds], parts, strict=False))
    return tuple(
        Split(
            _ids(cases, {p for p in order if part_of[p] != fold}),
            _ids(cases, {p for p in order if part_of[p] == fold}),
            _ids(cases, test),
        )
        for fold in range(folds)
    )


def _by_patient(case_ids: Iterable[str]) -> dict[str, list[str]]:
    cases: dict[str, list[str]] = defaultdict(list)
    for case_id in sorted(case_ids):
        cases[patient_of(case_id)].append(case_id)
    return cases


def _by_site(cases: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the patients of each site; sites of one patient count as one, or none of them would ever validate."""
    sites: dict[str, list[str]] = defaultdict(list)
    for patient in sorted(cases):
        sites[site_of(cases[patient][0])].append(patient)
    lone = sorted(site for site, patients in sites.items() if len(patients) == 1)
    pooled = {site: patients for site, patients in sites.items() if len(patients) > 1}
    return {**pooled, lone[0]: [sites[site][0] for site in lone]} if lone else pooled


def _largest(cases: Mapping[str, list[str]], tumour_shares: Mapping[str, float]) -> dict[str, float]:
    return {patient: max(tumour_shares.get(c, 0.0) for c in ids) for patient, ids in cases.items()}


def _drawn(
    sites: Mapping[str, list[str]], share: float, chance: random.Random, sizes: Mapping[str, float] | None
) -> set[str]:
    """Draw a share of every site's patients, at most all but one; what rounding owes one site, the next one gives."""
    drawn: set[str] = set()
    owed = 0.0
    for site in sorted(sites):
        patients = list(sites[site])
        owed += share * len(patients)
        count = min(len(patients) - 1, round(owed)) if len(patients) > 1 else 0
        owed -= count
        if sizes is None:
            chance.shuffle(patients)
            drawn |= {*patients[:count]}
        else:
            drawn |= _spread(sorted(patients, key=lambda p: (sizes[p], p)), count, chance)
    return drawn


def _spread(order: Sequence[str], count: int, chance: random.Random) -> set[str]:
    """Draw `count` of an order, one by chance from each of as many stretches of it."""
    edges = [round(i * len(order) / count) for i in range(count + 1)] if count else []
    return {chance.choice(order[start:end]) for start, end in pairwise(edges)}


def _ids(cases: Mapping[str, list[str]], patients: set[str]) -> tuple[str, ...]:
    return tuple(sorted(c for p in patients for c in cases[p]))


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
        splits = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{path} cannot be read ({error.strerror}). Name the file of the split.") from error
    except ValueError as error:
        raise TrainingError(f"{path} is damaged, or no JSON file ({error}). Restore it, or name another.") from error
    if not isinstance(splits, dict):
        raise TrainingError(f"{path} holds no splits by name. Name a file that brainseg split wrote.")
    return {name: _split(parts, f"{path}, split {name!r}") for name, parts in splits.items()}


def _split(parts: Any, place: str) -> Split:
    """Return the split that JSON values are; `place` says where they stand."""
    if not isinstance(parts, dict) or not {"train", "validation"} <= parts.keys():
        raise TrainingError(f"{place}, lacks the lists train and validation. Add them, or name another file.")
    for part in ("train", "validation", "test"):
        ids = parts.get(part, [])
        if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
            raise TrainingError(f"{place}: {part} is no list of the names of cases. Make it one.")
    try:
        return Split(*(tuple(parts.get(part, ())) for part in ("train", "validation", "test")))
    except TrainingError as error:
        raise TrainingError(f"{place}: {error}") from error


def read_split(path: Path, name: str) -> Split:
    """Read one split of a file; raise `TrainingError` that lists the names there are when it is not among them."""
    splits = read_splits(path)
    if name not in splits:
        raise TrainingError(f"{path} holds no split {name!r}; it holds {', '.join(splits) or 'none'}.")
    return splits[name]
