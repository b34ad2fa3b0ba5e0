"""One run over a box: slices or windows in order, delivered as they are done, with less memory where it runs out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.inference.delivery import Delivery
from napari_brainseg.inference.memory import free_memory, ran_out_of_memory, require_memory, return_memory
from napari_brainseg.inference.planning import CPU, Limits, Needs, Plan, make_plan, smaller, tuple_of
from napari_brainseg.inference.precision import Disagreement, halves_agree
from napari_brainseg.inference.predictor import Predictor
from napari_brainseg.inference.remembered import remember
from napari_brainseg.inference.results import Results
from napari_brainseg.inference.windows import Blended, Window, nearest_first, plan_windows
from napari_brainseg.model_store.planes import turned

_SLAB = 16
# Slices before and behind the wanted ones that are looked at along the other planes.
_AROUND = 32
_LIMITS: dict[str, Limits] = {}  # of models on devices, for this process

Steps = Generator[Progress, None, None]


@dataclass(eq=False)
class Job:
    """What a run works on.

    Attributes:
        predictor: Computes.
        results: Is filled.
        needs: What the network needs.
        device: Where it shall compute.
        half: The half precision it shall compute in, or None.
        undecided: Whether it is still to be seen if that gives the labels of fp32.
        wanted: Slices of the box that are predicted.
        start: The slice, counted from the box's first, that comes first; None for plain order.
        origin: Where the box begins in the case's grid (Z, Y, X).
        key: Of the models on the device, for what is remembered.
        planes: Planes along which a 2-D network sees the box.
        notes: What a person should know, one sentence each.
    """

    predictor: Predictor
    results: Results
    needs: Needs
    device: torch.device
    half: torch.dtype | None
    undecided: bool
    wanted: range
    start: int | None
    origin: tuple[int, int, int]
    key: str
    planes: tuple[str, ...] = ("axial",)
    notes: list[str] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the box."""
        return tuple_of(self.results.labels.shape)

    def delivered(self, place: Window, progress: Progress, labels: LabelArray | None = None) -> Delivery:
        """Return the labels of a part of the box as a report, in the case's grid."""
        z, y, x = (slice(s.start + o, s.stop + o) for s, o in zip(place, self.origin, strict=True))
        shown = self.results.labels[place].copy() if labels is None else labels
        return Delivery(progress.done, progress.total, progress.message, window=(z, y, x), labels=shown)

    def whole(self, first: int, last: int) -> Window:
        """Return the part of the box from slice `first` to before `last`."""
        return slice(first, last), slice(0, self.shape[1]), slice(0, self.shape[2])


def run(job: Job) -> Steps:
    """Run the network over the box and fill the results; go down in memory, and on, wherever it runs out."""
    limits, freed = _LIMITS.get(job.key, Limits()), False
    if limits.cpu and job.device != CPU:
        job.notes.append(f"{job.device} ran out of memory before, so the CPU computed.")
    while True:
        shape = (len(_extent(job)), *job.shape[1:])
        free = free_memory(CPU if limits.cpu else job.device)
        plan = make_plan(job.needs, shape, job.device, free, limits, job.half)
        _require_memory(job, plan)
        try:
            job.predictor.move(plan)
            yield from _steps(job)(job, plan)
        except Disagreement:
            remember(job.key, "half", False)
            job.half, job.undecided = None, False
            job.results.clear()
            continue
        except (RuntimeError, MemoryError) as error:
            if not ran_out_of_memory(error):
                raise
        else:
            return
        # Here the error is forgotten, and with it the tensors of the frames that it went through.
        return_memory(plan.device)
        limits, said = smaller(plan, limits, freed=freed)
        freed, _LIMITS[job.key] = True, limits
        job.notes.append(said)
        yield Progress(0, 0, said)


def _require_memory(job: Job, plan: Plan) -> None:
    if plan.device.type != "cpu":
        return
    voxels = np.prod(plan.window or (1, *job.shape[1:]))
    require_memory(job.needs.bytes_per_voxel * float(voxels), f"A volume of {' × '.join(map(str, job.shape))} voxels")


def _steps(job: Job) -> Callable[[Job, Plan], Steps]:
    """Return what runs the network."""
    if job.needs.window is not None:
        return _windows
    return _slices if job.planes == ("axial",) else _planes


def _slices(job: Job, plan: Plan) -> Steps:
    """Run a 2-D network over the slices that are not done; what is in them together does not depend on the order."""
    results, predictor = job.results, job.predictor
    # A slice of nothing holds no tumour: the network is not asked.
    seen = [z for z in job.wanted if predictor.holds(job.whole(z, z + 1))]
    todo = [z for z in seen if not results.done[z]]
    groups = [todo[i : i + plan.batch] for i in range(0, len(todo), plan.batch)]
    spans = [slice(g[0], g[-1] + 1) for g in groups]
    done = len(seen) - len(todo)
    yield _progress("slices", done, len(seen))
    if job.start is not None and len(groups) > 1:
        # The shown slice alone first, for the eye; it comes again with its group, so that order changes no label.
        z = todo[nearest_first([slice(z, z + 1) for z in todo], job.start)[0]]
        labels = results.labels_of(predictor.slices([z], plan))
        yield job.delivered(job.whole(z, z + 1), _progress("slices", done, len(seen)), labels)
    for number in range(len(groups)) if job.start is None else nearest_first(spans, job.start):
        group = groups[number]
        results.take(group, predictor.slices(group, plan))
        _check_precision(job, plan, group)
        done += len(group)
        yield job.delivered(job.whole(group[0], group[-1] + 1), _progress("slices", done, len(seen)))


def _planes(job: Job, plan: Plan) -> Steps:
    """Run a 2-D network over the slices of several planes and average; what one plane found is shown meanwhile."""
    job.results.clear()
    extent = _extent(job)
    total = torch.zeros((job.predictor.maps, len(extent), *job.shape[1:]), device=plan.results)
    views = {plane: job.predictor.seen_along(plane, extent) for plane in job.planes}
    groups = [(plane, group) for plane, view in views.items() for group in _groups(job, view, plan, plane)]
    count, done = sum(len(group) for _, group in groups), 0
    yield _progress("slices", done, count)
    for plane, group in groups:
        maps = views[plane].slices(group, plan)
        turned(total, plane)[:, group] += maps
        done += len(group)
        progress = _progress("slices", done, count)
        if plane == "axial":
            place = job.whole(group[0] + extent.start, group[-1] + 1 + extent.start)
            yield job.delivered(place, progress, job.results.labels_of(maps))
        else:
            yield progress
    total /= len(job.planes)
    wanted = [z for z in job.wanted if job.predictor.holds(job.whole(z, z + 1))]
    for first in range(0, len(wanted), _SLAB):
        some = wanted[first : first + _SLAB]
        job.results.take(some, total[:, [z - extent.start for z in some]])
    if wanted:
        _check_precision(job, plan, wanted)
        yield job.delivered(job.whole(wanted[0], wanted[-1] + 1), _progress("slices", done, count))


def _groups(job: Job, view: Predictor, plan: Plan, plane: str) -> list[list[int]]:
    """Return the slices of a plane that hold something, as many at once as planned; those near the shown one first."""
    depth, rows, columns = view.shape
    seen = [z for z in range(depth) if view.holds((slice(z, z + 1), slice(0, rows), slice(0, columns)))]
    if plane == "axial":  # those around the wanted ones are for the other planes
        seen = [z for z in seen if z + _extent(job).start in job.wanted]
    groups = [seen[i : i + plan.batch] for i in range(0, len(seen), plan.batch)]
    if job.start is None or plane != "axial":
        return groups
    spans = [slice(group[0], group[-1] + 1) for group in groups]
    return [groups[number] for number in nearest_first(spans, job.start - _extent(job).start)]


def _windows(job: Job, plan: Plan) -> Steps:
    """Run a 3-D network over windows, blended where they overlap; only windows that hold something are computed."""
    assert plan.window is not None
    extent = _extent(job)
    shape = (len(extent), *job.shape[1:])
    places = [w for w in _within(extent, plan_windows(shape, plan.window, plan.overlap)) if job.predictor.holds(w)]
    job.results.clear()
    yield _progress("windows", 0, len(places))
    if job.start is not None:
        places = [places[i] for i in nearest_first([w[0] for w in places], job.start)]
    blended = None if len(places) < 2 else Blended(job.predictor.maps, job.shape, plan.window, plan.results)
    for first in range(0, len(places), plan.batch):
        some, rest = places[first : first + plan.batch], places[first + plan.batch :]
        progress = _progress("windows", first + len(some), len(places))
        maps = job.predictor.windows(some, plan.window, plan)
        finished = _finished(job, places, rest)
        if blended is None:
            _take_whole(job, some[0], maps[0], finished)
        else:
            for place, found in zip(some, maps, strict=True):
                blended.add(place, found)
        del maps
        if blended is not None:
            _take_blended(job, blended, finished)
        if finished:
            _check_precision(job, plan, finished)
        yield from _deliver(job, blended, some, finished, progress)


def _take_whole(job: Job, place: Window, maps: torch.Tensor, finished: Sequence[int]) -> None:
    """Keep maps (R, *size) of the one window there is; the rest of each slice holds nothing."""
    z, y, x = (s.stop - s.start for s in place)
    inside = maps[:, :z, :y, :x]
    missing = [n for axis in (2, 1) for n in (place[axis].start, job.shape[axis] - place[axis].stop)]
    if any(missing):
        inside = torch.nn.functional.pad(inside, missing)
    if finished:
        first = finished[0] - place[0].start
        job.results.take(finished, inside[:, first : first + len(finished)])


def _take_blended(job: Job, blended: Blended, finished: Sequence[int]) -> None:
    for part in _runs(finished):
        for first in range(part.start, part.stop, _SLAB):
            last = min(first + _SLAB, part.stop)
            job.results.take(range(first, last), blended.mean(job.whole(first, last)))


def _deliver(
    job: Job, blended: Blended | None, some: Sequence[Window], finished: Sequence[int], progress: Progress
) -> Steps:
    """Report the slices that are finished, and what can be shown of the others where somebody is looking."""
    parts = list(_runs(finished))
    for part in parts:
        yield job.delivered(job.whole(part.start, part.stop), progress)
    waiting = [w for w in some if not job.results.done[w[0]].all()] if job.start is not None and blended else []
    for z, y, x in waiting:
        inside = slice(max(z.start, job.wanted.start), min(z.stop, job.wanted.stop))
        assert blended is not None
        if inside.start < inside.stop:
            place = (inside, y, x)
            yield job.delivered(place, progress, job.results.labels_of(blended.mean(place)))
    if not parts and not waiting:
        yield progress


def _finished(job: Job, places: Sequence[Window], rest: Sequence[Window]) -> list[int]:
    """Return the wanted slices that no window is still to come for and that are not done yet."""
    touched, open_ = np.zeros(job.shape[0], bool), np.zeros(job.shape[0], bool)
    for z, _, _ in places:
        touched[z] = True
    for z, _, _ in rest:
        open_[z] = True
    return [z for z in job.wanted if touched[z] and not open_[z] and not job.results.done[z]]


def _check_precision(job: Job, plan: Plan, places: Sequence[int]) -> None:
    """Once tumour has been found, see whether half precision gives the labels of fp32; raise `Disagreement` if not."""
    if not job.undecided or plan.half is None:
        return
    agree = halves_agree(job.predictor, job.results, plan, places)
    if agree is False:
        raise Disagreement
    if agree:
        job.undecided = False
        remember(job.key, "half", True)


def _extent(job: Job) -> range:
    """Return the slices that the network looks at: around those that are wanted, half a window more of a 3-D one."""
    across = _AROUND if job.planes != ("axial",) else 0
    around = job.needs.window[0] // 2 if job.needs.window else across
    return range(max(0, job.wanted.start - around), min(job.shape[0], job.wanted.stop + around))


def _within(extent: range, windows: Sequence[Window]) -> Iterator[Window]:
    for z, y, x in windows:
        yield slice(z.start + extent.start, z.stop + extent.start), y, x


def _runs(places: Sequence[int]) -> Iterator[range]:
    """Yield the unbroken runs of ascending numbers."""
    first = 0
    for i in range(1, len(places) + 1):
        if i == len(places) or places[i] != places[i - 1] + 1:
            yield range(places[first], places[i - 1] + 1)
            first = i


def _progress(what: str, done: int, total: int) -> Progress:
    return Progress(done, total, f"{what} {done} of {total}")
