import numpy as np
import pytest
import torch

from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.base.errors import Cancelled, InputError, LabelError, TrainingError
from napari_brainseg.base.progress import CancelToken, run_to_end
from napari_brainseg.cases.case import BRATS_CHANNELS, Case, Naming
from napari_brainseg.cases.labels import BRATS2017, LGG
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.model import Model, new_network
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training.finetune_settings import FinetuneSettings
from napari_brainseg.training.finetuning import finetune

SHAPE = (6, 40, 36)
QUICK = FinetuneSettings(steps=3, rate=1e-2, batch=2, device="cpu")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_case(id="a", shape=SHAPE, seed=0):
    """A bright square within noise, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(shape, np.uint8)
    truth[:, 10:26, 8:24], truth[:, 14:22, 12:20] = 2, 3
    image = np.zeros(shape, np.float32)
    image[:, 2:-2, 2:-2] = 100
    image += 60 * truth + rng.normal(0, 3, shape) * (image > 0)
    geometry = Geometry(shape, (1.0, 1.0, 1.0))
    channels = {c: Volume(image.astype(np.float32), geometry) for c in BRATS_CHANNELS}
    return Case(id, channels, BRATS_CHANNELS, geometry, None, BRATS2017, Naming.BRATS_2017), truth


def correct(case, truth, slices, scheme=BRATS2017):
    return Correction(case.id, truth, mask_of(slices, truth.shape), scheme, tuple(slices))


def make_model(spatial_dims=2, outputs=("WT", "TC", "ET"), crop=True):
    torch.manual_seed(0)
    flat = spatial_dims == 2
    record = ModelRecord(
        name="small",
        version="1",
        title="",
        network={"name": "unext", "options": {"widths": [4, 4, 8, 8, 8]}}
        if flat
        else {"name": "monai_segresnet", "options": {"width": 8, "blocks_down": [1, 1], "blocks_up": [1]}},
        channels=BRATS_CHANNELS,
        scheme_id="brats2017",
        outputs=outputs,
        spatial_dims=spatial_dims,
        preprocessing=Preprocessing(crop=crop),
        window=None if flat else (4, 32, 32),
    )
    return Model(record, new_network(record).eval())


def weights_of(model):
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


AXIAL = [ConfirmedSlice(0, 2), ConfirmedSlice(0, 4)]
PLANES = {"axial": AXIAL, "sagittal": [ConfirmedSlice(2, 14)]}


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("model", [(2, ("WT", "TC", "ET")), (2, ("background", "ED", "ET")), (3, ("WT", "TC", "ET"))])
def test_labels_that_nobody_confirmed_have_no_influence(plane, model):
    case, truth = make_case()
    correction = correct(case, truth, PLANES[plane])
    rubbish = np.where(correction.confirmed, truth, np.uint8(1))
    rubbish[0, 0, 0] = 200  # not even a class
    assert not correction.confirmed[0, 0, 0]
    other = Correction(case.id, rubbish, correction.confirmed, BRATS2017)

    one = run_to_end(finetune([(case, correction)], make_model(*model), QUICK))
    two = run_to_end(finetune([(case, other)], make_model(*model), QUICK))

    assert_same(weights_of(one.model), weights_of(two.model))
    assert one.before == two.before
    assert one.after == two.after


def test_labels_that_are_confirmed_have_influence():
    case, truth = make_case()
    other = truth.copy()
    other[2, 30, 30] = 3

    one = run_to_end(finetune([(case, correct(case, truth, AXIAL))], make_model(), QUICK))
    two = run_to_end(finetune([(case, correct(case, other, AXIAL))], make_model(), QUICK))

    assert not torch.equal(one.model.network.head.weight, two.model.network.head.weight)


def test_one_seed_gives_one_model_and_another_another():
    case, truth = make_case()
    pairs = [(case, correct(case, truth, AXIAL))]

    one, two = (run_to_end(finetune(pairs, make_model(), QUICK)) for _ in range(2))
    three = run_to_end(finetune(pairs, make_model(), FinetuneSettings(steps=3, rate=1e-2, batch=2, seed=1)))

    assert_same(weights_of(one.model), weights_of(two.model))
    assert not torch.equal(one.model.network.head.weight, three.model.network.head.weight)


def test_the_model_it_starts_from_stays_as_it_was():
    model, (case, truth) = make_model(), make_case()
    before = weights_of(model)

    run_to_end(finetune([(case, correct(case, truth, AXIAL))], model, QUICK))

    assert_same(weights_of(model), before)
    assert all(p.grad is None for p in model.network.parameters())


def test_cancel_stops_at_the_next_step_and_keeps_nothing():
    model, (case, truth) = make_model(), make_case()
    before, token = weights_of(model), CancelToken()
    task = finetune([(case, correct(case, truth, AXIAL))], model, QUICK, token=token)
    while next(task).done != 1:
        pass

    token.cancel()

    with pytest.raises(Cancelled):
        next(task)
    assert_same(weights_of(model), before)


def test_batch_norm_statistics_are_frozen():
    model, (case, truth) = make_model(), make_case()

    result = run_to_end(finetune([(case, correct(case, truth, AXIAL))], model, QUICK))

    frozen = {name: tensor for name, tensor in weights_of(model).items() if "running" in name}
    assert frozen
    assert all(torch.equal(tensor, weights_of(result.model)[name]) for name, tensor in frozen.items())


@pytest.mark.parametrize(("spatial_dims", "inner"), [(2, "encoder"), (3, "down_layers")])
def test_the_decoder_alone_may_change(spatial_dims, inner):
    model, (case, truth) = make_model(spatial_dims), make_case()
    settings = FinetuneSettings(steps=2, rate=1e-2, layers="decoder", device="cpu")

    result = run_to_end(finetune([(case, correct(case, truth, AXIAL))], model, settings))

    old, new = weights_of(model), weights_of(result.model)
    encoder = {name for name in old if inner in name or "convInit" in name}
    assert encoder
    assert all(torch.equal(old[name], new[name]) for name in encoder)
    assert any(not torch.equal(old[name], new[name]) for name in old.keys() - encoder)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_it_learns_and_scores_as_the_program_segments(spatial_dims):
    model, (case, truth) = make_model(spatial_dims), make_case()
    other, other_truth = make_case("b", shape=(5, 36, 44), seed=1)
    pairs = [(case, correct(case, truth, AXIAL)), (other, correct(other, other_truth, [ConfirmedSlice(1, 17)]))]
    settings = FinetuneSettings(steps=30, rate=1e-2, device="cpu")

    reports = []
    result = run_to_end(finetune(pairs, model, settings), reports.append)

    assert (result.cases, len(result.before)) == (2, 3)
    assert result.after["WT"] > max(0.8, result.before["WT"])
    steps = [r for r in reports if r.done]
    assert [r.done for r in steps] == list(range(1, 31))
    assert steps[-1].loss < steps[0].loss
    record = result.model.record
    assert (record.parent, record.scores["confirmed"]["after"]) == ("small", result.after)
    assert record.training["data"][0]["slices"] == ["axial slice 2", "axial slice 4"]

    found = run_to_end(segment(case, result.model, SegmentSettings(device="cpu"))).labels
    again = run_to_end(finetune(pairs[:1], result.model, FinetuneSettings(steps=1, device="cpu"))).before
    mask = pairs[0][1].confirmed
    wt = 2 * np.sum((found[mask] > 0) & (truth[mask] > 0)) / (np.sum(found[mask] > 0) + np.sum(truth[mask] > 0))
    assert again["WT"] == pytest.approx(wt, abs=1e-12)


def test_a_network_without_bounds_is_stopped_with_a_clear_error():
    model, (case, truth) = make_model(), make_case()
    with torch.no_grad():
        model.network.head.bias.fill_(torch.nan)

    with pytest.raises(
        TrainingError, match=r"no longer finite at step 1\. The model is unchanged; choose a lower rate"
    ):
        run_to_end(finetune([(case, correct(case, truth, AXIAL))], model, QUICK))


def test_nothing_confirmed_is_said():
    case, truth = make_case()
    for pairs in ([], [(case, correct(case, truth, []))]):
        with pytest.raises(TrainingError, match="Nothing is confirmed"):
            run_to_end(finetune(pairs, make_model(), QUICK))


def test_a_correction_of_another_shape_is_named():
    case, _ = make_case()
    other, truth = make_case(shape=(7, 40, 36))

    with pytest.raises(InputError, match="has changed since"):
        run_to_end(finetune([(case, correct(other, truth, AXIAL))], make_model(), QUICK))


def test_a_class_that_the_model_does_not_have_is_named():
    case, truth = make_case()

    with pytest.raises(LabelError, match="FLAIR abnormality"):
        run_to_end(finetune([(case, correct(case, (truth > 0).astype(np.uint8), AXIAL, LGG))], make_model(), QUICK))


def test_gradients_stay_off_for_a_caller_that_holds_them_off():
    case, truth = make_case()
    with torch.no_grad():
        task = finetune([(case, correct(case, truth, AXIAL))], make_model(), QUICK)
        for _ in task:
            assert not torch.is_grad_enabled()


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("rate", -1.0), ("rate", float("nan")), ("layers", "head")])
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(TrainingError, match=name):
        FinetuneSettings(**{name: value})
