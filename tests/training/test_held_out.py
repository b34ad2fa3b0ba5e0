import numpy as np
import pytest
from known_models import make_case, make_model

from napari_brainseg.annotation.corrections import Correction
from napari_brainseg.training.corrected import CorrectedCase, prepare_corrected
from napari_brainseg.training.held_out import confirmed_planes, hold_out

SHAPE = (12, 10, 8)


def corrected(name: str, places: list[int], axis: int = 0, start: int = 3) -> CorrectedCase:
    """Return a case whose planes along an axis are confirmed, with tumour in all of them; its box begins at `start`."""
    mask = np.zeros(SHAPE, bool)
    for place in places:
        mask[tuple(place if a == axis else slice(None) for a in range(3))] = True
    box = tuple(slice(start, start + n) for n in SHAPE)
    return CorrectedCase(name, np.ones((1, *SHAPE), np.float32), mask.astype(np.uint8), mask, make_case(), box, axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_a_fifth_of_the_slices_of_one_case_is_held_out_as_a_block(axis: int, seed: int) -> None:
    places = [0, 1, 2, 3, 4, 5, 6, 7] if axis == 2 else [0, 1, 3, 4, 5, 6, 7, 8, 9]
    case = corrected("a", places, axis)
    parts = hold_out([case], seed)
    names = [int(name.removeprefix("slice ")) - 3 for name, _ in parts.held]
    assert len(names) == 2
    assert places.index(names[1]) == places.index(names[0]) + 1
    together = parts.learnt[0].confirmed.copy()
    for (_, held), place in zip(parts.held, names, strict=True):
        assert not (held.confirmed & together).any()
        assert confirmed_planes(held) == [place]
        together |= held.confirmed
    np.testing.assert_array_equal(together, case.confirmed)
    between = " to " if names[1] == names[0] + 1 else ", "
    assert parts.words == f"2 of {len(places)} slices: {names[0] + 3}{between}{names[1] + 3}"


def test_held_out_neighbours_are_named_by_their_ends() -> None:
    case = corrected("a", [*range(9), 10, 11])
    case.labels[[0, 1, 2, 3, 4, 5, 6, 7, 8]] = 0  # so that the block of the two highest is what tells most
    assert hold_out([case], 0).words == "2 of 11 slices: 13 to 14"


def test_a_case_confirmed_throughout_holds_slices_out_as_they_were_drawn() -> None:
    case, record = make_case(), make_model().record
    shape = case.geometry.shape
    assert shape[0] < max(shape)
    labels, few = np.ones(shape, np.uint8), np.zeros(shape, bool)
    every = Correction(case.id, labels, ~few, record.scheme)
    assert prepare_corrected(case, every, record).axis == 0
    few[:, :, :3] = True
    assert prepare_corrected(case, Correction(case.id, labels, few, record.scheme), record).axis == 2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_of_one_or_two_slices_none_is_held_out(count: int) -> None:
    parts = hold_out([corrected("a", list(range(count)))], 0)
    assert parts.held == ()
    assert parts.words == ""
    assert len(parts.learnt) == min(count, 1)


def test_slices_with_little_tumour_are_not_what_a_model_is_judged_by() -> None:
    case = corrected("a", [1, 3, 5, 7])
    case.labels[...] = 0
    case.labels[5, 2, 2:6] = 1
    case.labels[3, 2, 2] = 1  # a voxel makes or breaks its Dice
    for seed in range(10):
        assert hold_out([case], seed).held[0][0] == "slice 8"


def test_a_slice_that_was_crossed_by_another_plane_does_not_count_as_confirmed() -> None:
    case = corrected("a", [1, 3, 5])
    case.confirmed[:, 4, :] = True
    assert confirmed_planes(case) == [1, 3, 5]


def test_of_several_cases_a_fifth_is_held_out_but_never_the_open_one() -> None:
    cases = [corrected(name, [1, 2, 3]) for name in "abcdefghij"]
    seen = set()
    for seed in range(30):
        parts = hold_out(cases, seed, newest="c")
        held = {name for name, _ in parts.held}
        assert len(held) == 2
        assert {case.id for case in parts.learnt} == set("abcdefghij") - held
        seen |= held
    assert seen == set("abdefghij")
