"""Segmenting one case: ours against MONAI, nnU-Net and plain loops with the same network and weights; then a cohort.

Times are from the case in memory to labels on its grid, the model being loaded. A peer takes part where it can: the 3-D
part needs a trained SegResNet (`BRAINSEG_SEGRESNET`, a model folder made by docs/studies/brats_segresnet.yaml), nnU-Net
an environment (`BRAINSEG_NNUNET_PYTHON`). Real cases are those of BRAINSEG_DATA that no model learned from; else
phantoms.
A ratio above 1 means that brainseg is quicker.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from benchmarks import cohort
from benchmarks.inference_peers import bundle, nnunet, one_window, plain_network, plain_slices, sliding_window
from napari_brainseg.base.paths import shipped_models
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
from napari_brainseg.cases.reading import find_cases, read_case
from napari_brainseg.evaluation.metrics import region_dice
from napari_brainseg.inference.delivery import Delivery
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.model import Model, load_model
from napari_brainseg.model_store.store import find_model
from napari_brainseg.training.splits import read_split

Labels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Of one way: labels, seconds of each run, and the highest memory of the process above what it held before."""

    name: str
    labels: Labels
    seconds: list[float]
    peak: float

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)


class _Peak:
    """The highest resident memory of this process while it is entered, above that at its start."""

    def __enter__(self) -> _Peak:
        self._process, self._over = psutil.Process(), threading.Event()
        self.start = self.highest = self._process.memory_info().rss
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.highest = max(self.highest, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    @property
    def taken(self) -> float:
        """Bytes."""
        return float(self.highest - self.start)


def _timed(name: str, task: Callable[[], Labels], repeats: int, *, warm_up: bool = True) -> Outcome:
    if warm_up:
        task()
    seconds, labels = [], np.zeros(0, np.uint8)
    with _Peak() as peak:
        for _ in range(repeats):
            start = time.perf_counter()
            labels = task()
            seconds.append(time.perf_counter() - start)
    return Outcome(name, labels, seconds, peak.taken)


def _ours(case: Case, model: Model) -> Callable[[], Labels]:
    return lambda: run_to_end(segment(case, model, SegmentSettings(device="cpu"))).labels


def _truth(case: Case, model: Model) -> Labels | None:
    if case.labels is None:
        return None
    return case.labels.scheme.convert(np.asarray(case.labels.volume.data, np.uint8), model.record.scheme)


def _row(outcome: Outcome, ours: Outcome, case: Case, model: Model) -> str:
    scheme = model.record.scheme
    between = region_dice(outcome.labels, ours.labels, scheme)
    text = (
        f"  {outcome.name}: {outcome.median:.2f} s ({min(outcome.seconds):.2f}-{max(outcome.seconds):.2f}), "
        f"{outcome.median / ours.median:.1f} x ours, {outcome.peak / 2**20:.0f} MiB more; Dice to ours "
        + ", ".join(f"{name} {value:.4f}" for name, value in between.items())
    )
    truth = _truth(case, model)
    if truth is not None:
        text += "; to the truth " + ", ".join(
            f"{n} {v:.4f}" for n, v in region_dice(outcome.labels, truth, scheme).items()
        )
    return text


def volumes(case: Case, model: Model) -> None:
    """Print ours and every peer on a 3-D model."""
    network = plain_network(model)
    ours = _timed("brainseg", _ours(case, model), 3)
    print(f"3-D, {case.id}, {model.record.name}, {sum(p.numel() for p in network.parameters())} parameters")
    print(_row(ours, ours, case, model), flush=True)
    ways: list[tuple[str, Callable[[], Labels], int]] = [
        ("MONAI, crop, one fp32 window", lambda: one_window(case, model, network), 2),
        ("MONAI, as the BraTS bundle sets it", lambda: bundle(case, model, network), 1),
        ("MONAI, roi 128, overlap 0.5, gaussian", lambda: sliding_window(case, model, network, (128, 128, 128)), 1),
    ]
    for name, task, repeats in ways:
        print(_row(_timed(name, task, repeats, warm_up=False), ours, case, model), flush=True)
    for mirrors in (False, True):
        run = nnunet(case, model, mirrors=mirrors)
        if run is not None:
            labels, seconds, peak = run()
            name = f"nnU-Net's predictor, {'with' if mirrors else 'without'} mirroring (its peak: the whole process)"
            print(_row(Outcome(name, labels, [seconds], peak), ours, case, model), flush=True)


def slices(case: Case, model: Model) -> None:
    """Print ours and plain loops on a 2-D model."""
    network = plain_network(model)
    ours = _timed("brainseg", _ours(case, model), 5)
    print(f"2-D, {case.id}, {case.geometry.shape[0]} slices, {model.record.name}")
    print(_row(ours, ours, case, model))
    for batch in (1, 32):
        outcome = _timed(f"fp32 loop, batch {batch}", lambda b=batch: plain_slices(case, model, network, b), 3)
        equal = float((outcome.labels == ours.labels).mean())
        print(_row(outcome, ours, case, model) + f"; equal on {100 * equal:.3f} % of pixels", flush=True)


def first_labels(case: Case, model: Model) -> None:
    """Print how long after the click the first labels come, as a share of the whole run; the model is warm."""
    settings = SegmentSettings(device="cpu", start=case.geometry.shape[0] // 2)
    shares = []
    for _ in range(4):
        first: list[float] = []
        start = time.perf_counter()
        run_to_end(
            segment(case, model, settings),
            lambda p, f=first, s=start: f.append(time.perf_counter() - s) if isinstance(p, Delivery) else None,
        )
        shares.append((first[0], time.perf_counter() - start))
    at, whole = min(shares[1:], key=lambda pair: pair[1])
    print(f"first labels of {case.id} by {model.record.name}: {at:.2f} s of {whole:.2f} s, {100 * at / whole:.0f} %")


def growth(model: Model) -> None:
    """Print time and memory for 1, 2, 4 and 8 times the slices."""
    base = make_lgg_phantom(1, 20)
    for times in (1, 2, 4, 8):
        case = make_lgg_phantom(1, 20 * times) if times > 1 else base
        outcome = _timed(f"{20 * times} slices", _ours(case, model), 3)
        per_slice = 1000 * outcome.median / (20 * times)
        print(f"growth: {outcome.name}: {per_slice:.1f} ms a slice, {outcome.peak / 2**20:.0f} MiB more", flush=True)


def memory_over_cases(model: Model) -> None:
    """Print the highest memory above the start while 1, 4 and 16 cases are read and segmented one after the other."""
    data = os.environ.get("BRAINSEG_DATA")
    if not data:
        print("memory over cases: set BRAINSEG_DATA")
        return
    files = find_cases(Path(data) / "BraTS18")

    def work(count: int) -> None:
        for number in range(count):
            run_to_end(segment(read_case(files[number % len(files)]), model, SegmentSettings(device="cpu")))

    work(1)
    for count in (1, 4, 16):
        with _Peak() as peak:
            work(count)
        print(f"memory over {count} cases: {peak.taken / 2**20:.0f} MiB more, a case's images included", flush=True)


def _held_out(kind: str, split: str) -> Case:
    data = os.environ.get("BRAINSEG_DATA")
    if not data:
        if kind == "BraTS18":
            return make_volume_phantom(1, (155, 240, 240), (1.0, 1.0, 1.0))
        return make_lgg_phantom(1, 24)
    wanted = read_split(shipped_models() / "splits.json", split).validation[0]
    return next(read_case(files) for files in find_cases(Path(data) / kind) if files.id == wanted)


def run() -> None:
    """Print everything, a line for each way."""
    torch.set_grad_enabled(False)
    lgg, brats = load_model(find_model("lgg")), load_model(find_model("brats"))
    patient, volume = _held_out("kaggle_3m", "lgg"), _held_out("BraTS18", "brats")
    slices(patient, lgg)
    slices(volume, brats)
    first_labels(patient, lgg)
    first_labels(volume, brats)
    growth(lgg)
    memory_over_cases(brats)
    folder = os.environ.get("BRAINSEG_SEGRESNET")
    if folder:
        segresnet = load_model(folder)
        volumes(volume, segresnet)
        first_labels(volume, segresnet)
    else:
        print("3-D: set BRAINSEG_SEGRESNET to a model made by docs/studies/brats_segresnet.yaml")
    torch.set_grad_enabled(True)
    cohort.run()
