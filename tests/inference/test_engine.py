"""The engine on networks whose answer is known: a threshold on one channel, so every voxel can be checked."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from known_models import SHAPE, Thresholds, make_case, make_model
from torch import Tensor

from napari_brainseg.base.errors import Cancelled, InputError, ModelError
from napari_brainseg.base.progress import CancelToken, Progress, run_to_end
from napari_brainseg.cases.case import Case, Naming
from napari_brainseg.cases.labels import BRATS2017, BRATS2023
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.postprocessing import PostProcessing
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.preprocessing import Preprocessing, scaled


@pytest.fixture(autouse=True)
def fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINSEG_FP32", "1")


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_labels_are_those_of_the_network_on_the_cases_grid(spatial_dims: int) -> None:
    case = make_case()
    # The brain's box with its margin of two: slices 0 to 8 are cut at the volume's end.
    image = scaled(case.channels["flair"].data[0:9, 3:32, 4:32], Preprocessing(zero_background=True))
    labels = np.zeros(SHAPE, np.uint8)
    labels[0:9, 3:32, 4:32] = np.select([image > 2.5, image > 1.5, image > 0.5], [3, 1, 2], 0)
    result = run_to_end(segment(case, make_model(spatial_dims)))
    assert set(np.unique(result.labels)) == {0, 1, 2, 3}
    np.testing.assert_array_equal(result.labels, labels)


def test_a_network_for_whole_slices_sees_the_head_alone_and_labels_stay_in_their_place() -> None:
    image = np.zeros((4, 128, 160), np.float32)
    image[:, 70:100, 20:60] = np.random.default_rng(2).gamma(4.0, 20.0, (4, 30, 40)) + 30
    case, model = make_case(image=image), make_model()
    model = replace(model, record=replace(model.record, preprocessing=Preprocessing()))
    sizes = []
    model.network.register_forward_pre_hook(lambda _, given: sizes.append(tuple(given[0].shape[2:])))
    result = run_to_end(segment(case, model, SegmentSettings(probabilities=True)))
    assert set(sizes) == {(64, 64)}
    given = scaled(image, Preprocessing())
    np.testing.assert_array_equal(result.labels, np.select([given > 2.5, given > 1.5, given > 0.5], [3, 1, 2], 0))
    assert result.probabilities is not None
    assert result.probabilities.shape[1:] == image.shape


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_range_of_slices_gives_those_slices_of_the_whole_run(spatial_dims: int) -> None:
    case = make_case()
    whole = run_to_end(segment(case, make_model(spatial_dims)))
    part = run_to_end(segment(case, make_model(spatial_dims), SegmentSettings(slices=(3, 5))))
    np.testing.assert_array_equal(part.labels[3:5], whole.labels[3:5])
    assert not part.labels[:3].any()
    assert not part.labels[5:].any()


def test_a_range_outside_the_brain_is_empty_and_outside_the_case_refused() -> None:
    case = make_case()
    assert not run_to_end(segment(case, make_model(), SegmentSettings(slices=(0, 1)))).labels.any()
    with pytest.raises(InputError, match="which has 0 to 8"):
        run_to_end(segment(case, make_model(), SegmentSettings(slices=(8, 12))))


def test_the_result_says_its_scheme_model_and_probabilities() -> None:
    case = make_case()
    result = run_to_end(segment(case, make_model(), SegmentSettings(probabilities=True)))
    assert (result.scheme, result.write_scheme, result.model) == (BRATS2023, BRATS2017, "thresholds 1")
    assert result.probability_names == ("WT", "TC", "ET")
    assert result.probabilities is not None
    np.testing.assert_array_equal(result.probabilities[0] > 0.5, result.labels > 0)
    assert result.geometry is case.geometry


def test_a_missing_channel_is_given_as_zeros() -> None:
    seen: list[Tensor] = []

    class Looks(Thresholds):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            return super().forward(images)

    run_to_end(segment(make_case(("flair", "t2")), make_model(network=Looks())))
    assert all(bool(s[:, 0].any()) and not s[:, 1:3].any() and bool(s[:, 3].any()) for s in seen)


def test_a_case_without_any_of_the_channels_is_refused() -> None:
    case = make_case()
    other = Case("x", {"pre": case.channels["t1"]}, ("pre",), case.geometry, None, BRATS2017, Naming.PLAIN)
    with pytest.raises(InputError, match="none of the channels"):
        run_to_end(segment(other, make_model()))


def test_progress_counts_slices_up_to_all_of_them() -> None:
    reports: list[Progress] = []
    run_to_end(segment(make_case(), make_model()), reports.append)
    slices = [r for r in reports if r.message.startswith("slices")]
    assert [r.done for r in slices] == sorted(r.done for r in slices)
    assert slices[-1].done == slices[-1].total == 7


def test_cancelling_stops_at_the_next_layer_and_leaves_the_model_usable() -> None:
    token = CancelToken()
    layers: list[str] = []

    class Stops(Thresholds):
        def forward(self, images: Tensor) -> Tensor:
            if not layers:
                token.cancel()
            layers.append("in")
            result = super().forward(images)
            layers.append("out")
            return result

    model = make_model(network=Stops())
    with pytest.raises(Cancelled):
        run_to_end(segment(make_case(), model, token=token))
    assert layers == ["in"]
    np.testing.assert_array_equal(
        run_to_end(segment(make_case(), model)).labels, run_to_end(segment(make_case(), make_model())).labels
    )


def test_an_error_inside_the_model_is_one_sentence() -> None:
    class Breaks(Thresholds):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) @ torch.zeros(3, 3)

    with pytest.raises(ModelError, match="The model thresholds failed"):
        run_to_end(segment(make_case(), make_model(network=Breaks())))


def test_inference_mode_does_not_leak_to_the_caller() -> None:
    task: Iterator[Progress] = segment(make_case(), make_model())
    for _ in task:
        assert not torch.is_inference_mode_enabled()


def test_an_unknown_device_names_those_there_are() -> None:
    with pytest.raises(InputError, match="It has: auto"):
        run_to_end(segment(make_case(), make_model(), SegmentSettings(device="cuda:7")))


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("shape", [(5, 64, 60), (64, 5, 60), (64, 60, 5)])
def test_thick_slices_of_any_plane_get_the_networks_labels_on_their_own_grid(
    spatial_dims: int, shape: tuple[int, int, int]
) -> None:
    image = np.zeros(shape, np.float32)
    inner = tuple(slice(1, n - 1) for n in shape)
    image[inner] = np.random.default_rng(3).gamma(4.0, 20.0, image[inner].shape) + 30
    spacing = tuple(5.5 if n == 5 else 0.9 for n in shape)
    case = make_case(image=image)
    geometry = Geometry(shape, spacing, np.diag([-spacing[2], -spacing[1], spacing[0], 1.0]))
    case = replace(case, channels={c: Volume(image, geometry) for c in case.channels}, geometry=geometry)
    # The margin of two voxels around the brain is cut at the volume's ends: nothing of it is cropped.
    values = scaled(image, Preprocessing(zero_background=True))
    expected = np.select([values > 2.5, values > 1.5, values > 0.5], [3, 1, 2], 0)

    result = run_to_end(segment(case, make_model(spatial_dims)))

    np.testing.assert_array_equal(result.labels, expected)
    assert set(np.unique(expected)) == {0, 1, 2, 3}


def test_small_components_are_measured_in_cubic_millimetres_of_thick_slices() -> None:
    image = np.zeros((5, 40, 40), np.float32)
    image[1:4, 4:36, 4:36] = np.random.default_rng(4).normal(50, 1, (3, 32, 32))
    image[2, 8, 8:18] = 400  # 10 voxels of 5.5 mm³: 55 mm³
    image[2, 28:30, 8:28] = 400  # 40 voxels: 220 mm³
    case = make_case(image=image)
    geometry = Geometry((5, 40, 40), (5.5, 1.0, 1.0), np.diag([-1.0, -1.0, 5.5, 1.0]))
    case = replace(case, channels={c: Volume(image, geometry) for c in case.channels}, geometry=geometry)

    def tumour(min_volume: float) -> tuple[bool, bool]:
        settings = SegmentSettings(post_processing=PostProcessing(min_volume=min_volume))
        labels = run_to_end(segment(case, make_model(), settings)).labels
        return bool(labels[2, 8, 8:18].all()), bool(labels[2, 28:30, 8:28].all())

    assert tumour(50) == (True, True)
    assert tumour(60) == (False, True)
    assert tumour(230) == (False, False)


class _Downward(Thresholds):
    """Thresholds of the image moved by one row: what it finds depends on the plane that it sees."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.roll(1, 2))


def test_several_planes_give_the_mean_of_what_each_gives() -> None:
    case, planes = make_case(), ("axial", "coronal", "sagittal")
    alone = []
    for plane in planes:
        model = make_model(network=_Downward())
        model.record = replace(model.record, preprocessing=replace(model.record.preprocessing, planes=(plane,)))
        result = run_to_end(segment(case, model, SegmentSettings(probabilities=True)))
        assert result.probabilities is not None
        alone.append(result.probabilities.astype(np.float32))
    together = make_model(network=_Downward())
    kept = replace(together.record.preprocessing, planes=planes)
    together.record = replace(together.record, preprocessing=kept)
    result = run_to_end(segment(case, together, SegmentSettings(probabilities=True, start=4)))
    assert result.probabilities is not None
    assert not np.array_equal(alone[0], alone[1])
    np.testing.assert_allclose(result.probabilities, np.mean(alone, axis=0), atol=2e-3)
    part = run_to_end(segment(case, together, SegmentSettings(slices=(3, 5))))
    np.testing.assert_array_equal(part.labels[3:5], result.labels[3:5])
    assert not part.labels[:3].any()
    thick = replace(case.geometry, spacing=(1.0, 5.0, 1.0))  # from front to back: a coronal exam
    exam = replace(case, geometry=thick, channels={n: replace(v, geometry=thick) for n, v in case.channels.items()})
    seen = run_to_end(segment(exam, together, SegmentSettings(probabilities=True)))
    assert seen.probabilities is not None
    np.testing.assert_array_equal(seen.probabilities, alone[1].astype(np.float16))
