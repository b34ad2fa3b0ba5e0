"""The common recipe of the peers: all weights, Adam at 1e-4, fp32, on the corrected slices alone, nothing held out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch

from benchmarks.simulated_annotator import Patient
from napari_brainseg.inference.decoding import is_softmax, to_targets
from napari_brainseg.model_store.model import Model, new_network
from napari_brainseg.training.corrected import batch_of, pieces_of, prepare_corrected
from napari_brainseg.training.masked_losses import masked_bce_dice, masked_ce_dice

STEPS = 30  # as many as ours
BATCH = 8


def plain_steps(patients: Sequence[Patient], model: Model, steps: int = STEPS) -> Iterator[tuple[float, Model]]:
    """Yield (seconds spent on learning so far, the model as it is) after every ten steps."""
    record = model.record
    network = new_network(record)
    network.load_state_dict(model.network.state_dict())
    network.eval()  # batch-norm statistics stay, as in ours: with so few slices they would be spoilt
    cases = [prepare_corrected(p.case, p.correction(), record) for p in patients]
    pieces = [piece for case in cases for piece in pieces_of(case, record)]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    compute_loss = masked_ce_dice if is_softmax(record.outputs) else masked_bce_dice
    chance, seconds = torch.Generator().manual_seed(0), 0.0
    for step in range(1, steps + 1):
        start = time.perf_counter()
        drawn = torch.randperm(len(pieces), generator=chance)[: BATCH if record.spatial_dims == 2 else 1]
        images, labels, known = batch_of([pieces[i] for i in drawn.tolist()], record)
        with torch.enable_grad():
            loss = compute_loss(network(images), to_targets(labels, record.outputs, record.scheme), known)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds += time.perf_counter() - start
        if step % 10 == 0:
            yield seconds, Model(record, network)


def plain_finetuned(patients: Sequence[Patient], model: Model, steps: int = STEPS) -> tuple[Model, float]:
    """Return the model after all steps, and the seconds."""
    *_, (seconds, taught) = plain_steps(patients, model, steps)
    return taught, seconds
