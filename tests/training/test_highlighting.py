"""The drawing is learned, comes from a network that never saw the patient's labels, and is made anew in use."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.networks import create_network
from napari_brainseg.networks.highlighted import Highlighted, Highlighter
from napari_brainseg.training.batches import KeptPixels, SliceSet
from napari_brainseg.training.highlighting import drawn_target, fit_highlighter, highlight


def squares(cases: tuple[str, ...], *, each: int = 4, labelled: bool = True) -> SliceSet:
    """Return slices of noise with a bright square each; the labels say where it is, or nothing."""
    rows = len(cases) * each
    chance = torch.Generator().manual_seed(0)
    images = torch.randn(rows, 2, 32, 32, generator=chance) * 0.1
    labels = torch.zeros(rows, 32, 32, dtype=torch.uint8)
    for row in range(rows):
        place = 4 + 3 * (row % 5)
        images[row, :, place : place + 10, 8:20] += 2.0
        labels[row, place : place + 10, 8:20] = labelled
    ids = tuple(case for case in cases for _ in range(each))
    return SliceSet(KeptPixels(images.half()), labels, ids, torch.arange(rows), torch.arange(rows)[:, None])


def test_the_target_is_the_first_channel_with_each_class_far_above() -> None:
    images, labels = torch.tensor([[[[0.5, 1.0, -1.0]], [[9.0, 9.0, 9.0]]]]), torch.tensor([[[0, 1, 3]]])
    assert drawn_target(images, labels).tolist() == [[[[0.5, 5.0, 7.0]]]]


def test_a_highlighter_learns_to_draw() -> None:
    data = squares(("A", "B"))
    network = run_to_end(fit_highlighter(data, data.drawn, 60, 1, torch.device("cpu")))
    with torch.no_grad():
        drawn = network.draw(data.images(data.drawn).float())[:, 0]
    inside = data.labels.bool()
    assert drawn[inside].mean() > drawn[~inside].mean() + 2


def test_no_slice_is_drawn_by_a_network_that_knew_its_labels() -> None:
    plain = squares(("A", "B", "C"))
    # Other labels of A change what is drawn into B and C, and nothing of A.
    other = squares(("A", "B", "C"))
    other.labels[:4] = 1
    before, after = (
        run_to_end(highlight(data, 2, 1, torch.device("cpu")))[0].images(torch.arange(12))[:, 2]
        for data in (plain, other)
    )
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [False] * 4 + [True] * 8


def test_one_patient_is_too_few() -> None:
    with pytest.raises(TrainingError, match="two patients"):
        run_to_end(highlight(squares(("A",)), 1, 1, torch.device("cpu")))


@pytest.mark.parametrize("joins", [True, False])
def test_a_drawing_that_is_brought_along_is_used_and_else_made(joins: bool) -> None:
    inner = create_network("unext", in_channels=3 if joins else 1, out_channels=1, widths=(4, 8, 10, 15, 20))
    network = Highlighted(inner, 2, joins=joins).eval()
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 2, 37, 41)).astype(np.float32))
    with torch.no_grad():
        drawn = network.highlighter.draw(images)
        assert drawn.shape == (2, 1, 37, 41)
        torch.testing.assert_close(network(images), network(torch.cat([images, drawn], 1)))
        assert not torch.equal(network(images), network(torch.cat([images, drawn + 1], 1)))


def test_the_highlighter_is_left_alone_by_training() -> None:
    inner = create_network("unext", in_channels=3, out_channels=1, widths=(4, 8, 10, 15, 20))
    network = Highlighted(inner, 2, joins=True)
    assert not any(w.requires_grad for w in network.highlighter.parameters())
    assert all(w.requires_grad for w in inner.parameters())
    assert isinstance(network.highlighter, Highlighter)
