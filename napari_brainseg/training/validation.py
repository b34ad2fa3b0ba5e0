"""Validation: whole cases, segmented as the program would, and the score that chooses the best epoch."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.progress import Progress
from napari_brainseg.cases.labels import LabelArray, LabelScheme
from napari_brainseg.evaluation.overlap import Counts, macro, scheme_counts
from napari_brainseg.inference.decoding import probability_names, to_labels, to_probabilities
from napari_brainseg.inference.pixel_size import seen_at, zoom_for
from napari_brainseg.inference.windows import Blended, plan_windows, window_content
from napari_brainseg.model_store.planes import turned, turned_shape, usable
from napari_brainseg.model_store.preprocessing import stacked
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.prepared import PreparedCase

SLICES = "slice_"
SURFACE_MEASURES = ("surface_dice", "hd95")  # see surface_scores
MEASURES = ("dice", "iou", "sensitivity", "recall", "specificity", "precision", "f1")

CaseCounts = dict[str, dict[str, Counts]]  # case id, or its slice -> background, class or region -> voxel counts
Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Validated:
    """A validated case: labels found (Z, Y, X), and the probability float16 (Z, Y, X) of the outermost map."""

    case: PreparedCase
    found: LabelArray
    probability: NDArray[np.float16]

    def counts(self, scheme: LabelScheme) -> dict[str, Counts]:
        """Return the voxel counts of the background, of each class and of each region."""
        return scheme_counts(self.found, self.case.labels, scheme)

    def slice_counts(self, scheme: LabelScheme) -> dict[str, dict[str, Counts]]:
        """Return the same of each slice, by the case's id and the slice's number."""
        pairs = zip(self.found, self.case.labels, strict=True)
        return {f"{self.case.id}:{z}": scheme_counts(*pair, scheme) for z, pair in enumerate(pairs)}


def validate(
    forward: Forward, cases: Sequence[PreparedCase], record: ModelRecord, device: torch.device, batch: int = 16
) -> Generator[Progress, None, list[Validated]]:
    """Segment whole cases and return what was found.

    Args:
        forward: From images (N, C, *spatial) on the device to logits; called without gradients.
        cases: The cases.
        record: Of the model; tells slices from windows and how outputs become labels.
        device: Where `forward` computes.
        batch: Slices at once.
    """
    validated = []
    for number, case in enumerate(cases):
        yield Progress(number, len(cases), "validating")
        maps = predicted(forward, case, record, device, batch)
        found = to_labels(maps, record.outputs, record.scheme)[0]
        outermost = maps[0, 0] if maps.shape[1] == 1 or record.outputs[0] != "background" else maps[0].sum(0)
        validated.append(Validated(case, found.numpy(), outermost.half().numpy()))
    return validated


def predicted(
    forward: Forward, case: PreparedCase, record: ModelRecord, device: torch.device, batch: int = 16
) -> Tensor:
    """Return fp32 probabilities (1, R, Z, Y, X) of a case, on the CPU; see `validate`."""
    with torch.no_grad():
        return (_slices if record.spatial_dims == 2 else _windows)(forward, case, record, device, batch)


def _slices(forward: Forward, case: PreparedCase, record: ModelRecord, device: torch.device, batch: int) -> Tensor:
    """Return probabilities (1, R, Z, Y, X) of a 2-D network, the mean over the planes it sees the case along."""
    planes = usable(record.preprocessing.planes, case.spacing)
    zoom = zoom_for(record, case.spacing, case.shape or case.labels.shape)
    seen = []
    for plane in planes:
        volume, parts = turned(case.images, plane), []
        zoomed = turned_shape(zoom, plane)[1:]
        for start in range(0, volume.shape[1], batch):
            places = range(start, min(start + batch, volume.shape[1]))
            images = torch.from_numpy(stacked(volume, places, record.preprocessing.neighbours)).float()
            logits = seen_at(forward, images.to(device, memory_format=torch.channels_last), zoomed)
            parts.append(to_probabilities(logits, record.outputs).cpu())
        seen.append(turned(torch.cat(parts).transpose(0, 1), plane))
    return (sum(seen[1:], start=seen[0]) / len(seen))[None]


def _windows(forward: Forward, case: PreparedCase, record: ModelRecord, device: torch.device, batch: int) -> Tensor:
    """Return probabilities (1, R, Z, Y, X) of a 3-D network, windows blended."""
    size = record.window or case.labels.shape
    window = (size[0], size[1], size[2])
    blended = Blended(len(probability_names(record.outputs)), case.labels.shape, window)
    for place in plan_windows(case.labels.shape, window):
        content = window_content(case.images, place, window)
        blended.add(place, to_probabilities(forward(content[None].to(device)), record.outputs).cpu()[0])
    whole = (slice(None), slice(None), slice(None))
    return blended.mean(whole)[None]


def score(counts: CaseCounts, name: str, scheme: LabelScheme) -> float:
    """Return a validation score by name; higher is better. `counts` are those of cases, or of slices for `slice_…`.

    `dice`, `iou`, `recall` (or `sensitivity`), `specificity`, `precision`, `f1`: mean over the regions of the mean over
    the cases. `dice_WT` and so on: one region or class. `macro_recall` and so on: voxels of all cases pooled, mean over
    the classes; `macro_recall_with_background` counts the background as one of them. `slice_dice` and so on: as `dice`,
    over slices instead of cases, those without tumour that are found empty counted 1.

    Raises:
        TrainingError: There is no such score, region or class.
    """
    measure, part = check_score(name, scheme)
    measure = "sensitivity" if measure == "recall" else measure
    if name.removeprefix(SLICES).startswith("macro_"):
        return _macro(counts, measure, name.endswith("_with_background"), scheme)
    parts = [part] if part else [region.name for region in scheme.regions]
    return float(np.mean([[getattr(case[p], measure) for p in parts] for case in counts.values()]))


def check_score(name: str, scheme: LabelScheme) -> tuple[str, str]:
    """Return the measure and the region or class ("" for all) of a score; raise `TrainingError` when there is none."""
    known = {*scheme_names(scheme)}
    for measure in SURFACE_MEASURES:
        if name == measure or name.removeprefix(f"{measure}_") in known:
            return measure, name[len(measure) + 1 :]
    plain = name.removeprefix(SLICES).removeprefix("macro_").removesuffix("_with_background")
    measure, _, part = plain.partition("_")
    if measure not in MEASURES or (part and part not in known):
        choices = [*MEASURES, *SURFACE_MEASURES, *(f"dice_{n}" for n in sorted(known))]
        choices += [f"{before}{m}" for before in ("macro_", SLICES) for m in MEASURES]
        near = get_close_matches(name, choices, n=1)
        raise TrainingError(
            f"There is no score {name!r} to monitor.{f' Did you mean {near[0]!r}?' if near else ''} "
            f"There are {', '.join((*MEASURES, *SURFACE_MEASURES))}, each with _REGION behind it, and all but the last "
            "two with macro_ or slice_ before it."
        )
    return measure, part


def _macro(counts: CaseCounts, measure: str, background: bool, scheme: LabelScheme) -> float:
    names = ["background", *(c.name for c in scheme.classes)]
    pooled = {n: reduce(add, (case[n] for case in counts.values())) for n in names}
    return macro(pooled, measure, background=background)


def scheme_names(scheme: LabelScheme) -> list[str]:
    """Return the names that counts are kept by, without the background."""
    return [*(c.name for c in scheme.classes), *(r.name for r in scheme.regions)]


def mean_dice(counts: CaseCounts, scheme: LabelScheme) -> dict[str, float]:
    """Return the mean Dice of each region over the cases."""
    return {r.name: float(np.mean([case[r.name].dice for case in counts.values()])) for r in scheme.regions}


def score_facts(counts: CaseCounts, scheme: LabelScheme) -> Mapping[str, Any]:
    """Return Dice per case and region, and their means, as a model's record keeps them."""
    cases = {id: {r.name: case[r.name].dice for r in scheme.regions} for id, case in counts.items()}
    return {"validation": {"mean": mean_dice(counts, scheme), "cases": cases}}
