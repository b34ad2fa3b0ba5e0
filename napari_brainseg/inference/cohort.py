"""Segment many cases: some are read and written while others are computed.

A few workers take the cases in their order, and each does all of its case; how many compute at once is for `Places` to
say. So the images of as many cases are held as there are workers. What is finished is known by a log beside the masks,
so that a cohort that was stopped goes on where it was.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING

from napari_brainseg.base.errors import BrainsegError, Cancelled, ModelError, OutputError
from napari_brainseg.base.progress import CancelToken, Progress, run_to_end
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
    from napari_brainseg.inference.places import Places

# On a GPU one reads, one computes and one writes. On a CPU a third one would only take the cores from the two.
WORKERS = {"cpu": 2}
WORKERS_ELSEWHERE = 3
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
    token = token or CancelToken()
    cohort = _Cohort(settings, ModelChoice(model), CancelToken(token))
    planned = plan_cohort(cases, settings, cohort.models, cohort.log)
    reports: list[CaseReport] = []
    yield Progress(0, len(planned), "loading the models")
    with cohort.computing_places(sum(case.is_open for case in planned)) as workers:
        pool = ThreadPoolExecutor(workers, "segmenting")
        try:
            futures = [pool.submit(cohort.work, n, c) if c.is_open else _told(c) for n, c in enumerate(planned)]
            for number, future in enumerate(futures):
                left = sum(case.is_open for case in planned[number:])
                yield from cohort.follow(number, future, len(planned), left)
                reports.append(replace(future.result(), done=number + 1, total=len(planned)))
                yield reports[-1]
        finally:
            cohort.token.cancel()  # harmless where all is done; else those that compute stop at the next layer
            pool.shutdown(cancel_futures=True)
    return tuple(reports)


class _Cohort:
    """What all cases share, and what a worker does to each."""

    def __init__(self, settings: CohortSettings, models: ModelChoice, token: CancelToken) -> None:
        self.settings, self.models, self.token = settings, models, token
        self.log = CohortLog(settings.folder)
        self._told: SimpleQueue[tuple[int, str]] = SimpleQueue()
        self._started = perf_counter()
        self._worked = 0
        self._places: Places | None = None

    @contextmanager
    def computing_places(self, cases: int) -> Iterator[int]:
        """Make the places to compute so many cases, and give the number of workers.

        Raises:
            InputError: There is no such device.
        """
        if not cases:
            yield 1
            return
        from napari_brainseg.inference.devices import resolve_device  # torch loads here
        from napari_brainseg.inference.places import Places

        device = resolve_device(self.settings.run.device)
        with Places.on(device, cases) as self._places:
            self._started = perf_counter()
            yield WORKERS.get(device.type, WORKERS_ELSEWHERE)

    def follow(self, number: int, future: Future[CaseReport], total: int, left: int) -> Generator[Progress, None, None]:
        """Yield what is told of a case until it is done; what later ones tell meanwhile is not shown."""
        while not (future.done() and self._told.empty()):
            self.token.raise_if_cancelled()
            try:
                told, message = self._told.get(timeout=_POLL)
            except Empty:
                continue
            if told == number and message:
                yield Progress(number, total, message + self._pace(left))

    def _pace(self, left: int) -> str:
        """Return rate and remaining time in words once a case is done; empty before."""
        return f" ({pace_in_words(self._worked, perf_counter() - self._started, left)})" if self._worked else ""

    def work(self, number: int, planned: PlannedCase) -> CaseReport:
        """Read, segment and write a case; in the thread of a worker."""
        name = planned.files.id
        try:
            self._tell(number, f"{name}: reading")
            opened = self._open(planned)
            if opened.existing:
                return CaseReport(0, 0, case_id=name, masks=opened.existing, skipped="exists")
            computed = self._compute(number, planned, opened)
            del opened  # the images are given back before the masks are written
            return self._write(computed)
        except Cancelled:
            raise
        except (BrainsegError, MemoryError) as error:
            return _failed(name, error)
        finally:
            self._worked += 1
            self._tell(number, "")  # wakes whoever follows

    def _tell(self, number: int, message: str) -> None:
        self._told.put((number, message))

    def _open(self, planned: PlannedCase) -> _Opened:
        """Read a case, and look for masks that no log tells of."""
        self.token.raise_if_cancelled()
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

    def _compute(self, number: int, planned: PlannedCase, opened: _Opened) -> _Computed:
        from napari_brainseg.inference.engine import segment

        case = opened.case
        records = self.models.records(case.expected)
        run = self.settings.run
        external = next((record for record in records if record.external is not None), None)
        if external is not None and (run.probabilities or run.uncertainty):
            raise ModelError(
                f"{external.name} gives labels alone, without probabilities or uncertainty. Leave those out, or choose "
                "another model."
            )
        assert self._places is not None
        with self._places.taken(any(record.spatial_dims == 3 for record in records), self.token):
            task = segment(case, self.models.for_case(case), run, self.token)
            result = run_to_end(task, lambda progress: self._tell(number, f"{case.id}: {progress.message}"))
        fits = [fit_in_words(record, case) for record in records]
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


def _told(case: PlannedCase) -> Future[CaseReport]:
    """Return the report of a case that is not worked on."""
    skipped = "" if case.problem else "is finished" if case.masks else "was given twice"
    future: Future[CaseReport] = Future()
    future.set_result(CaseReport(0, 0, case_id=case.files.id, masks=case.masks, skipped=skipped, problem=case.problem))
    return future


def _failed(name: str, error: BrainsegError | MemoryError) -> CaseReport:
    short = "The memory does not suffice for this case. Close other programs, or segment it on a larger machine."
    return CaseReport(0, 0, case_id=name, problem=short if isinstance(error, MemoryError) else str(error))
