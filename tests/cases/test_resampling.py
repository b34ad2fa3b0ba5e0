"""The alignment gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nifti_files import ORIENTATIONS, labels, lps_affine, picture, save, stored

from napari_brainseg.base.errors import AlignmentError
from napari_brainseg.cases.nifti import read_label_values, read_volume
from napari_brainseg.cases.resampling import grids_differ, on_grid, resampled
from napari_brainseg.cases.volume import Geometry, Volume


@pytest.mark.parametrize("degrees", [0.0, 11.0, 44.9, 120.0])
def test_any_orientation_of_the_grid_is_turned_exactly(tmp_path: Path, degrees: float) -> None:
    grid = read_volume(save(tmp_path / "grid.nii", picture(), lps_affine(degrees)))
    for number, (axes, flips) in enumerate(ORIENTATIONS[::5]):
        path = tmp_path / f"{number}.nii"
        stored(picture(), lps_affine(degrees), axes, flips).to_filename(path)
        turned = on_grid(read_volume(path), grid.geometry)
        assert turned is not None
        np.testing.assert_array_equal(turned.data, grid.data)
        assert turned.geometry.same_grid(grid.geometry)


def test_a_tie_between_two_orientations_is_turned_exactly(tmp_path: Path) -> None:
    """At 45 degrees, rounding decides which axis is called closest; the grid decides again."""
    grid = read_volume(save(tmp_path / "grid.nii", picture(), lps_affine(11)))
    other = grid.geometry.reorientation
    swapped = replace(other, axes=(other.axes[1], other.axes[0], other.axes[2]))
    data = swapped.to_memory(other.to_file(grid.data))
    z, y, x = grid.geometry.spacing
    geometry = replace(grid.geometry, shape=data.shape, spacing=(y, z, x), reorientation=swapped)
    turned = on_grid(Volume(data, geometry), grid.geometry)
    assert turned is not None
    np.testing.assert_array_equal(turned.data, grid.data)
    np.testing.assert_array_equal(turned.geometry.reorientation.to_file(turned.data), other.to_file(grid.data))


@pytest.mark.parametrize(("away", "same"), [(0.0009, True), (0.0012, False)])
def test_the_gate_is_a_thousandth_of_a_mm(tmp_path: Path, away: float, same: bool) -> None:
    moved = lps_affine()
    moved[0, 3] += away
    grid = read_volume(save(tmp_path / "a.nii", picture()))
    volume = read_volume(save(tmp_path / "b.nii", picture(), moved))
    assert (on_grid(volume, grid.geometry) is not None) == same


def test_a_grown_voxel_counts_at_the_far_corner(tmp_path: Path) -> None:
    grown = lps_affine()
    grown[:3, :3] *= 1.0005
    grid = read_volume(save(tmp_path / "a.nii", picture()))
    assert on_grid(read_volume(save(tmp_path / "b.nii", picture(), grown)), grid.geometry) is None


def test_sentences_name_both_grids() -> None:
    grid = Geometry((155, 240, 240), (1, 1, 1), np.diag([-1.0, -1, 1, 1]))
    thick = Geometry((26, 256, 224), (5.5, 1, 1), np.diag([-1.0, -1, 5.5, 1]))
    assert grids_differ("t1ce", thick, "flair", grid) == (
        "t1ce has another grid than flair (26 × 256 × 224 at 5.5 × 1 × 1 mm against 155 × 240 × 240 at 1 mm)"
    )
    moved = replace(grid, affine=grid.affine + np.array([[0, 0, 0, 12.5], *[[0] * 4] * 3]))
    assert grids_differ("t1", moved, "flair", grid).endswith("(both 155 × 240 × 240 at 1 mm, but up to 12.5 mm apart)")
    nowhere = replace(grid, affine=None)
    assert "but t1 does not say where it lies" in grids_differ("t1", nowhere, "flair", grid)


def test_resampling_is_linear_for_images_and_nearest_for_labels(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(6, dtype=np.float32) * 10, (4, 5, 6)).astype(np.float32)
    half = lps_affine()
    half[:3, 3] += half[:3, 0] / 2  # half a voxel along X
    volume = read_volume(save(tmp_path / "a.nii", ramp))
    grid = read_volume(save(tmp_path / "b.nii", picture(), half)).geometry
    np.testing.assert_allclose(resampled(volume, grid).data[..., :5], ramp[..., :5] + 5, rtol=1e-5)
    values = read_label_values(save(tmp_path / "c.nii", labels()))
    third = lps_affine()
    third[:3, 3] += third[:3, 0] / 3
    moved = resampled(values, replace(grid, affine=third), labels=True)
    assert moved.data.dtype == np.uint8
    np.testing.assert_array_equal(moved.data[..., :5], labels()[..., :5])


def test_what_lies_nowhere_cannot_be_resampled() -> None:
    grid = Geometry((2, 2, 2), (1, 1, 1), np.diag([-1.0, -1, 1, 1]))
    with pytest.raises(AlignmentError, match="does not say where it lies"):
        resampled(Volume(np.zeros((3, 3, 3)), Geometry((3, 3, 3))), grid)
