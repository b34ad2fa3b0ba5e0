"""A network sees pixels of the size it learned at, and its answer lies where the case's voxels are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from known_models import Thresholds, make_case, make_model
from scipy import ndimage
from torch import Tensor

from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.pixel_size import UNCHANGED, seen_at, zoom_for
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.domain import Domain
from napari_brainseg.model_store.model import Model
from napari_brainseg.model_store.store import ModelRecord

SHAPE = (4, 12, 10)


class Witness(Thresholds):
    """Remembers the size of every image it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: set[tuple[int, ...]] = set()

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.add(tuple(images.shape[2:]))
        return super().forward(images)


def learned_at(model: Model, *ranges: tuple[float, float]) -> Model:
    """Return the model with the spacings of its training cases along (Z, Y, X)."""
    domain = Domain(3, (ranges[0], ranges[1], ranges[2]), None, (0.4, 0.6), 0.0, {})
    return Model(replace(model.record, training={"domain": domain.to_json()}), model.network)


def block(spacing: tuple[float, float, float] | None, shape: tuple[int, int, int] = SHAPE) -> Case:
    """Return a case of a dark brain with a bright block in the middle of slices 1 and 2."""
    image = np.full(shape, 50, np.float32)
    image[1:3, 4:8, 2:6] = 400
    geometry = Geometry(shape, spacing, None if spacing is None else np.diag([*spacing[::-1], 1.0]))
    case = make_case(image=image)
    return replace(case, geometry=geometry, channels={name: Volume(image, geometry) for name in case.channels})


@pytest.mark.parametrize(
    ("spacing", "zoom"),
    [
        ((1, 1, 1), (1, 1, 1)),
        ((1.2, 0.85, 1.25), (1, 1, 1)),  # as near as images were scaled in training
        ((2, 2, 2), (2, 2, 2)),
        ((5, 0.5, 0.5), (4, 0.5, 0.5)),  # no more than four times as many
        ((1, 2, 3), (1, 2, 3)),
        (None, (1, 1, 1)),
    ],
)
def test_pixels_become_as_large_as_those_of_the_training(spacing, zoom) -> None:
    record = learned_at(make_model(), (1, 1), (1, 1), (1, 1)).record
    assert zoom_for(record, spacing, SHAPE) == pytest.approx(zoom)


def test_the_nearest_size_of_the_training_counts() -> None:
    record = learned_at(make_model(), (2, 6), (0.5, 1), (0.5, 1)).record
    assert zoom_for(record, (3, 0.7, 2), SHAPE) == (1, 1, 2)
    assert zoom_for(record, (3, 0.25, 0.25), SHAPE) == (1, 0.5, 0.5)


def test_models_that_know_no_size_and_those_of_windows_see_cases_as_they_are() -> None:
    assert zoom_for(make_model().record, (2, 2, 2), SHAPE) == UNCHANGED
    assert zoom_for(learned_at(make_model(3), (1, 1), (1, 1), (1, 1)).record, (2, 2, 2), SHAPE) == UNCHANGED


@pytest.mark.parametrize(
    ("shape", "factor"),
    [
        ((20, 128, 128), 2),
        ((1, 120, 150), 256 / 150),
        ((20, 512, 512), 0.5),
        ((20, 170, 200), 1),  # may be cut out
        ((20, 256, 256), 1),
        ((20, 240, 300), 1),
        ((20, 32, 48), 1),  # too little is left of a head
    ],
)
def test_pictures_much_smaller_or_larger_show_as_much_of_the_head(shape, factor) -> None:
    domain = Domain(3, None, None, (0, 0.2), 0.0, {}, pixels=(256, 256))
    record = replace(make_model().record, training={"domain": domain.to_json()})
    assert zoom_for(record, None, shape) == pytest.approx((1, factor, factor))


def test_pictures_within_a_wide_range_of_the_training_stay_as_they_are() -> None:
    domain = Domain(3, None, None, (0, 0.2), 0.0, {}, pixels=(100, 400))
    assert domain.field_of_view((1, 120, 100)) == 1
    assert domain.field_of_view((1, 50, 40)) == 2


def test_a_size_in_mm_that_is_known_counts_alone() -> None:
    domain = Domain(3, ((1, 1), (1, 1), (1, 1)), None, (0, 0.2), 0.0, {}, pixels=(256, 256))
    record = replace(make_model().record, training={"domain": domain.to_json()})
    assert zoom_for(record, (1, 1, 1), (20, 128, 128)) == UNCHANGED
    assert zoom_for(record, None, (20, 128, 128)) == UNCHANGED


def test_small_pictures_are_seen_enlarged_and_labels_lie_on_their_own_pixels(monkeypatch) -> None:
    monkeypatch.setenv("BRAINSEG_FP32", "1")
    network = Witness()
    domain = Domain(3, None, None, (0, 0.2), 0.0, {}, pixels=(24, 24))
    record = replace(make_model().record, training={"domain": domain.to_json()})
    labels = run_to_end(segment(block(None), Model(record, network), SegmentSettings(device="cpu"))).labels
    assert (24, 20) in network.sizes
    assert labels.shape == SHAPE
    assert ndimage.center_of_mass(labels > 0) == pytest.approx((1.5, 5.5, 3.5))


def test_what_is_the_same_everywhere_stays_so_at_any_size() -> None:
    images = torch.full((2, 1, 5, 7), 3.0)
    for zoom in ((1, 1), (2, 2), (0.5, 1.7), (4, 0.25)):
        assert torch.allclose(seen_at(lambda given: 2 * given, images, zoom), torch.full((2, 1, 5, 7), 6.0))


def test_labels_lie_where_the_tumour_is_and_the_network_saw_pixels_of_its_own_size(monkeypatch) -> None:
    monkeypatch.setenv("BRAINSEG_FP32", "1")
    for spacing, size in (((1, 1, 1), (12, 10)), ((3, 2, 2), (24, 20)), ((3, 0.5, 0.5), (6, 5))):
        network = Witness()
        model = learned_at(make_model(network=network), (1, 3), (1, 1), (1, 1))
        case = block(spacing)
        labels = run_to_end(segment(case, model, SegmentSettings(device="cpu"))).labels
        assert size in network.sizes
        truth = np.zeros(SHAPE, bool)
        truth[1:3, 4:8, 2:6] = True
        found = labels > 0
        # Half a pixel may come or go at the border, on all sides alike.
        assert found[ndimage.binary_erosion(truth, np.ones((1, 3, 3)))].all()
        assert not found[~ndimage.binary_dilation(truth, np.ones((1, 3, 3)))].any()
        assert ndimage.center_of_mass(found) == pytest.approx(ndimage.center_of_mass(truth))


def test_each_plane_has_its_own_size() -> None:
    network = Witness()
    model = learned_at(make_model(network=network), (1, 1), (1, 1), (1, 1))
    planes = replace(model.record.preprocessing, planes=("axial", "coronal", "sagittal"))
    case = block((1, 2, 2), (8, 12, 10))
    run_to_end(
        segment(case, Model(replace(model.record, preprocessing=planes), network), SegmentSettings(device="cpu"))
    )
    assert {(24, 20), (8, 20), (24, 8)} <= network.sizes


def test_a_record_of_the_domain_that_is_damaged_changes_nothing() -> None:
    record: ModelRecord = replace(make_model().record, training={"domain": {"spacing": "1 mm"}})
    assert zoom_for(record, (2, 2, 2), SHAPE) == UNCHANGED
