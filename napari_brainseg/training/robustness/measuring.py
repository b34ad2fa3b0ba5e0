"""Measure models on changed cases: each case is read once, changed in every way and segmented as a user's would be."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from napari_brainseg.base.errors import BrainsegError, Cancelled, InputError
from napari_brainseg.base.paths import refuse_unwritable
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.cases.reading import CaseFiles, OpenOptions, read_case
from napari_brainseg.evaluation.overlap import scheme_counts
from napari_brainseg.inference.cohort_log import settings_digest, sources_digest
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.folds import Fold, SplitPart, files_of, find_folds
from napari_brainseg.training.robustness.conditions import PLAIN, UNCHANGED, Condition, conditions_for
from napari_brainseg.training.robustness.measured import Measurement, MeasurementLog

SEED = 1
_DEFINITIONS = 1  # counts up where a condition of the same name means something else


@dataclass(frozen=True)
class MeasuringSettings:
    """How models are measured.

    Attributes:
        out: Folder for what is measured.
        only: Names of conditions, or of their groups; empty for all.
        opening: How the cases are opened.
        device: Where the models compute.
        overwrite: Whether measurements of another job in `out` are replaced.
    """

    out: Path
    only: tuple[str, ...] = ()
    opening: OpenOptions = field(default_factory=OpenOptions)
    device: str = "auto"
    overwrite: bool = False


@dataclass(frozen=True, eq=False)
class Robustness:
    """What was measured: models, conditions, measurements by condition and case, and what is wrong with cases."""

    folds: tuple[Fold, ...]
    conditions: tuple[Condition, ...]
    measured: Mapping[str, Mapping[str, Measurement]]
    failed: Mapping[str, str]


def measure_robustness(
    models: Sequence[str | Path], cases: Path, chosen: SplitPart, settings: MeasuringSettings
) -> Generator[Progress, None, Robustness]:
    """Segment the cases of a part of each model's split as they are and under every condition; return what was found.

    What is measured is kept as it is made, so that the same job goes on where it was stopped. Chance is the same for a
    case and a condition every time.

    Args:
        models: Names or folders. Several are the folds of a cross-validation.
        cases: Folder of labelled cases.
        chosen: Which of them.
        settings: Where to, and what.

    Raises:
        ModelError: There is no such model.
        TrainingError: A split cannot be used, a case stands in the parts of two models, or the models differ.
        InputError: There are no cases, no such condition, or not one case could be measured.
        OutputError: The folder holds other measurements, or cannot be written.
    """
    chosen.refuse_unsaid()
    folds = find_folds(models, chosen)
    conditions = conditions_for(folds[0].record.channels, settings.only)
    files = files_of(folds, cases, chosen.part)
    refuse_unwritable(settings.out)
    log = MeasurementLog(settings.out, _job(folds, files, settings), overwrite=settings.overwrite)
    failed: dict[str, str] = {}
    every = [(fold, case_id) for fold in folds for case_id in fold.ids]
    steps = 1 + len(conditions)
    for number, (fold, case_id) in enumerate(every):
        if case_id not in files:
            failed[case_id] = f"{case_id} is in the split, but its files are not in the folder of cases."
            continue
        todo = [c for c in (UNCHANGED, *conditions) if log.get(case_id, c.name) is None]
        if not todo:
            continue
        try:
            yield Progress(number * steps, len(every) * steps, f"{case_id}: reading")
            measuring = _MeasuredCase(read_case(files[case_id], settings.opening), fold.record, settings.device)
            for place, condition in enumerate(todo, start=steps - len(todo)):
                yield Progress(number * steps + place, len(every) * steps, f"{case_id}: {condition.name}")
                log.add((yield from measuring.under(condition)))
        except Cancelled:
            raise
        except BrainsegError as error:
            failed[case_id] = str(error)
    measured = _by_condition(log, (UNCHANGED, *conditions), [case_id for _, case_id in every])
    if not measured[PLAIN]:
        raise InputError(f"Not one of {len(every)} cases could be measured. {next(iter(failed.values()), '')}".strip())
    return Robustness(folds, conditions, measured, failed)


def _job(folds: Sequence[Fold], files: Mapping[str, CaseFiles], settings: MeasuringSettings) -> dict[str, Any]:
    """Return what decides every measurement; which conditions are asked for does not."""
    return {
        "definitions": _DEFINITIONS,
        "models": [fold.to_json() for fold in folds],
        "opening": settings_digest(settings.opening),
        "cases": {case_id: sources_digest(found) for case_id, found in sorted(files.items())},
    }


def _by_condition(
    log: MeasurementLog, conditions: Sequence[Condition], case_ids: Sequence[str]
) -> dict[str, dict[str, Measurement]]:
    found = {c.name: {case_id: log.get(case_id, c.name) for case_id in case_ids} for c in conditions}
    return {name: {k: m for k, m in row.items() if m is not None} for name, row in found.items()}


class _MeasuredCase:
    """A case with its model, measured under one condition after the other."""

    def __init__(self, case: Case, record: ModelRecord, device: str) -> None:
        if case.labels is None:
            note = case.notes[-1] if case.notes else "Choose a folder of labelled cases."
            raise InputError(f"{case.id} has no labels to be scored against. {note}")
        self._case, self._record, self._device = case, record, device
        self._plain: LabelArray | None = None

    def under(self, condition: Condition) -> Generator[Progress, None, Measurement]:
        """Change, segment and score the case; a condition that cannot be made of it is told with the reason."""
        name = condition.name
        chance = np.random.default_rng([SEED, crc32(f"{self._case.id} {name}".encode())])
        try:
            changed = condition.change(self._case, chance)
        except InputError as error:
            return Measurement(self._case.id, name, reason=str(error))
        if changed is self._case:
            found = yield from self._unchanged()
        else:
            found = yield from self._segmented(changed)
        plain = (yield from self._unchanged()) if condition.same else None
        different = None if plain is None else int(np.count_nonzero(plain != found))
        return Measurement(self._case.id, name, self._dice(found, changed), different)

    def _unchanged(self) -> Generator[Progress, None, LabelArray]:
        if self._plain is None:
            self._plain = yield from self._segmented(self._case)
        return self._plain

    def _segmented(self, case: Case) -> Generator[Progress, None, LabelArray]:
        from napari_brainseg.inference.engine import segment  # torch loads here, once all that was asked is known good

        found = yield from segment(case, self._record, SegmentSettings(self._device))
        return found.labels

    def _dice(self, found: LabelArray, case: Case) -> dict[str, float]:
        assert case.labels is not None
        scheme = self._record.scheme
        truth = case.labels.scheme.convert(np.asarray(case.labels.volume.data, np.uint8), scheme)
        counted = scheme_counts(found, truth, scheme)
        return {region.name: counted[region.name].dice for region in scheme.regions}
