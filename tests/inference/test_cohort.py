"""Cohorts with an engine that a test drives: what is read, computed and written when, and what is left after a stop."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from small_models import write_small_model

from napari_brainseg.base.errors import Cancelled, InputError, ModelError, OutputError
from napari_brainseg.base.progress import CancelToken, Progress, run_to_end
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.finding import CaseFiles, find_cases
from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.sample_files import write_volume_files
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.inference import cohort as module
from napari_brainseg.inference.cohort import CaseReport, pace_in_words, segment_cohort
from napari_brainseg.inference.cohort_plan import CohortSettings
from napari_brainseg.inference.settings import SegmentSettings

NAMES = [f"Phantom_00{n}" for n in (1, 2, 3, 4)]
real = module.read_case
PATIENCE = 20.0  # seconds after which something that a test waits for will not come any more


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cohort")
    for seed in (1, 2, 3, 4):
        case = make_volume_phantom(seed, (4, 16, 16), (16.0, 6.0, 6.0))
        write_volume_files(case, root / "cases" / case.id)
    write_small_model(root / "first")
    write_small_model(root / "second", "another")
    return root


@pytest.fixture
def cases(place: Path) -> list[CaseFiles]:
    return find_cases(place / "cases")


class Engine:
    """Stands in for the network: labels are the number of the case everywhere; keeps which cases it saw."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.raising: dict[str, BaseException] = {}

    def __call__(self, case: Case, model: object, settings: SegmentSettings, token: CancelToken) -> Iterator[Progress]:
        self.seen.append(case.id)
        yield Progress(0, 1, "computing")
        token.raise_if_cancelled()
        if case.id in self.raising:
            raise self.raising[case.id]
        labels = np.full(case.geometry.shape, NAMES.index(case.id) % 3 + 1, np.uint8)
        maps = np.full(case.geometry.shape, 0.5, np.float16)
        return Segmentation.for_case(
            case,
            labels,
            case.scheme,
            model="small 1",
            seconds={"network": 1.0},
            probabilities=maps[None],
            probability_names=("WT",),
            uncertainty=maps,
            uncertainty_name="entropy",
            notes=("A note of the run.",),
        )


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    fake = Engine()
    monkeypatch.setattr("napari_brainseg.inference.engine.segment", fake)
    return fake


def run(cases: list[CaseFiles], place: Path, out: Path, model: str = "first", **settings: object) -> list[CaseReport]:
    task = segment_cohort(cases, CohortSettings(out, **settings), place / model)
    return list(run_to_end(task))


def masks(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir() if path.name.endswith("_seg.nii.gz"))


def test_every_case_is_reported_in_its_order_and_written(
    place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yielded: list[Progress] = []
    two_reported = threading.Event()

    def reading(files: CaseFiles, options: object) -> Case:
        assert files.id != NAMES[2] or two_reported.wait(PATIENCE)
        return real(files, options)

    def keep(progress: Progress) -> None:
        yielded.append(progress)
        if isinstance(progress, CaseReport) and progress.done == 2:
            two_reported.set()

    monkeypatch.setattr(module, "read_case", reading)

    returned = run_to_end(segment_cohort(cases, CohortSettings(tmp_path), place / "first"), keep)
    reports = [progress for progress in yielded if isinstance(progress, CaseReport)]
    assert tuple(reports) == returned
    assert [(r.done, r.total, r.case_id) for r in reports] == [(n + 1, 4, name) for n, name in enumerate(NAMES)]
    assert masks(tmp_path) == [f"{name}_seg.nii.gz" for name in NAMES]
    for number, report in enumerate(reports):
        assert report.masks == (tmp_path / f"{report.case_id}_seg.nii.gz",)
        assert (report.problem, report.skipped, report.model, report.seconds) == ("", "", "small 1", 1.0)
        assert "A note of the run." in report.remarks
        assert (np.asarray(nib.load(report.masks[0]).dataobj) == (1, 2, 4)[number % 3]).all()
    words = [progress.message for progress in yielded if not isinstance(progress, CaseReport)]
    assert any(word.startswith("Phantom_001: computing") for word in words)
    assert any(word.startswith("Phantom_003: computing (") and word.endswith(" left)") for word in words)


def test_a_case_that_breaks_is_reported_and_the_others_go_on(
    place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path
) -> None:
    damaged = tmp_path / "cases" / "Phantom_002"
    damaged.mkdir(parents=True)
    (damaged / "Phantom_002_flair.nii.gz").write_bytes(b"")
    engine.raising["Phantom_003"] = MemoryError()
    engine.raising["Phantom_001"] = ModelError("The network said no.")
    (tmp_path / "out" / "Phantom_004_probability-WT.nii.gz").parent.mkdir()
    (tmp_path / "out" / "Phantom_004_probability-WT.nii.gz").write_bytes(b"mine")
    cases[1] = find_cases(damaged)[0]
    settings = SegmentSettings(probabilities=True)
    reports = run(cases, place, tmp_path / "out", run=settings)
    problems = [report.problem for report in reports]
    assert [report.case_id for report in reports] == NAMES
    for problem, words in zip(problems, ("said no", "is empty", "memory does not suffice", "exists"), strict=True):
        assert words in problem
    assert masks(tmp_path / "out") == []
    engine.raising.clear()
    (tmp_path / "out" / "Phantom_004_probability-WT.nii.gz").unlink()
    reports = run(cases, place, tmp_path / "out", run=settings)
    assert [bool(report.problem) for report in reports] == [False, True, False, False]
    assert len(masks(tmp_path / "out")) == 3


def test_finished_cases_are_neither_read_nor_computed(
    place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(cases[:2], place, tmp_path)
    read = []
    monkeypatch.setattr(module, "read_case", lambda files, options: read.append(files.id) or real(files, options))
    reports = run(cases, place, tmp_path)
    assert [report.skipped for report in reports] == ["is finished", "is finished", "", ""]
    assert sorted(read) == NAMES[2:]
    assert sorted(engine.seen) == NAMES


def test_what_was_made_otherwise_is_neither_kept_nor_replaced_unasked(
    place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path
) -> None:
    run(cases[:1], place, tmp_path)
    before = (tmp_path / "Phantom_001_seg.nii.gz").read_bytes()
    (other_model,) = run(cases[:1], place, tmp_path, "second")
    (other_settings,) = run(cases[:1], place, tmp_path, run=SegmentSettings(flips=True))
    assert "another model, small 1" in other_model.problem
    assert "other settings" in other_settings.problem
    assert (tmp_path / "Phantom_001_seg.nii.gz").read_bytes() == before
    assert engine.seen == NAMES[:1]
    (same,) = run(cases[:1], place, tmp_path, run=SegmentSettings(device="cpu"))
    assert same.skipped
    (replaced,) = run(cases[:1], place, tmp_path, "second", overwrite=True)
    assert (replaced.problem, replaced.skipped) == ("", "")
    assert run(cases[:1], place, tmp_path, "second")[0].skipped == "is finished"


def test_a_finished_case_whose_files_are_gone_is_made_again(
    place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path
) -> None:
    settings = SegmentSettings(uncertainty="entropy")
    run(cases[:1], place, tmp_path, run=settings)
    (tmp_path / "Phantom_001_uncertainty-entropy.nii.gz").unlink()
    (report,) = run(cases[:1], place, tmp_path, run=settings)
    assert "1 of 2 files exist" in report.problem
    (tmp_path / "Phantom_001_seg.nii.gz").unlink()
    (report,) = run(cases[:1], place, tmp_path, run=settings)
    assert not report.problem
    assert (tmp_path / "Phantom_001_uncertainty-entropy.nii.gz").exists()


def test_masks_without_a_log_are_left_alone(
    place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "Phantom_001_seg.nii.gz").write_bytes(b"mine")
    reports = run(cases[:2], place, tmp_path)
    assert [report.skipped for report in reports] == ["exists", ""]
    assert (tmp_path / "Phantom_001_seg.nii.gz").read_bytes() == b"mine"


def test_a_case_given_twice_is_done_once(place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path) -> None:
    reports = run([cases[0], cases[0]], place, tmp_path)
    assert [report.skipped for report in reports] == ["", "was given twice"]
    assert engine.seen == NAMES[:1]


def test_cases_are_read_and_written_during_a_computation_but_no_more_than_there_are_workers(
    place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second computation ends only once the third case was read and the first one is being written."""
    read = {name: threading.Event() for name in NAMES}
    begun, writing, may_write = threading.Event(), threading.Event(), threading.Event()
    write = module.write_outputs

    def reading(files: CaseFiles, options: object) -> Case:
        assert files.id == NAMES[0] or begun.wait(PATIENCE)  # else the second could take the only place before it
        case = real(files, options)
        read[files.id].set()
        return case

    def writes(result: Segmentation, *args: object, **options: object) -> tuple[Path, ...]:
        if result.case_id == NAMES[0]:
            writing.set()
            assert may_write.wait(PATIENCE)
        return write(result, *args, **options)

    def computing(case: Case, *rest: object) -> Iterator[Progress]:
        begun.set()
        if case.id == NAMES[1]:
            assert read[NAMES[2]].wait(PATIENCE)
            assert writing.wait(PATIENCE)
            assert not read[NAMES[3]].is_set() or NAMES[2] in seen  # a fourth case is for who is done with one
            may_write.set()
        seen.append(case.id)
        return (yield from engine(case, *rest))

    seen: list[str] = []
    monkeypatch.setattr(module, "WORKERS", {"cpu": 3})
    monkeypatch.setattr(module, "read_case", reading)
    monkeypatch.setattr(module, "write_outputs", writes)
    monkeypatch.setattr("napari_brainseg.inference.engine.segment", computing)
    reports = run(cases, place, tmp_path)
    assert [report.problem for report in reports] == [""] * 4


def test_images_are_held_by_no_more_cases_than_there_are_workers(
    place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: set[str] = set()
    held, written = [], []
    write = module.write_outputs

    def reading(files: CaseFiles, options: object) -> Case:
        case = real(files, options)
        alive.add(files.id)
        weakref.finalize(case, alive.discard, files.id)
        held.append(len(alive))
        return case

    def writes(result: Segmentation, *args: object, **options: object) -> tuple[Path, ...]:
        written.append(result.case_id in alive)
        return write(result, *args, **options)

    monkeypatch.setattr(module, "read_case", reading)
    monkeypatch.setattr(module, "write_outputs", writes)
    run([*cases], place, tmp_path)
    assert max(held) <= 2
    assert written == [False] * 4  # given back before the masks are written
    assert not alive


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Cancelled()])
def test_a_stop_leaves_whole_files_and_the_next_run_goes_on(
    place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path, stop: BaseException
) -> None:
    engine.raising[NAMES[2]] = stop
    with pytest.raises(type(stop)):
        run(cases, place, tmp_path)
    whole = {f"{name}_seg.nii.gz" for name in NAMES}
    assert whole - set(masks(tmp_path)) >= {f"{NAMES[2]}_seg.nii.gz"}
    assert set(masks(tmp_path)) >= {f"{name}_seg.nii.gz" for name in NAMES[:2]}
    assert not list(tmp_path.glob(".writing-*"))
    for name in NAMES[:2]:
        nib.load(tmp_path / f"{name}_seg.nii.gz").get_fdata()
    assert not [t.name for t in threading.enumerate() if t.name.startswith("segmenting")]
    engine.raising.clear()
    engine.seen.clear()
    reports = run(cases, place, tmp_path)
    assert [report.skipped for report in reports][:3] == ["is finished", "is finished", ""]
    assert NAMES[2] in engine.seen
    assert not set(engine.seen) & set(NAMES[:2])
    assert masks(tmp_path) == sorted(whole)


def test_a_run_that_was_killed_while_it_wrote_goes_on(
    place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module.write_outputs

    def dies(result: Segmentation, folder: Path, **options: object) -> tuple[Path, ...]:
        write(result, folder, overwrite=True)
        raise SystemExit

    monkeypatch.setattr(module, "write_outputs", dies)
    settings = SegmentSettings(probabilities=True)
    with pytest.raises(SystemExit):
        run(cases[:1], place, tmp_path, run=settings)
    assert masks(tmp_path) == ["Phantom_001_seg.nii.gz"]
    monkeypatch.setattr(module, "write_outputs", write)
    (other,) = run(cases[:1], place, tmp_path)
    assert "other settings" in other.problem
    (report,) = run(cases[:1], place, tmp_path, run=settings)
    assert (report.problem, report.skipped) == ("", "")
    assert (tmp_path / "Phantom_001_probability-WT.nii.gz").exists()


def test_a_stopped_replacement_goes_on_without_replacing_all_again(
    place: Path, cases: list[CaseFiles], engine: Engine, tmp_path: Path
) -> None:
    run(cases, place, tmp_path)
    engine.seen.clear()
    engine.raising[NAMES[2]] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run(cases, place, tmp_path, "second", overwrite=True)
    engine.raising.clear()
    engine.seen.clear()
    reports = run(cases, place, tmp_path, "second")
    assert [report.skipped for report in reports][:3] == ["is finished", "is finished", ""]
    assert NAMES[2] in engine.seen
    assert not set(engine.seen) & set(NAMES[:2])


def test_what_no_case_can_do_without_ends_the_run(place: Path, cases: list[CaseFiles], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no device"):
        run(cases, place, tmp_path, run=SegmentSettings(device="cuda:9"))
    with pytest.raises(ModelError, match="no model"):
        run_to_end(segment_cohort(cases, CohortSettings(tmp_path), "nothing"))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="file"):
        run(cases, place, tmp_path / "file", overwrite=True)


@pytest.mark.parametrize(
    ("cases", "seconds", "left", "words"),
    [
        (3, 6.0, 10, "30 cases/min, 20 s left"),
        (1, 60.0, 90, "1 cases/min, 1 h 30 min left"),
        (2, 90.0, 4, "1.33 cases/min, 3 min left"),
        (1, 0.0, 1, "6e+07 cases/min, 0 s left"),
    ],
)
def test_rate_and_remaining_time_in_words(cases: int, seconds: float, left: int, words: str) -> None:
    assert pace_in_words(cases, seconds, left) == words
