"""Uncertainty has closed forms for a few probabilities."""

import math

import pytest
import torch

from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.inference.decoding import to_labels
from napari_brainseg.inference.uncertainty import entropy, margin, variance, variance_of_sums

REGIONS = ("WT", "TC", "ET")
CLASSES = ("background", "NCR", "ED", "ET")


def voxel(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(1, -1, 1, 1, 1)


@pytest.mark.parametrize(
    ("outputs", "values", "expected"),
    [
        (("WT",), [0.5], 1.0),
        (("WT",), [0.0], 0.0),
        (("WT",), [1.0], 0.0),
        (("WT",), [0.25], (0.25 * math.log(4) + 0.75 * math.log(4 / 3)) / math.log(2)),
        (CLASSES, [0.25, 0.25, 0.25], 1.0),
        (CLASSES, [0.0, 0.0, 0.0], 0.0),
        (CLASSES, [0.0, 1.0, 0.0], 0.0),
        (CLASSES, [0.5, 0.5, 0.0], 0.5),  # log 2 / log 4
        (REGIONS, [0.75, 0.5, 0.25], 1.0),  # each of the four classes has a quarter
        (REGIONS, [0.5, 0.0, 0.0], 0.5),
        (REGIONS, [1.0, 1.0, 0.5], 0.5),
        (REGIONS, [0.0, 0.5, 0.5], 0.0),  # outside the whole tumour the others do not matter
    ],
)
def test_entropy(outputs: tuple[str, ...], values: list[float], expected: float) -> None:
    assert entropy(voxel(*values), outputs).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("outputs", "values", "expected"),
    [
        (("WT",), [0.5], 1.0),
        (("WT",), [0.9], 0.2),
        (("background", "WT"), [0.9], 0.2),
        (CLASSES, [0.25, 0.25, 0.25], 1.0),
        (CLASSES, [0.7, 0.2, 0.0], 0.5),
        (CLASSES, [0.1, 0.0, 0.0], 0.2),  # the background is one of them
        (REGIONS, [0.9, 0.75, 0.0], 0.5),
        (REGIONS, [1.0, 1.0, 0.5], 1.0),
        (REGIONS, [0.25, 0.5, 0.5], 0.5),  # outside the whole tumour the others do not matter
    ],
)
def test_margin(outputs: tuple[str, ...], values: list[float], expected: float) -> None:
    assert margin(voxel(*values), outputs).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("outputs", [REGIONS, CLASSES])
def test_the_margin_says_how_far_probabilities_may_move_before_the_label_changes(outputs: tuple[str, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    maps = torch.rand(1, 4 if outputs is CLASSES else 3, 2000, 1, 1, generator=generator)
    if outputs is CLASSES:
        maps = (8 * maps).softmax(1)[:, 1:]
    labels = to_labels(maps, outputs, BRATS2017)
    allowed = (1 - margin(maps, outputs)) / 2
    # Softmax: all other shares together may take what one label gives; each map moves by half of the distance at most.
    reach = allowed * 0.99 / (1 if outputs is REGIONS else 3)
    for sign in (1, -1):
        assert torch.equal(to_labels(maps + sign * reach[:, None], outputs, BRATS2017), labels)


@pytest.mark.parametrize("measure", [entropy, margin])
@pytest.mark.parametrize("outputs", [REGIONS, CLASSES])
def test_maps_stay_within_0_and_1_in_half_precision(measure, outputs) -> None:
    maps = (10 * torch.randn(2, 4, 5, 6, 7, generator=torch.Generator().manual_seed(2))).softmax(1)[:, 1:].half()
    before = maps.clone()
    found = measure(maps, outputs)
    assert found.shape == (2, 5, 6, 7)
    assert found.dtype == torch.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.equal(maps, before)


@pytest.mark.parametrize("measure", [entropy, margin])
def test_slices_have_maps_too(measure) -> None:
    assert measure(torch.full((3, 1, 4, 5), 0.5), ("WT",)).eq(1).all()


def test_variance_is_that_of_the_most_disputed_map() -> None:
    members = [voxel(0.0, 0.4), voxel(1.0, 0.4), voxel(0.0, 0.8), voxel(1.0, 0.8)]
    assert variance(members).item() == pytest.approx(0.25)
    assert variance(m[:, 1:] for m in members).item() == pytest.approx(0.04, abs=1e-6)
    assert variance(torch.stack(members)).item() == pytest.approx(0.25)


def test_variance_of_one_member_is_0() -> None:
    assert variance([torch.rand(1, 3, 4, 4, 4)]).max() <= 1e-6


def test_variance_from_sums_is_that_of_torch() -> None:
    members = torch.rand(5, 1, 1, 4, 4, 4, generator=torch.Generator().manual_seed(3))
    expected = members.var(0, unbiased=False)[:, 0]
    torch.testing.assert_close(variance_of_sums(members.sum(0), members.square().sum(0), 5), expected)
    torch.testing.assert_close(variance(members), expected)


def test_variance_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        variance([])
