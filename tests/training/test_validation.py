"""Scores by hand, from counts of two cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from known_models import make_case, make_model

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.cases.labels import scheme_by_id
from napari_brainseg.cases.volume import Geometry
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.domain import Domain
from napari_brainseg.model_store.model import Model
from napari_brainseg.model_store.preprocessing import Preprocessing, prepare
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.prepared import PreparedCase
from napari_brainseg.training.surface_scores import surface_score
from napari_brainseg.training.validation import Validated, check_score, score, validate

LGG = scheme_by_id("lgg")


def case(id: str, truth: list[list[int]], found: list[list[int]]) -> Validated:
    """Return a validated case whose slices are rows of pixels."""
    labels, answer = (np.asarray(rows, np.uint8)[:, None] for rows in (truth, found))
    images = np.zeros((1, *labels.shape), np.float16)
    return Validated(PreparedCase(id, images, labels), answer, answer.astype(np.float16))


ONE = case("one", [[1, 1, 0, 0], [0, 0, 0, 0]], [[1, 0, 0, 0], [0, 0, 0, 0]])
TWO = case("two", [[0, 0, 0, 0], [1, 1, 1, 1]], [[0, 1, 0, 0], [1, 1, 1, 1]])
WHOLE = {v.case.id: v.counts(LGG) for v in (ONE, TWO)}
SLICES = {name: counts for v in (ONE, TWO) for name, counts in v.slice_counts(LGG).items()}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dice", (2 / 3 + 8 / 9) / 2),
        ("dice_WT", (2 / 3 + 8 / 9) / 2),
        ("iou", (1 / 2 + 4 / 5) / 2),
        ("recall", (1 / 2 + 1) / 2),
        ("precision", (1 + 4 / 5) / 2),
        ("macro_recall", 5 / 6),
        ("macro_recall_with_background", (5 / 6 + 9 / 10) / 2),
        ("macro_iou", 5 / 7),
    ],
)
def test_scores_of_cases(name: str, value: float) -> None:
    assert score(WHOLE, name, LGG) == pytest.approx(value)


def test_scores_of_slices_count_empty_ones_as_one() -> None:
    assert score(SLICES, "slice_dice", LGG) == pytest.approx((2 / 3 + 1 + 0 + 1) / 4)


@pytest.mark.parametrize("name", ["dise", "dice_XX", "slice_", "macro_", ""])
def test_an_unknown_score_is_refused(name: str) -> None:
    with pytest.raises(TrainingError, match="no score"):
        score(WHOLE, name, LGG)


def record(**changes: object) -> ModelRecord:
    given = {"scheme_id": "lgg", "outputs": ("WT",), **changes}
    return ModelRecord("tiny", "1", "", {"name": "unext"}, ("flair",), **given)  # type: ignore[arg-type]


def test_a_network_that_copies_the_image_finds_it() -> None:
    labels = (np.arange(3 * 5 * 7).reshape(3, 5, 7) % 2).astype(np.uint8)
    images = np.where(labels, 9.0, -9.0)[None].astype(np.float16)
    found = run_to_end(validate(lambda x: x, [PreparedCase("one", images, labels)], record(), torch.device("cpu"), 2))
    assert np.array_equal(found[0].found, labels)
    assert found[0].probability.shape == (3, 5, 7)


def test_planes_are_averaged_where_voxels_are_square() -> None:
    labels = (np.arange(4 * 4 * 4).reshape(4, 4, 4) % 3 == 0).astype(np.uint8)
    images = np.where(labels, 9.0, -9.0)[None].astype(np.float16)
    planes = record(preprocessing=Preprocessing(planes=("axial", "coronal", "sagittal")))
    seen: list[int] = []

    def forward(batch: torch.Tensor) -> torch.Tensor:
        seen.append(len(batch))
        return torch.where(torch.tensor(len(seen) == 3), -20.0, 1.0) * batch  # the third plane says the opposite

    cube = PreparedCase("one", images, labels, (1.0, 1.0, 1.0))
    found = run_to_end(validate(forward, [cube], planes, torch.device("cpu"), 4))
    assert seen == [4, 4, 4]
    assert np.array_equal(found[0].found, labels)
    np.testing.assert_allclose(found[0].probability, np.where(labels, 2, 1) / 3, atol=1e-3)


def test_overlapping_windows_are_blended_to_what_each_of_them_says() -> None:
    labels = (np.arange(9 * 10 * 7).reshape(9, 10, 7) % 3 == 0).astype(np.uint8)
    images = np.where(labels, 9.0, -9.0)[None].astype(np.float16)
    volumes = record(spatial_dims=3, window=(4, 6, 8))
    found = run_to_end(validate(lambda x: x, [PreparedCase("one", images, labels)], volumes, torch.device("cpu")))
    assert np.array_equal(found[0].found, labels)


def with_spacing(truth: list[int], found: list[int], spacing: tuple[float, float, float] | None) -> Validated:
    """Return a case of one row of voxels."""
    labels, answer = (np.asarray(row, np.uint8).reshape(1, 1, -1) for row in (truth, found))
    prepared = PreparedCase("one", np.zeros((1, *labels.shape), np.float16), labels, spacing)
    return Validated(prepared, answer, answer.astype(np.float16))


def test_scores_of_the_border_are_in_millimetres() -> None:
    shifted = with_spacing([0, 1, 0, 0, 0], [0, 0, 0, 1, 0], (5.0, 1.0, 0.5))
    assert surface_score(shifted, "hd95", LGG) == -1.0  # two steps of half a millimetre
    assert surface_score(shifted, "surface_dice_WT", LGG) == 1.0
    unknown = with_spacing([0, 1, 0, 0, 0], [0, 0, 0, 1, 0], None)
    assert surface_score(unknown, "hd95_WT", LGG) == -2.0
    assert surface_score(unknown, "surface_dice", LGG) == 0.0
    assert surface_score(with_spacing([0, 1, 0], [0, 0, 0], None), "hd95", LGG) == -374.0
    assert surface_score(with_spacing([0, 0, 0], [0, 0, 0], None), "hd95", LGG) == 0.0


@pytest.mark.parametrize("name", ["hd95_XX", "slice_hd95", "macro_surface_dice", "surface"])
def test_scores_of_the_border_that_there_are_not(name: str) -> None:
    with pytest.raises(TrainingError, match="no score"):
        check_score(name, LGG)


def test_a_coarse_case_is_validated_as_the_program_segments_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINSEG_FP32", "1")
    domain = Domain(2, ((1, 1), (1, 1), (1, 1)), None, (0.4, 0.6), 0.0, {})
    model = make_model()
    record = replace(model.record, training={"domain": domain.to_json()}, scheme_id="brats2023")
    whole = make_case()
    spaced = replace(whole, geometry=Geometry(whole.geometry.shape, (2.0, 2.0, 2.0)))
    images, box = prepare(spaced, record.channels, record.preprocessing)
    prepared = PreparedCase("a", images.astype(np.float16), np.zeros(images.shape[1:], np.uint8), (2.0, 2.0, 2.0), box)
    found = run_to_end(validate(model.network, [prepared], record, torch.device("cpu")))[0].found
    segmented = run_to_end(segment(spaced, Model(record, model.network), SegmentSettings(device="cpu"))).labels[box]
    assert (found != segmented).mean() < 0.002  # half precision of the images
    as_it_is = run_to_end(validate(model.network, [replace(prepared, spacing=None)], record, torch.device("cpu")))
    assert (as_it_is[0].found != segmented).mean() > 0.02
