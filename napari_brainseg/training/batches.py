"""Training slices: prepared once, kept where they fit, drawn in batches; 2.5-D stacks of neighbours among them."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brainseg.base.errors import OutputError, TrainingError
from napari_brainseg.base.progress import Progress
from napari_brainseg.training.prepared import PreparedCase, Preparing


class Pixels(Protocol):
    """Where the images of the slices are kept."""

    def take(self, rows: Tensor) -> Tensor:
        """Return images (N, C, H, W), floating, of the rows (N,)."""


@dataclass(frozen=True, eq=False)
class KeptPixels:
    """Images float16 (rows, C, H, W) in memory, on a device, or mapped from a file."""

    images: Tensor

    def take(self, rows: Tensor) -> Tensor:
        """Return the images of the rows."""
        return self.images[rows.to(self.images.device)]


@dataclass(frozen=True, eq=False)
class AnewPixels:
    """Images prepared anew from their files whenever they are drawn: slow, and next to no memory."""

    preparing: Sequence[Preparing]
    case_of: Tensor
    first_row: Tensor
    size: tuple[int, int]

    def take(self, rows: Tensor) -> Tensor:
        """Read the cases of the rows, each once, and return the images."""
        taken: dict[int, Tensor] = {}
        for number in sorted(set(self.case_of[rows].tolist())):
            images = _as_slices(self.preparing[number](), self.size)[0]
            for place in torch.nonzero(self.case_of[rows] == number)[:, 0].tolist():
                taken[place] = images[int(rows[place] - self.first_row[number])]
        return torch.stack([taken[place] for place in range(len(rows))])


@dataclass(frozen=True, eq=False)
class SliceSet:
    """Slices of many cases, one size.

    Attributes:
        pixels: Their images.
        labels: uint8 (rows, H, W).
        case_ids: The case of each row.
        drawn: Rows that may be drawn: those with an image that passed the filters.
        neighbours: Rows (rows, 2n+1) that form the input of each row, lowest slice first.
    """

    pixels: Pixels
    labels: Tensor
    case_ids: tuple[str, ...]
    drawn: Tensor
    neighbours: Tensor

    def batches(self, size: int, empty_share: float, oversample: int, generator: torch.Generator) -> list[Tensor]:
        """Return the rows of one epoch's batches: slices with tumour, and a fresh draw of empty ones.

        Args:
            size: Slices a batch; a last incomplete batch is left out, unless it is the only one.
            empty_share: Empty slices drawn, as a share of those with tumour.
            oversample: How often each slice with tumour comes.
            generator: Source of chance.
        """
        with_tumour = self.labels[self.drawn].flatten(1).any(1).bool()  # any() of uint8 is uint8
        full, empty = self.drawn[with_tumour], self.drawn[~with_tumour]
        chosen = empty[torch.randperm(len(empty), generator=generator)[: round(empty_share * len(full))]]
        order = torch.cat([*[full] * oversample, chosen])
        order = order[torch.randperm(len(order), generator=generator)]
        return [order[start : start + size] for start in range(0, max(1, len(order) - size + 1), size)]

    def take(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return images (N, C * (2n+1), H, W) float16 and labels (N, H, W) of the rows; chance is not used."""
        return self.images(rows), self.labels[rows.to(self.labels.device)]

    def images(self, rows: Tensor) -> Tensor:
        """Return the network's input for rows: each with its neighbours, slice after slice."""
        around = self.neighbours[rows]
        images = self.pixels.take(around.flatten())
        return images.reshape(len(rows), -1, *images.shape[2:])

    def cases(self, rows: Tensor) -> list[str]:
        """Return the cases of rows, each once, in order."""
        return sorted({self.case_ids[row] for row in rows.tolist()})


@dataclass(frozen=True)
class SliceChoice:
    """Which slices are learned from, and as what.

    Attributes:
        size: (H, W) they are cropped or padded to.
        neighbours: Slices on each side that join the input.
        least_tumour: Slices with fewer tumour pixels, but some, are left out.
        central: Slices kept around the middle of each case's tumour; 0 for all.
    """

    size: tuple[int, int]
    neighbours: int = 0
    least_tumour: int = 0
    central: int = 0

    def kept(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return which slices of a case may be drawn, bool (Z,); those without any image may not."""
        kept = images.flatten(1).ne(0).any(1)
        pixels = labels.flatten(1).ne(0).sum(1)
        kept &= (pixels == 0) | (pixels >= self.least_tumour)
        if self.central and pixels.any():
            places = torch.arange(len(pixels), dtype=torch.float64)
            middle = float((places * pixels).sum() / pixels.sum())
            nearest = (places - middle).abs().argsort(stable=True)[: self.central]
            kept &= torch.isin(torch.arange(len(pixels)), nearest)
        return kept


def slice_set(
    preparing: Sequence[Preparing], choice: SliceChoice, cache: str, folder: Path, device: torch.device
) -> Generator[Progress, None, SliceSet]:
    """Prepare every case once and make the set of its slices.

    Args:
        preparing: A function for each case that reads and prepares it.
        choice: Which slices, and as what.
        cache: `memory`, `device`, `disk` (in `folder`, mapped) or `none`.
        folder: Where `disk` keeps its file.
        device: Where `device` keeps the images; memory is used where they would take more than half of what is free.
    """
    labels, ids, drawn, neighbours, counts = [], [], [], [], []
    parts: list[Tensor] = []
    row = 0
    for number, prepare in enumerate(preparing):
        yield Progress(number, len(preparing), "reading cases")
        case = prepare()
        images, classes = _as_slices(case, choice.size)
        if cache != "none":
            parts.append(_on_disk(images, folder / f"{number}.npy") if cache == "disk" else images)
        places = torch.arange(len(classes))
        offsets = torch.arange(-choice.neighbours, choice.neighbours + 1)
        neighbours.append((places[:, None] + offsets).clamp(0, len(classes) - 1) + row)
        drawn.append(places[choice.kept(images, classes)] + row)
        labels.append(classes)
        ids += [case.id] * len(classes)
        counts.append(len(classes))
        row += len(classes)
    rows = torch.cat(drawn) if drawn else torch.zeros(0, dtype=torch.long)
    if not len(rows) or not torch.cat(labels)[rows].any():
        raise TrainingError(
            "No slice with tumour is left to learn from. Loosen least_tumour or central_slices, or add cases."
        )
    case_of = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    first_row = torch.tensor([0, *counts]).cumsum(0)[:-1]
    pixels: Pixels
    if cache == "none":
        pixels = AnewPixels(preparing, case_of, first_row, choice.size)
    elif cache == "disk":
        pixels = _MappedPixels(tuple(parts), case_of, first_row)
    else:
        pixels = KeptPixels(_placed(torch.cat(parts), cache, device))
    return SliceSet(pixels, torch.cat(labels), tuple(ids), rows, torch.cat(neighbours))


@dataclass(frozen=True, eq=False)
class _MappedPixels:
    """Images float16 of each case mapped from its file."""

    parts: tuple[Tensor, ...]
    case_of: Tensor
    first_row: Tensor

    def take(self, rows: Tensor) -> Tensor:
        numbers = self.case_of[rows].tolist()
        return torch.stack([self.parts[n][int(row - self.first_row[n])] for n, row in zip(numbers, rows, strict=True)])


def _as_slices(case: PreparedCase, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return images (Z, C, H, W) float16 and labels (Z, H, W) uint8 of one size."""
    images = np.ascontiguousarray(fitted(case.images, size).swapaxes(0, 1))
    return torch.from_numpy(images), torch.from_numpy(np.array(fitted(case.labels, size)))  # a file's are read-only


def _on_disk(images: Tensor, path: Path) -> Tensor:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        need, free = images.numel() * images.element_size(), shutil.disk_usage(path.parent).free
        if need > free:
            raise OutputError(f"{path.parent} has {free / 1e6:.0f} MB free; the cache needs more. Set cache=none.")
        np.save(path, images.numpy())
        return torch.from_numpy(np.load(path, mmap_mode="c"))
    except OSError as error:
        raise OutputError(f"{path} could not be written ({error.strerror or error}). Set cache=none.") from error


def _placed(images: Tensor, cache: str, device: torch.device) -> Tensor:
    if cache == "device" and device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if images.numel() * images.element_size() < free / 2:
            return images.to(device)
    return images


def fitted(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Crop or zero-pad the last two axes to `size` about the middle."""
    for axis, target in zip((-2, -1), size, strict=True):
        current = array.shape[axis]
        if current > target:
            start = (current - target) // 2
            array = array.take(range(start, start + target), axis)
        elif current < target:
            before = (target - current) // 2
            pads = [(0, 0)] * array.ndim
            pads[axis] = (before, target - current - before)
            array = np.pad(array, pads)
    return array
