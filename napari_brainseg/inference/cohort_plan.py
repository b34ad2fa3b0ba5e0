"""What is to be done of a cohort, told without reading an image: where each case goes, and which are finished."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_brainseg.base.errors import ModelError
from napari_brainseg.cases.case import BRATS_CHANNELS, LGG_CHANNELS, Case, Naming
from napari_brainseg.cases.finding import CaseFiles
from napari_brainseg.cases.labels import LabelScheme
from napari_brainseg.cases.reading import OpenOptions
from napari_brainseg.inference.cohort_log import CohortLog, Entry, Job, models_digest, settings_digest, sources_digest
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.store import ModelRecord, default_for_channels, find_model, list_models

if TYPE_CHECKING:
    from napari_brainseg.model_store.model import Model

    Which = Model | ModelRecord | str | Path

_SAME_LABELS = ("device", "start")  # settings of a run that do not change its labels


@dataclass(frozen=True)
class CohortSettings:
    """Choices for a run over many cases.

    Attributes:
        folder: Where masks and log are written.
        scheme: The values to write; None for each source's own.
        overwrite: Whether masks that exist are made anew. Files of the cases themselves never are.
        opening: How the cases are read.
        run: How each is segmented.
    """

    folder: Path
    scheme: LabelScheme | None = None
    overwrite: bool = False
    opening: OpenOptions = field(default_factory=OpenOptions)
    run: SegmentSettings = field(default_factory=SegmentSettings)

    @property
    def digest(self) -> str:
        """A digest of all that decides what is written."""
        scheme = self.scheme.id if self.scheme else ""
        return " ".join([settings_digest(self.run, _SAME_LABELS), settings_digest(self.opening), scheme]).strip()


@dataclass(frozen=True)
class PlannedCase:
    """One case of the cohort.

    Attributes:
        files: Where it is.
        folder: Where its masks go.
        key: Its name in the log.
        masks: What is finished already, or stands in the way.
        finished: Whether nothing is left to do.
        problem: What forbids to segment it; empty where nothing does.
        replaces: Whether masks that exist may be replaced.
        otherwise: How a run that was stopped began to make its masks, where that is not how this run would.
    """

    files: CaseFiles
    folder: Path
    key: str
    masks: tuple[Path, ...] = ()
    finished: bool = False
    problem: str = ""
    replaces: bool = False
    otherwise: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is to be segmented."""
        return not self.finished and not self.problem


class ModelChoice:
    """The models that were asked for, or the one made for each case."""

    def __init__(self, given: Which | Sequence[Which] | None) -> None:
        """Look the models up; raise `ModelError` for one that there is not."""
        several = given if isinstance(given, (list, tuple)) else () if given is None else (given,)
        self.given = tuple(find_model(one) if isinstance(one, (str, Path)) else one for one in several)
        self._records = tuple(one if isinstance(one, ModelRecord) else one.record for one in self.given)
        self._installed = () if self.given else tuple(list_models())
        self._digests: dict[tuple[str, ...], str] = {}

    def records(self, expected: Sequence[str]) -> tuple[ModelRecord, ...]:
        """Return the models for exams with these channels; none where no installed one fits."""
        if self._records:
            return self._records
        default = default_for_channels(expected, self._installed)
        return (default,) if default else ()

    def for_case(self, case: Case) -> Any:
        """Return what `segment` takes as its model for a case.

        Raises:
            ModelError: None was asked for, and no installed one fits.
        """
        chosen = self.given or self.records(case.expected)
        if not chosen:
            raise ModelError(f"No model takes the channels of {case.id} ({', '.join(case.expected)}). Choose a model.")
        return chosen[0] if len(chosen) == 1 else chosen

    def digest(self, expected: Sequence[str]) -> str:
        """Return a digest of these models."""
        records = self.records(expected)
        names = tuple(f"{record.folder} {record.name}" for record in records)
        if names not in self._digests:
            self._digests[names] = models_digest(records)
        return self._digests[names]


def plan_cohort(
    cases: Sequence[CaseFiles], settings: CohortSettings, models: ModelChoice, log: CohortLog
) -> list[PlannedCase]:
    """Return what is to be done of each case; with `overwrite`, note which masks are about to be replaced.

    Raises:
        OutputError: The folder cannot be written.
    """
    planned = []
    begun = []
    seen: dict[str, PlannedCase] = {}
    for files, folder in zip(cases, output_folders(cases, settings.folder), strict=True):
        key = (folder.relative_to(settings.folder) / files.id).as_posix()
        case = PlannedCase(files, folder, key)
        if key in seen:
            case = replace(case, finished=True)  # the same case, given twice
        elif settings.overwrite:
            case = replace(case, replaces=True)
            begun.append(Entry(key, job_of(files, _expected(files, settings.opening), settings, models)))
        else:
            entry = log.get(key)
            if entry is not None:
                case = _known(case, entry, job_of(files, _expected(files, settings.opening), settings, models), log)
        seen[key] = case
        planned.append(case)
    if begun:
        # Should this run be stopped, the next one may go on replacing what this one was allowed to replace.
        log.add(begun)
    return planned


def job_of(files: CaseFiles, expected: Sequence[str], settings: CohortSettings, models: ModelChoice) -> Job:
    """Return what decides the result of a case of an exam with the channels `expected`."""
    return Job(models.digest(expected), settings.digest, sources_digest(files))


def _known(case: PlannedCase, entry: Entry, job: Job, log: CohortLog) -> PlannedCase:
    """Return what is left of a case that is in the log."""
    masks = tuple(log.path.parent / name for name in entry.files)
    every = (*masks, *(log.path.parent / name for name in entry.maps))
    there = [path for path in every if path.exists()]
    difference = entry.difference(job)
    if not every:  # stopped before or while they were written
        return replace(case, replaces=not difference, otherwise=difference)
    if not difference and len(there) == len(every):
        return replace(case, masks=masks, finished=True)
    if not there:
        return case
    problem = (
        f"{there[0]} was made {difference}. Choose another folder, or allow it to be replaced (--overwrite)."
        if difference
        else f"{len(there)} of {len(every)} files exist in {there[0].parent}: the others were removed. "
        "Allow them to be replaced (--overwrite), or remove them."
    )
    return replace(case, masks=masks, problem=problem)


def _expected(files: CaseFiles, opening: OpenOptions) -> tuple[str, ...]:
    """Return the channels of such an exam, as reading it will tell them."""
    names = {*files.channels, *(opening.channels or ())}
    return LGG_CHANNELS if files.naming is Naming.LGG or {"pre", "post"} & names else BRATS_CHANNELS


def output_folders(cases: Sequence[CaseFiles], out: Path) -> list[Path]:
    """Return the folder that each case is written to: `out` or, for cases of one name, one below it for each.

    Two patients' `baseline` become `out/p1` and `out/p2`, so that neither takes the other's file.
    """
    namesakes: dict[str, list[Path]] = {}
    for files in cases:
        namesakes.setdefault(files.id.casefold(), []).append(files.folder.resolve())
    folders = []
    for files in cases:
        places = namesakes[files.id.casefold()]
        if len(set(places)) == 1:
            folders.append(out)
            continue
        if all(place.name.casefold() == files.id.casefold() for place in places):
            places = [place.parent for place in places]
            own = files.folder.resolve().parent
        else:
            own = files.folder.resolve()
        folders.append(out / own.relative_to(os.path.commonpath(places)))
    return folders
