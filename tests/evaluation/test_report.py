from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
from case_files import CASE_ID, TUMOUR_SLICE, write_case
from scored_cases import load, run

from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.finding import find_cases
from napari_brainseg.evaluation.case_scores import Comparison
from napari_brainseg.evaluation.page import NOTICE
from napari_brainseg.evaluation.report import case_images, write_report


def test_the_page_is_whole_and_self_contained(tmp_path: Path) -> None:
    asked = []

    def image_of(case_id: str, z: int) -> None:
        asked.append((case_id, z))

    write_report(run("a_1", "a_2", "b_1", "bad"), tmp_path / "report.html", {"predictions": "<p>"}, image_of)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert NOTICE in page
    assert "&lt;p&gt;" in page
    assert "bad could not be scored: bad is damaged." in page
    assert "95 % interval" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    # Worst and best of three cases, from the slice with the tumour.
    assert asked == [("b_1", 1), ("a_1", 1)]
    assert "Reliability" not in page
    assert page.index(">b_1<") < page.index(">a_2<") < page.index(">a_1<")


def test_one_case_is_shown_once_with_its_reliability(tmp_path: Path) -> None:
    def with_maps(case_id: str) -> Generator[Progress, None, Comparison]:
        found = yield from load(case_id)
        return replace(found, probabilities={"WT": np.full(found.truth.shape, 0.3, np.float32)})

    image = np.arange(64, dtype=np.float32).reshape(8, 8)
    write_report(run("a_2", how=with_maps), tmp_path / "r.html", {}, lambda *_: image)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.count("a_2, slice 1") == 2  # as text, and for those who cannot see the picture
    assert "Reliability" in page
    assert "ECE near the tumour" in page


def test_images_come_from_the_case_and_are_missed_silently(tmp_path: Path) -> None:
    write_case(tmp_path)
    image_of = case_images({files.id: files for files in find_cases(tmp_path)})
    image = image_of(CASE_ID, TUMOUR_SLICE)
    assert image is not None
    assert image.max() > 250
    assert image_of("other", 0) is None
    assert image_of(CASE_ID, 99) is None
    next(tmp_path.rglob("*_flair.nii.gz")).write_bytes(b"")
    assert image_of(CASE_ID, 0) is None
