"""Train highlighters and give every training slice a drawing by one that never saw its patient's labels."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.progress import Progress
from napari_brainseg.networks.highlighted import Highlighter
from napari_brainseg.training.batches import Pixels, SliceSet
from napari_brainseg.training.splits import patient_of

_FOLDS = 3
_BATCH = 16
# Images are scaled to mean 0 and standard deviation 1: tumour is drawn far above what an image can hold.
_BRIGHT = 4.0


@dataclass(frozen=True, eq=False)
class DrawnPixels:
    """Images with one more channel (rows, 1, H, W) float16: what a highlighter drew."""

    pixels: Pixels
    drawn: Tensor

    def take(self, rows: Tensor) -> Tensor:
        """Return images (N, C + 1, H, W) of the rows."""
        images = self.pixels.take(rows)
        return torch.cat([images, self.drawn[rows].to(images)], 1)


def drawn_target(images: Tensor, labels: Tensor) -> Tensor:
    """Return the image to draw (N, 1, H, W): the first channel, each class at a brightness of its own above it all."""
    labels = labels[:, None]
    return torch.where(labels > 0, _BRIGHT + labels.float(), images[:, :1])


def fit_highlighter(
    data: SliceSet, rows: Tensor, epochs: int, seed: int, device: torch.device
) -> Generator[Progress, None, Highlighter]:
    """Train a highlighter on rows of a set: Adam, smooth L1 loss (Huber 1964)."""
    torch.manual_seed(seed)
    network = Highlighter(data.images(rows[:1]).shape[1]).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    order = torch.Generator().manual_seed(seed)
    for epoch in range(epochs):
        yield Progress(epoch, epochs, "training the highlighter")
        for batch in torch.split(rows[torch.randperm(len(rows), generator=order)], _BATCH):
            images, labels = data.images(batch).to(device).float(), data.labels[batch].to(device)
            loss = functional.smooth_l1_loss(network.draw(images), drawn_target(images, labels))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return network.eval()


def highlight(
    data: SliceSet, epochs: int, seed: int, device: torch.device
) -> Generator[Progress, None, tuple[SliceSet, Highlighter]]:
    """Return the set with a drawing beside every image, and the highlighter for cases outside it.

    The patients are divided into three parts; each part is drawn by a highlighter that was trained on the others, as
    unseen cases will be drawn. Were training slices drawn by one that knows their labels, the network behind it would
    learn to trust drawings far more than they deserve.

    Raises:
        TrainingError: There is one patient only.
    """
    patients = sorted({patient_of(case) for case in data.case_ids})
    if len(patients) < 2:
        raise TrainingError("A highlighter needs two patients or more to learn from. Add cases, or leave it out.")
    numbers = {patient: number % _FOLDS for number, patient in enumerate(patients)}
    fold_of = torch.tensor([numbers[patient_of(case)] for case in data.case_ids])
    height, width = data.labels.shape[1:]
    drawn = torch.zeros(len(data.labels), 1, height, width, dtype=torch.float16)
    for fold in range(min(_FOLDS, len(patients))):
        others = data.drawn[fold_of[data.drawn] != fold]
        highlighter = yield from fit_highlighter(data, others, epochs, seed + fold, device)
        yield from _draw(highlighter, data, torch.nonzero(fold_of == fold)[:, 0], drawn)
    whole = yield from fit_highlighter(data, data.drawn, epochs, seed + _FOLDS, device)
    return replace(data, pixels=DrawnPixels(data.pixels, drawn)), whole


def _draw(highlighter: Highlighter, data: SliceSet, rows: Tensor, drawn: Tensor) -> Generator[Progress, None, None]:
    """Fill the rows of `drawn`."""
    device = next(highlighter.parameters()).device
    parts: Sequence[Tensor] = torch.split(rows, _BATCH)
    for number, batch in enumerate(parts):
        yield Progress(number, len(parts), "drawing highlights")
        with torch.no_grad():
            drawn[batch] = highlighter.draw(data.images(batch).to(device).float()).half().cpu()
