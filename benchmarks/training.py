"""Training steps: ours against the usual MONAI pipeline with the same network, loss, data, batch and augmentation.

The pipeline is that of MONAI's tutorials: a `CacheDataset` of dictionaries, random transforms one sample at a time, a
`DataLoader` (without workers and with two: the quicker one counts), fp32, contiguous tensors. Ours is the epoch of
`brainseg train` as a user runs it. Reading and validation are left out on both sides. Data are slices and volumes of
BRAINSEG_DATA, or phantoms. A ratio above 1 means that brainseg is quicker.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from monai.data import CacheDataset, DataLoader
from monai.transforms import (
    Compose,
    EnsureTyped,
    RandAffined,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
    SpatialPadd,
)
from torch import Tensor, nn

from napari_brainseg.base.allocation import reusing_memory
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.phantom import make_lgg_phantom, make_volume_phantom
from napari_brainseg.cases.reading import find_cases
from napari_brainseg.cases.sample_files import write_slice_files, write_volume_files
from napari_brainseg.model_store.model import new_network
from napari_brainseg.training.loop import Pace, first_state, run_epoch
from napari_brainseg.training.patches import PatchSet
from napari_brainseg.training.session import Session, first_network, open_session
from napari_brainseg.training.settings import TrainingSettings
from napari_brainseg.training.splits import Split, write_splits

ROUNDS = 3
_KEYS = ("image", "label")


def _plain_transforms(session: Session) -> Compose:
    """Return the random transforms of a dictionary that do what our default augmentation does."""
    spatial = session.settings.spatial_dims
    turn = [0.35] if spatial == 2 else [0.0, 0.0, 0.35]
    steps = [
        RandFlipd(_KEYS, prob=0.5, spatial_axis=spatial - 2),
        RandFlipd(_KEYS, prob=0.5, spatial_axis=spatial - 1),
        RandAffined(
            _KEYS,
            prob=1.0,
            rotate_range=turn,
            scale_range=[0.2] * spatial,
            translate_range=[0.05 * extent for extent in session.settings.size],
            mode=("bilinear", "nearest"),
            padding_mode="border",
        ),
        RandScaleIntensityd("image", factors=0.2, prob=1.0, channel_wise=True),
        RandShiftIntensityd("image", offsets=0.2, prob=1.0, channel_wise=True),
        RandGaussianNoised("image", prob=1.0, std=0.1),
        EnsureTyped(_KEYS),
    ]
    if spatial == 3:
        size = session.settings.size
        steps[:0] = [
            SpatialPadd(_KEYS, spatial_size=size),
            RandCropByPosNegLabeld(_KEYS, label_key="label", spatial_size=size, pos=1, neg=1, num_samples=1),
        ]
    return Compose(steps)


def _plain_items(session: Session) -> list[dict[str, Tensor]]:
    """Return our prepared data as dictionaries of fp32 images and targets: what `CacheDataset` would have cached."""
    data = session.data
    if isinstance(data, PatchSet):
        pairs = [(torch.from_numpy(c.images), torch.from_numpy(c.labels)) for c in data.prepared]
    else:
        pairs = [(data.images(row[None])[0], data.labels[row]) for row in data.drawn]
    return [{"image": image.float(), "label": session.targets(labels[None])[0]} for image, labels in pairs]


def _plain_epoch(session: Session, network: nn.Module, loader: DataLoader) -> tuple[float, float]:
    """Train one epoch plainly; return images a second and the share of the time in which the loop waits for data."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    images = 0
    waited = 0.0
    start = asked = time.perf_counter()
    for batch in loader:
        waited += time.perf_counter() - asked
        optimizer.zero_grad()
        loss = session.loss(network(batch["image"].as_tensor()), batch["label"].as_tensor())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), session.settings.clip)
        optimizer.step()
        images += len(batch["image"])
        asked = time.perf_counter()
    total = time.perf_counter() - start
    return images / total, waited / total


def _our_epochs(session: Session) -> Iterator[tuple[float, float]]:
    network = first_network(session)
    wrapped = session.fabric.setup_module(network)
    state = first_state(session, network)
    optimizer = session.fabric.setup_optimizers(state.optimizer)
    while True:
        pace = Pace()
        with reusing_memory():
            run_to_end(run_epoch(session, state, (wrapped, optimizer), pace, None))
        yield pace.images / pace.total, pace.data / pace.total


def _compare(what: str, settings: TrainingSettings) -> None:
    session = run_to_end(open_session(settings))
    ours = _our_epochs(session)
    items = _plain_items(session)
    dataset = CacheDataset(items, _plain_transforms(session), progress=False)
    network = new_network(session.record).to(memory_format=torch.contiguous_format).train()
    loaders = {
        n: DataLoader(dataset, num_workers=n, batch_size=settings.batch, shuffle=True, drop_last=True) for n in (0, 2)
    }
    rates: dict[str, list[tuple[float, float]]] = {"ours": [], "0": [], "2": []}
    next(ours)  # the first epoch of each side chooses its kernels
    for _ in range(ROUNDS):
        rates["ours"].append(next(ours))
        for workers, loader in loaders.items():
            rates[str(workers)].append(_plain_epoch(session, network, loader))
    medians = {name: statistics.median(rate for rate, _ in pairs) for name, pairs in rates.items()}
    waits = {name: statistics.median(wait for _, wait in pairs) for name, pairs in rates.items()}
    best = max(("0", "2"), key=medians.__getitem__)
    print(
        f"{what}: brainseg {medians['ours']:.2f} a second, {100 * waits['ours']:.1f} % of it data; "
        f"MONAI pipeline {medians[best]:.2f} ({best} workers, {100 * waits[best]:.0f} % waiting for data; with the "
        f"other number of workers {min(medians['0'], medians['2']):.2f}); ratio {medians['ours'] / medians[best]:.2f}"
    )


def _settings(kind: str, folder: Path, scratch: Path, ids: list[str]) -> TrainingSettings:
    write_splits({"all": Split(tuple(ids[:-1]), (ids[-1],))}, scratch / f"{kind}.json")
    common = {"name": kind, "title": "", "data": folder, "split": scratch / f"{kind}.json", "split_name": "all"}
    common |= {"out": scratch / kind, "seed": 1, "epochs": 100}
    if kind == "lgg":
        channels = ("pre", "flair", "post")
        return TrainingSettings(**common, channels=channels, scheme="lgg", outputs=("WT",), batch=16)
    return TrainingSettings(
        **common,
        channels=("flair", "t1", "t1ce", "t2"),
        scheme="brats2017",
        outputs=("WT", "TC", "ET"),
        network="monai_segresnet",
        options={"width": 16, "blocks_down": [1, 2, 2, 4], "blocks_up": [1, 1, 1]},
        preprocessing={"crop": True, "zero_background": True},
        sampling="patches",
        size=(96, 96, 96),
        batch=2,
    )


def _data(kind: str, scratch: Path, count: int) -> tuple[Path, list[str]]:
    """Return a folder and cases: real ones of BRAINSEG_DATA, else phantoms of their size, written there."""
    real = os.environ.get("BRAINSEG_DATA")
    if real:
        folder = Path(real) / ("kaggle_3m" if kind == "lgg" else "BraTS18")
        return folder, [files.id for files in find_cases(folder)][:count]
    folder = scratch / f"{kind}-data"
    for seed in range(1, count + 1):
        if kind == "lgg":
            case = make_lgg_phantom(seed, 24)
            write_slice_files(case, folder / case.id)
        else:
            case = make_volume_phantom(seed, (155, 240, 240), (1.0, 1.0, 1.0))
            write_volume_files(case, folder / case.id)
    return folder, [files.id for files in find_cases(folder)]


def run() -> None:
    """Print one line for UNeXt on slices and one for SegResNet on patches."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for kind, count, what in (("lgg", 9, "UNeXt, slices"), ("brats", 5, "SegResNet, patches 96 x 96 x 96")):
            folder, ids = _data(kind, scratch, count)
            _compare(what, _settings(kind, folder, scratch, ids))
