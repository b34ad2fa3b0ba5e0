"""A cohort of eight cases, ours against the same engine one case at a time.

The loop is what a script does: read, segment, write, then the next case. Models are warm on both sides. A ratio above 1
means that brainseg is quicker. Data are cases of BRAINSEG_DATA, or phantoms.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from benchmarks.timing import compared, in_turn
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.finding import CaseFiles
from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
from napari_brainseg.cases.reading import find_cases, read_case
from napari_brainseg.cases.sample_files import write_slice_files, write_volume_files
from napari_brainseg.cases.writing import write_outputs
from napari_brainseg.inference.cohort import segment_cohort
from napari_brainseg.inference.cohort_plan import CohortSettings
from napari_brainseg.inference.engine import segment
from napari_brainseg.model_store.store import find_model

CASES = 8
ROUNDS = 3


def _one_at_a_time(cases: Sequence[CaseFiles], model: str, out: Path) -> None:
    for files in cases:
        result = run_to_end(segment(read_case(files), find_model(model)))
        write_outputs(result, out)


def _compare_cohort(name: str, model: str, cases: Sequence[CaseFiles], scratch: Path) -> None:
    numbers = count()

    def ours() -> None:
        settings = CohortSettings(scratch / f"{name}-{next(numbers)}")
        reports = run_to_end(segment_cohort(cases, settings, model))
        if any(report.problem or report.skipped for report in reports):
            raise RuntimeError(f"not every case was segmented: {[report.problem for report in reports]}")

    def theirs() -> None:
        _one_at_a_time(cases, model, scratch / f"{name}-{next(numbers)}")

    seconds = in_turn(ours, theirs, ROUNDS)
    print(compared(f"cohort of {len(cases)} cases, {name}", *seconds, "one at a time"))


def _cases(kind: str, scratch: Path) -> list[CaseFiles]:
    """Return real cases of BRAINSEG_DATA, else phantoms of their size, written there."""
    real = os.environ.get("BRAINSEG_DATA")
    if real:
        return find_cases(Path(real) / ("kaggle_3m" if kind == "lgg" else "BraTS18"))[:CASES]
    for seed in range(1, CASES + 1):
        if kind == "lgg":
            slices = make_lgg_phantom(seed, 24)
            write_slice_files(slices, scratch / kind / slices.id)
        else:
            volume = make_volume_phantom(seed, (155, 240, 240), (1.0, 1.0, 1.0))
            write_volume_files(volume, scratch / kind / volume.id)
    return find_cases(scratch / kind)


def run() -> None:
    """Print one line for BraTS cases and one for LGG patients, with the shipped models."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for kind, words in (("brats", "BraTS"), ("lgg", "LGG")):
            _compare_cohort(words, kind, _cases(kind, scratch), scratch)
