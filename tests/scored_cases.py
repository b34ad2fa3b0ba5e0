"""Small comparisons of one class that are scored without a file, for tests of what follows from scores."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from napari_brainseg.base.errors import InputError
from napari_brainseg.base.progress import Progress, run_to_end
from napari_brainseg.cases.labels import LGG
from napari_brainseg.evaluation.case_scores import Comparison
from napari_brainseg.evaluation.evaluating import Evaluation, Load, evaluate


def comparison(case_id: str, hits: int, wrong: int = 0) -> Comparison:
    """Return a case of two slices whose second truly holds 8 voxels, of which `hits` were found, and `wrong` others."""
    truth, prediction = np.zeros((2, 2, 8, 8), np.uint8)
    truth[1, 2] = 1
    prediction[1, 2, :hits] = 1
    prediction[1, 6, :wrong] = 1
    return Comparison(case_id, prediction, truth, LGG, (1.0, 1.0, 1.0))


CASES = {"a_1": comparison("a_1", 8), "a_2": comparison("a_2", 4), "b_1": comparison("b_1", 0, 4)}


def load(case_id: str) -> Generator[Progress, None, Comparison]:
    yield Progress(0, 0, "reading")
    if case_id not in CASES:
        raise InputError(f"{case_id} is damaged.")
    return CASES[case_id]


def run(*case_ids: str, how: Load = load) -> Evaluation:
    return run_to_end(evaluate(case_ids, how, lambda case_id: case_id[0], ["Known before."]))
