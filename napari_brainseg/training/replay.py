"""What the old model answered, to be asked for again while the new one learns, so that it forgets less."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from napari_brainseg.base.errors import BrainsegError
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.sample_files import lgg_sample, volume_sample
from napari_brainseg.model_store.preprocessing import prepare
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.corrected import CorrectedCase

SLICES = 12  # of a case: each costs as much as a slice that was confirmed


def phantoms_for(record: ModelRecord) -> tuple[CorrectedCase, ...]:
    """Return the synthetic cases that come with the program and that a model can segment, wholly confirmed."""
    found = []
    for place in (lgg_sample(), volume_sample()):
        try:
            case = read_case(place)
            if case.labels is None or not set(record.channels) <= set(case.channels):
                continue
            images, box = prepare(case, record.channels, record.preprocessing)
            truth = np.asarray(case.labels.volume.data, np.uint8)[box]
            labels = case.labels.scheme.convert(truth, record.scheme)
        except BrainsegError:  # the samples are gone, or the scheme has no such class: there is just no such check
            continue
        found.append(CorrectedCase(case.id, images, labels, np.ones(labels.shape, bool), case, box))
    return tuple(found)


def replayed(cases: Sequence[CorrectedCase], answer: Callable[[CorrectedCase], LabelArray]) -> Iterator[CorrectedCase]:
    """Yield cases with the old model's labels as the truth wherever nobody confirmed anything.

    Of a case some slices are taken, spread evenly.

    Args:
        cases: With what is confirmed; phantoms with nothing confirmed.
        answer: Gives the old model's labels where a case is confirmed.
    """
    for case in cases:
        free = ~case.confirmed
        places = np.flatnonzero(free.any(axis=(1, 2)) & case.images.any(axis=(0, 2, 3)))
        chosen = places[np.unique(np.linspace(0, len(places) - 1, SLICES).astype(int))] if len(places) else places
        mask = np.zeros_like(free)
        mask[chosen] = free[chosen]
        if mask.any():
            asked = replace(case, confirmed=mask)
            yield replace(asked, labels=np.where(mask, answer(asked), np.uint8(0)).astype(np.uint8))
