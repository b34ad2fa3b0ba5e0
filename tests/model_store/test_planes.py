"""The planes that slices are cut along."""

import numpy as np
import pytest
import torch

from napari_brainseg.base.errors import InputError
from napari_brainseg.model_store.planes import PLANES, turned, turned_shape, usable
from napari_brainseg.model_store.preprocessing import Preprocessing

ALL = ("axial", "coronal", "sagittal")


@pytest.mark.parametrize(("plane", "order"), [("axial", (0, 1, 2)), ("coronal", (1, 0, 2)), ("sagittal", (2, 1, 0))])
def test_a_plane_puts_its_slices_first_and_turns_back(plane: str, order: tuple[int, int, int]) -> None:
    volume = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    found = turned(volume, plane)
    np.testing.assert_array_equal(found, volume.transpose(0, *(n + 1 for n in order)))
    np.testing.assert_array_equal(turned(found, plane), volume)
    assert torch.equal(turned(torch.from_numpy(volume), plane), torch.from_numpy(found.copy()))
    assert turned_shape((3, 4, 5), plane) == found.shape[1:]


@pytest.mark.parametrize(
    ("spacing", "planes"),
    [
        ((1, 1, 1), ALL),
        ((2, 1, 1), ALL),
        ((5, 1, 1), ("axial",)),
        ((1, 5, 1), ("coronal",)),
        ((1, 1, 5), ("sagittal",)),
        ((9, 1, 3), ("axial",)),
        (None, ("axial",)),
    ],
)
def test_thick_slices_are_seen_along_their_own_plane(
    spacing: tuple[float, ...] | None, planes: tuple[str, ...]
) -> None:
    assert usable(ALL, spacing) == planes
    assert usable(("axial",), spacing) == ("axial",)


@pytest.mark.parametrize("planes", [(), ("oblique",), ("axial", "axial")])
def test_other_planes_are_refused(planes: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="axial, coronal, sagittal"):
        Preprocessing(planes=planes)
    assert set(PLANES) == set(ALL)
