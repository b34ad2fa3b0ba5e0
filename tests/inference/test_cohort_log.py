"""The log of a cohort: what is added is found again, whatever happened to the file."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from napari_brainseg.base.errors import OutputError
from napari_brainseg.cases.case import Naming
from napari_brainseg.cases.finding import CaseFiles
from napari_brainseg.inference.cohort_log import (
    CohortLog,
    Entry,
    Job,
    models_digest,
    settings_digest,
    sources_digest,
)
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.model_store.store import ModelRecord

JOB = Job("m", "s", "f")
DONE = Entry("a", JOB, ("a_seg.nii.gz",), ("a_probability-WT.nii.gz",), "brats 1", {"seconds": {"network": 1.5}})


def test_the_last_line_of_a_case_counts(tmp_path: Path) -> None:
    CohortLog(tmp_path).add([Entry("a", JOB), Entry("b", JOB)])
    log = CohortLog(tmp_path)
    log.add([DONE])
    for found in (log, CohortLog(tmp_path)):
        assert found.get("a") == DONE
        assert found.get("b") == Entry("b", JOB)
        assert found.get("c") is None
    assert len(log.path.read_text().splitlines()) == 3


@pytest.mark.parametrize("damage", ['{"case": "b", "job": {"mod', "3\n", '{"case": "b"}\n', "\n", "\x00\x00"])
def test_a_damaged_line_costs_no_other(tmp_path: Path, damage: str) -> None:
    CohortLog(tmp_path).add([DONE])
    with (tmp_path / "brainseg.jsonl").open("a") as file:
        file.write(damage)
    CohortLog(tmp_path).add([replace(DONE, case="c")])
    log = CohortLog(tmp_path)
    assert (log.get("a"), log.get("b"), log.get("c")) == (DONE, None, replace(DONE, case="c"))


def test_what_another_job_differs_in_is_said() -> None:
    assert DONE.difference(JOB) == ""
    assert DONE.difference(replace(JOB, models="x", settings="x")) == "with another model, brats 1"
    assert DONE.difference(replace(JOB, settings="x")) == "with other settings"
    assert DONE.difference(replace(JOB, sources="x")) == "from other files"


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="cannot be"):
        CohortLog(tmp_path / "out" / "below").add([DONE])
    (tmp_path / "brainseg.jsonl").mkdir()
    with pytest.raises(OutputError, match="cannot be read"):
        CohortLog(tmp_path)


def test_a_model_is_known_by_its_description_and_weights(tmp_path: Path) -> None:
    record = ModelRecord("m", "1", "", {"name": "unext"}, ("flair",), "lgg", ("WT",), folder=tmp_path)
    record.weights_path.write_bytes(b"weights")
    first = models_digest([record])
    elsewhere = replace(record, folder=tmp_path / "moved")
    (tmp_path / "moved").mkdir()
    elsewhere.weights_path.write_bytes(b"weights")
    assert models_digest([elsewhere]) == first
    assert models_digest([record, record]) != first
    assert models_digest([replace(record, preprocessing=Preprocessing(crop=True))]) != first
    record.weights_path.write_bytes(b"others!")
    assert models_digest([record]) != first


def test_settings_are_known_by_what_is_not_usual() -> None:
    usual = settings_digest(SegmentSettings())
    assert settings_digest(SegmentSettings(device="cpu", start=3), ("device", "start")) == usual
    assert settings_digest(SegmentSettings(flips=True)) != usual

    @dataclass(frozen=True)
    class Later(SegmentSettings):
        sharper: bool = False

    assert settings_digest(Later()) == usual


def test_sources_are_known_by_name_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "flair.nii.gz"
    path.write_bytes(b"12345")
    files = CaseFiles("c", Naming.PLAIN, {"flair": (path,)}, folder=tmp_path)
    first = sources_digest(files)
    assert sources_digest(files) == first
    status = path.stat()
    path.write_bytes(b"1234")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert sources_digest(files) != first
    path.write_bytes(b"54321")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 5_000_000_000))
    assert sources_digest(files) != first
    path.unlink()
    assert sources_digest(files) != first
