"""Segment many cases: the next one is read and the last one written while the network computes.

What is held at most: the case that is computed, the next one, and the masks of the last one. What is finished is known
by a log beside the masks, so that a cohort that was stopped goes on where it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from napari_brainseg.base.errors import BrainsegError, Cancelled, OutputError
from napari_brainseg.base.progress import CancelToken, Progress
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.finding import CaseFiles
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.writing import map_paths, output_paths, write_outputs
from napari_brainseg.inference.cohort_log import CohortLog, Entry, Job
from napari_brainseg.inference.cohort_plan import CohortSettings, ModelChoice, PlannedCase, job_of, plan_cohort
from napari_brainseg.model_store.store import fit_in_words

if TYPE_CHECKING:
    from napari_brainseg.inference.cohort_plan import Which

Item = TypeVar("Item")
Result = TypeVar("Result")

_POLL = 0.2  # seconds after which a wait looks whether it was cancelled


@dataclass(frozen=True, eq=False)
class CaseReport(Progress):
    """What became of a case.

    Attributes:
        case_id: Its name.
        masks: The files that hold its labels.
        skipped: Why nothing was done, such as `exists`; else empty.
        problem: What went wrong; else empty.
        model: The model's name and version.
        seconds: How long it was computed.
        remarks: What a person should know of it, one sentence each.
    """

    case_id: str = ""
    masks: tuple[Path, ...] = ()
    skipped: str = ""
    problem: str = ""
    model: str = ""
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Opened:
    """A case that was read, what its result depends on, and the masks that make it needless to compute."""

    case: Case
    job: Job
    existing: tuple[Path, ...] = ()


@dataclass(frozen=True, eq=False)
class _Computed:
    """What is left to write of a case, without its images."""

    planned: PlannedCase
    job: Job
    result: Segmentation
    remarks: tuple[str, ...]


def segment_cohort(
    cases: Sequence[CaseFiles],
    settings: CohortSettings,
    model: Which | Sequence[Which] | None = None,
    token: CancelToken | None = None,
) -> Generator[Progress, None, tuple[CaseReport, ...]]:
    """Segment and write cases; a generator that yields `Progress`, and a `CaseReport` for each case in their order.

    One that cannot be read, segmented or written is reported and does not stop the others; finished ones are not read.
    However it ends, a case that is being written is written to its end.

    Args:
        cases: As `find_cases` gives them.
        settings: Where to, and how.
        model: A model, its record, name or folder, or several for an ensemble; by default the one made for each case.
        token: Cancelling it stops the computation at the network's next layer.

    Raises:
        InputError: There is no such device.
        ModelError: There is no such model.
        OutputError: The folder cannot be written.
        Cancelled: The token was cancelled.
    """
    cohort = _Cohort(settings, ModelChoice(model), token or CancelToken())
    planned = plan_cohort(cases, settings, cohort.models, cohort.log)
    reports: list[CaseReport] = []
    waiting: deque[Future[CaseReport]] = deque()
    reader, writer = ThreadPoolExecutor(1, "reading"), ThreadPoolExecutor(1, "writing")
    opened = _one_ahead(reader, cohort.open, [case for case in planned if case.is_open])
    try:
        for number, case in enumerate(planned):
            left = sum(other.is_open for other in planned[number:])
            here = Progress(len(reports), len(planned), cohort.pace(left))
            if case.is_open:
                waiting.append((yield from cohort.work(case, next(opened), writer, here)))
            else:
                waiting.append(_done(_told(case)))
            last = number + 1 == len(planned)
            while waiting and (last or waiting[0].done()):
                report = _result(waiting.popleft(), cohort.token)
                reports.append(replace(report, done=len(reports) + 1, total=len(planned)))
                yield reports[-1]
    finally:
        reader.shutdown(cancel_futures=True)
        writer.shutdown()
    return tuple(reports)


class _Cohort:
    """What all cases share, and what is done to each: `open` in the reading thread, `write` in the writing one."""

    def __init__(self, settings: CohortSettings, models: ModelChoice, token: CancelToken) -> None:
        self.settings, self.models, self.token = settings, models, token
        self.log = CohortLog(settings.folder)
        self._started = perf_counter()
        self._worked = 0
        self._written: Future[CaseReport] | None = None

    def pace(self, left: int) -> str:
        """Return rate and remaining time in words once a case is done; empty before."""
        if not self._worked:
            self._started = perf_counter()
            return ""
        return f" ({pace_in_words(self._worked, perf_counter() - self._started, left)})"

    def open(self, planned: PlannedCase) -> _Opened:
        """Read a case, and look for masks that no log tells of."""
        case = read_case(planned.files, self.settings.opening)
        job = job_of(planned.files, case.expected, self.settings, self.models)
        masks = output_paths(Segmentation.empty(case), planned.folder)
        existing = tuple(path for path in masks if path.exists())
        if planned.replaces or not existing:
            return _Opened(case, job)
        if planned.otherwise:
            raise OutputError(
                f"{existing[0]} is of a run that was stopped and worked {planned.otherwise}. Choose another folder, or "
                "allow it to be replaced (--overwrite)."
            )
        if len(existing) < len(masks):
            raise OutputError(
                f"{len(existing)} of {len(masks)} files exist in {existing[0].parent}: a former run stopped halfway. "
                "Allow them to be replaced (--overwrite), or remove them."
            )
        return _Opened(case, job, existing)

    def work(
        self, planned: PlannedCase, opening: Future[_Opened], writer: ThreadPoolExecutor, here: Progress
    ) -> Generator[Progress, None, Future[CaseReport]]:
        """Compute a case once it is read, hand it to the writing thread and return what will be reported of it."""
        name = planned.files.id
        if not self._worked:
            # torch loads here, while the first case is being read; without the device no case can be segmented.
            from napari_brainseg.inference.devices import resolve_device

            resolve_device(self.settings.run.device)
        yield replace(here, message=f"{name}: reading{here.message}")
        try:
            opened = _result(opening, self.token)
            if opened.existing:
                return _done(CaseReport(0, 0, case_id=name, masks=opened.existing, skipped="exists"))
            computed = yield from self._compute(planned, opened, here)
        except Cancelled:
            raise
        except (BrainsegError, MemoryError) as error:
            return _done(_failed(name, error))
        finally:
            self._worked += 1
        if self._written is not None:
            wait([self._written])  # so that masks do not pile up where writing is slow
        self._written = writer.submit(self._write, computed)
        return self._written

    def _compute(self, planned: PlannedCase, opened: _Opened, here: Progress) -> Generator[Progress, None, _Computed]:
        from napari_brainseg.inference.engine import segment

        case = opened.case
        run = segment(case, self.models.for_case(case), self.settings.run, self.token)
        while True:
            try:
                progress = next(run)
            except StopIteration as stop:
                result: Segmentation = stop.value
                break
            yield replace(here, message=f"{case.id}: {progress.message}{here.message}")
        fits = [fit_in_words(record, case) for record in self.models.records(case.expected)]
        remarks = tuple(note for note in (*case.notes, *fits, *result.notes) if note)
        return _Computed(planned, opened.job, result, remarks)

    def _write(self, computed: _Computed) -> CaseReport:
        """Write masks and maps and log the case: first that it is begun, then that it is finished."""
        planned, result, run = computed.planned, computed.result, self.settings.run
        chosen = {"probabilities": run.probabilities, "uncertainty": bool(run.uncertainty)}
        entry = Entry(planned.key, computed.job, model=result.model)
        try:
            maps = map_paths(result, planned.folder, **chosen)
            there = [path for path in (*output_paths(result, planned.folder), *maps) if path.exists()]
            if there and not planned.replaces:
                raise OutputError(f"{there[0]} exists. Choose another folder, or allow it to be replaced.")
            self.log.add([entry])
            masks = write_outputs(
                result, planned.folder, scheme=self.settings.scheme, overwrite=planned.replaces, **chosen
            )
            facts = {"seconds": dict(result.seconds), "remarks": computed.remarks}
            self.log.add([replace(entry, files=self._below(masks), maps=self._below(maps), facts=facts)])
        except (BrainsegError, MemoryError) as error:
            return _failed(result.case_id, error)
        return CaseReport(
            0,
            0,
            case_id=result.case_id,
            masks=masks,
            model=result.model,
            seconds=sum(result.seconds.values()),
            remarks=computed.remarks,
        )

    def _below(self, paths: Iterable[Path]) -> tuple[str, ...]:
        return tuple(path.relative_to(self.settings.folder).as_posix() for path in paths)


def pace_in_words(cases: int, seconds: float, left: int) -> str:
    """Return how many cases a minute were done, and how long as many as are `left` will take."""
    rate = 60 * cases / max(seconds, 1e-6)
    minutes, rest = divmod(round(60 * left / rate), 60)
    hours, minutes = divmod(minutes, 60)
    time = f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes >= 2 else f"{60 * minutes + rest} s"
    return f"{rate:.3g} cases/min, {time} left"


def _one_ahead(
    pool: ThreadPoolExecutor, task: Callable[[Item], Result], items: Sequence[Item]
) -> Iterator[Future[Result]]:
    """Yield the result of each item to come, while the pool is at work on the next one but no further."""
    following: Future[Result] | None = None
    for item in items:
        current, following = following, pool.submit(task, item)
        if current is not None:
            yield current
        del current  # else its images would be held until the next one is asked for
    if following is not None:
        yield following


def _result(future: Future[Result], token: CancelToken) -> Result:
    """Wait for a result; raise `Cancelled` soon after the token was cancelled."""
    while not wait([future], _POLL).done:
        token.raise_if_cancelled()
    return future.result()


def _done(report: CaseReport) -> Future[CaseReport]:
    future: Future[CaseReport] = Future()
    future.set_result(report)
    return future


def _told(case: PlannedCase) -> CaseReport:
    """Return the report of a case that is not worked on."""
    skipped = "" if case.problem else "is finished" if case.masks else "was given twice"
    return CaseReport(0, 0, case_id=case.files.id, masks=case.masks, skipped=skipped, problem=case.problem)


def _failed(name: str, error: BrainsegError | MemoryError) -> CaseReport:
    short = "The memory does not suffice for this case. Close other programs, or segment it on a larger machine."
    return CaseReport(0, 0, case_id=name, problem=short if isinstance(error, MemoryError) else str(error))
