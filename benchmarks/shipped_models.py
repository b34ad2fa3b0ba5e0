"""The shipped models on real cases that they did not learn from, where there are such: Dice; time against a plain loop.

Needs BRAINSEG_DATA. The plain loop is what a short script does with the same network and weights: fp32, contiguous, one
whole slice at a time, along the planes that the model sees. A ratio above 1 means that brainseg is quicker. Dice is
that of whole patients, per region. Every case was learned from by some member of an ensemble of folds: its scores are
those of its cross-validation, in its card.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmarks.inference_peers import plain_network, plain_slices
from benchmarks.timing import compared, in_turn
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.reading import find_cases, read_case
from napari_brainseg.evaluation.metrics import region_dice
from napari_brainseg.inference.engine import segment
from napari_brainseg.model_store.ensembles import trainings_of
from napari_brainseg.model_store.model import Model, load_model
from napari_brainseg.model_store.store import find_model


def unseen(model: Model) -> list[str]:
    """Return the cases that validated every network of the model, so that none of them learned from them."""
    parts = [set(one.cases.get("validation", ())) for one in trainings_of(model.record)]
    return sorted(set.intersection(*parts))


def run() -> None:
    """Print Dice of every case that was not learned from, its mean, and the time of one case."""
    data = os.environ.get("BRAINSEG_DATA")
    if not data:
        print("shipped models: set BRAINSEG_DATA to a folder with kaggle_3m/ and BraTS18/")
        return
    for name, kind in (("lgg", "kaggle_3m"), ("brats", "BraTS18")):
        model = load_model(find_model(name))
        files = {f.id: f for f in find_cases(Path(data) / kind)}
        rows = []
        for case_id in unseen(model) or [next(iter(files))]:
            case = read_case(files[case_id])
            result = run_to_end(segment(case, model))
            assert case.labels is not None
            truth = case.labels.scheme.convert(np.asarray(case.labels.volume.data, np.uint8), result.scheme)
            if unseen(model):
                rows.append(region_dice(result.labels, truth, result.scheme))
                print(f"{name} {case_id}: " + ", ".join(f"{k} {v:.3f}" for k, v in rows[-1].items()))
        if rows:
            means = {region: float(np.mean([row[region] for row in rows])) for region in rows[0]}
            print(f"{name} mean of {len(rows)}: " + ", ".join(f"{k} {v:.3f}" for k, v in means.items()))
        network = plain_network(model)
        ours, theirs = in_turn(
            lambda c=case, m=model: run_to_end(segment(c, m)),
            lambda c=case, m=model, n=network: plain_slices(c, m, n, 1),
            repeats=3,
        )
        print(compared(f"segment {case.id}", ours, theirs, "plain fp32 loop"))
