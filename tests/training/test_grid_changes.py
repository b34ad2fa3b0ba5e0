from __future__ import annotations

import numpy as np
import pytest
from changed_cases import labelled_case

from napari_brainseg.cases.case import Case
from napari_brainseg.cases.volume import Geometry
from napari_brainseg.training.robustness.grid_changes import coarser, mirrored, thick, turned
from napari_brainseg.training.robustness.image_changes import with_images


def parts(case: Case) -> tuple[np.ndarray, np.ndarray]:
    assert case.labels is not None
    return np.asarray(case.channels["t1"].data), np.asarray(case.labels.volume.data)


def places(geometry: Geometry, *voxels: tuple[int, int, int]) -> np.ndarray:
    assert geometry.memory_affine is not None
    return np.array([geometry.memory_affine @ [*voxel, 1] for voxel in voxels])


def test_a_turn_by_nothing_and_one_by_a_right_angle() -> None:
    case = labelled_case()
    for before, after in zip(parts(case), parts(turned(case, 0)), strict=True):
        np.testing.assert_array_equal(after, before)
    for array in parts(turned(turned(case, 180), 180)):
        assert array.any()
    twice = parts(turned(case, 180))
    np.testing.assert_array_equal(twice[1], parts(case)[1][:, ::-1, ::-1])


def test_a_mirror_takes_the_labels_along() -> None:
    case = labelled_case()
    for before, after in zip(parts(case), parts(mirrored(case)), strict=True):
        np.testing.assert_array_equal(after, before[..., ::-1])


def test_half_the_resolution_lies_at_the_same_place() -> None:
    case = labelled_case()
    changed = coarser(case)
    assert changed.geometry.shape == (10, 20, 16)
    assert changed.geometry.spacing == (2, 2, 2)
    np.testing.assert_allclose(
        places(changed.geometry, (0, 0, 0), (3, 4, 5)), places(case.geometry, (0, 0, 0), (6, 8, 10))
    )
    np.testing.assert_array_equal(parts(changed)[1], parts(case)[1][::2, ::2, ::2])
    ramp = np.broadcast_to(np.arange(32, dtype=np.float32), case.geometry.shape)
    image, _ = parts(coarser(with_images(case, lambda _: ramp)))
    assert image[5, 5, 1:15].tolist() == list(range(2, 30, 2))


@pytest.mark.parametrize(("plane", "shape", "axis"), [("coronal", (20, 8, 32), 1), ("sagittal", (20, 40, 6), 2)])
def test_thick_slices_are_read_from_files_in_their_order(plane: str, shape: tuple[int, ...], axis: int) -> None:
    case = labelled_case()
    changed = thick(case, plane)
    assert changed.geometry.shape == shape
    assert changed.geometry.spacing == tuple(5.0 if a == axis else 1.0 for a in range(3))
    assert changed.geometry.reorientation.axes[axis] == 2  # the third axis of the file goes across the slices
    image, labels = parts(changed)
    np.testing.assert_array_equal(labels, np.take(parts(case)[1], range(2, 40 if axis == 1 else 32, 5), axis))
    middle = np.take(parts(case)[0], range(5, 10), axis).mean(axis)
    np.testing.assert_allclose(np.take(image, 1, axis), middle, rtol=1e-5)
    voxel, whole = [3, 3, 3], [3, 3, 3]
    voxel[axis], whole[axis] = 1, 7
    np.testing.assert_allclose(places(changed.geometry, tuple(voxel)), places(case.geometry, tuple(whole)))
