from dataclasses import replace

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
from napari_brainseg.model_store.domain import Domain
from napari_brainseg.model_store.model import Model, new_network
from napari_brainseg.model_store.preprocessing import Preprocessing
from napari_brainseg.model_store.store import ModelRecord
from napari_brainseg.training import finetuning
from napari_brainseg.training.finetune_settings import FinetuneSettings
from napari_brainseg.training.finetuning import finetune
from napari_brainseg.training.seat_belt import Kind

SHAPE = (6, 40, 36)
AT_ONE_MM = Domain(2, ((1, 1), (1, 1), (1, 1)), None, (0.4, 0.6), 0.0, {})
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


def make_model(spatial_dims=2, outputs=("WT", "TC", "ET"), crop=True, neighbours=0):
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
        preprocessing=Preprocessing(crop=crop, neighbours=neighbours),
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
    assert one.table == two.table


def test_an_ensemble_is_taught_as_any_network():
    case, truth = make_case()
    one = make_model()
    options = {"of": "unext", "options": one.record.network["options"], "members": 2}
    record = replace(one.record, network={"name": "ensemble", "options": options})
    model = Model(record, new_network(record).eval())

    taught = run_to_end(
        finetune(
            [(case, correct(case, truth, AXIAL))], model, replace(QUICK, layers="decoder", hold_out=False, replay=0.0)
        )
    ).model

    before, after = weights_of(model), weights_of(taught)
    for member in ("members.0", "members.1"):
        assert not torch.equal(before[f"{member}.head.weight"], after[f"{member}.head.weight"])
        assert torch.equal(before[f"{member}.encoder.0.0.weight"], after[f"{member}.encoder.0.0.weight"])


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


@pytest.mark.parametrize("layers", ["all", "decoder"])
def test_what_a_network_keeps_fixed_is_not_taught(layers):
    options = {"widths": [8, 8, 8, 8], "fixed_stages": 2, "fixed_filters": True}
    record = replace(make_model().record, network={"name": "efficientnet_unet", "options": options})
    model, (case, truth) = Model(record, new_network(record).eval()), make_case()
    settings = FinetuneSettings(steps=2, rate=1e-2, layers=layers, device="cpu")

    taught = run_to_end(finetune([(case, correct(case, truth, AXIAL))], model, settings)).model

    old, new = weights_of(model), weights_of(taught)
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    fixed = {name for name, weight in model.network.named_parameters() if not weight.requires_grad}
    assert {"stem.0.weight", "stages.4.0.2.weight"} <= fixed
    assert not fixed & changed
    assert "head.weight" in changed
    assert ("stages.4.0.0.weight" in changed) == (layers == "all")


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


@pytest.mark.parametrize(("spatial_dims", "coarse"), [(2, False), (2, True), (3, False)])
def test_it_learns_and_scores_as_the_program_segments(spatial_dims, coarse):
    model, (case, truth) = make_model(spatial_dims), make_case()
    if coarse:  # the one case is seen twice as large, the other as it is
        model = replace(model, record=replace(model.record, training={"domain": AT_ONE_MM.to_json()}))
        case = replace(case, geometry=Geometry(SHAPE, (2.0, 2.0, 2.0)))
    other, other_truth = make_case("b", shape=(5, 36, 44), seed=1)
    pairs = [(case, correct(case, truth, AXIAL)), (other, correct(other, other_truth, [ConfirmedSlice(1, 17)]))]
    settings = FinetuneSettings(steps=30, rate=1e-2, replay=0, keep=0, hold_out=False, device="cpu")

    reports = []
    result = run_to_end(finetune(pairs, model, settings), reports.append)

    assert result.cases == 2
    rows = {what: (before, after) for what, before, after in result.table.rows()}
    assert rows["learnt, WT"][1] > max(0.8, rows["learnt, WT"][0])
    steps = [r for r in reports if r.done]
    assert [r.done for r in steps] == list(range(1, 31))
    assert steps[-1].loss < steps[0].loss
    record = result.model.record
    assert record.parent == "small"
    assert record.scores["learnt"]["WT"]["after"] == rows["learnt, WT"][1]
    assert record.training["data"][0]["slices"] == ["axial slice 2", "axial slice 4"]

    found = run_to_end(segment(case, result.model, SegmentSettings(device="cpu"))).labels
    again = run_to_end(finetune(pairs[:1], result.model, FinetuneSettings(steps=1, device="cpu"))).table
    mask = pairs[0][1].confirmed
    wt = 2 * np.sum((found[mask] > 0) & (truth[mask] > 0)) / (np.sum(found[mask] > 0) + np.sum(truth[mask] > 0))
    assert again.of(Kind.LEARNT)[0].before["WT"] == pytest.approx(wt, abs=1e-12)


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


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("rate", -1.0), ("rate", float("nan")), ("layers", "head"), ("replay", -1.0), ("keep", 1.0)],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(TrainingError, match=name):
        FinetuneSettings(**{name: value})


def test_a_model_that_sees_neighbouring_slices_learns_too():
    case, truth = make_case()
    settings = FinetuneSettings(steps=30, rate=1e-2, keep=0, device="cpu")

    table = run_to_end(finetune([(case, correct(case, truth, FIVE))], make_model(neighbours=1), settings)).table

    [held] = table.of(Kind.HELD_OUT)
    assert held.after["WT"] > max(0.8, held.before["WT"])


FIVE = [ConfirmedSlice(0, index) for index in range(1, 6)]


@pytest.mark.parametrize("model", [(2, ("WT", "TC", "ET")), (3, ("WT", "TC", "ET"))])
def test_what_is_held_out_is_scored_and_has_no_influence(model):
    case, truth = make_case()
    result = run_to_end(finetune([(case, correct(case, truth, FIVE))], make_model(*model), QUICK))
    [held] = result.table.of(Kind.HELD_OUT)
    index = int(held.name.removeprefix("slice "))
    assert result.table.held_out == f"1 of 5 slices: {index}"
    other = truth.copy()
    other[index] = np.where(truth[index] > 0, 1, 0)

    wrong = run_to_end(finetune([(case, correct(case, other, FIVE))], make_model(*model), QUICK))

    assert_same(weights_of(result.model), weights_of(wrong.model))
    assert wrong.table.of(Kind.HELD_OUT)[0].before != held.before


def test_of_two_cases_the_one_that_is_not_open_is_held_out():
    pairs = []
    for number, name in enumerate("ab"):
        case, truth = make_case(name, seed=number)
        pairs.append((case, correct(case, truth, AXIAL)))

    table = run_to_end(finetune(pairs, make_model(), QUICK, newest="a")).table

    assert [one.name for one in table.of(Kind.HELD_OUT)] == ["b"]
    assert [one.name for one in table.of(Kind.LEARNT)] == ["a"]


def test_earlier_cases_that_are_learnt_from_again_have_rows_of_their_own():
    pairs = []
    for number, name in enumerate("abc"):
        case, truth = make_case(name, seed=number)
        pairs.append((case, correct(case, truth, AXIAL)))

    table = run_to_end(finetune(pairs, make_model(), QUICK, newest="c")).table

    held, [earlier] = table.of(Kind.HELD_OUT)[0].name, [one.name for one in table.of(Kind.EARLIER)]
    assert {held, earlier} == {"a", "b"}
    assert [one.name for one in table.of(Kind.LEARNT)] == ["c"]


def test_keeping_a_share_of_the_old_weights_lies_on_the_line_between_both():
    case, truth = make_case()
    pairs, old = [(case, correct(case, truth, AXIAL))], weights_of(make_model())

    moved = weights_of(run_to_end(finetune(pairs, make_model(), replace(QUICK, keep=0))).model)
    kept = weights_of(run_to_end(finetune(pairs, make_model(), replace(QUICK, keep=0.25))).model)

    for name in old:
        if old[name].is_floating_point():
            torch.testing.assert_close(kept[name], moved[name] + 0.25 * (old[name] - moved[name]), rtol=2e-3, atol=1e-5)


def test_replay_holds_the_answer_where_nobody_confirmed_anything():
    """With the corrected slices saying there is no tumour at all, the rest keeps more of it when it is asked for."""
    case, truth = make_case()
    taught = FinetuneSettings(steps=30, rate=1e-2, replay=0, keep=0, hold_out=False, device="cpu")
    model = run_to_end(finetune([(case, correct(case, truth, FIVE))], make_model(), taught)).model
    nothing = [(case, correct(case, np.zeros_like(truth), AXIAL))]

    def left(replay):
        changed = run_to_end(finetune(nothing, model, replace(taught, steps=15, replay=replay))).model
        found = run_to_end(segment(case, changed, SegmentSettings(device="cpu"))).labels
        return np.count_nonzero(found[[0, 1, 3, 5]])

    assert left(2.0) > left(0.0)


def test_less_memory_means_fewer_slices_a_step(monkeypatch):
    case, truth = make_case()
    step, sizes = finetuning._step, []

    def narrow(taught, optimizer, weights, batches):
        sizes.append(len(batches[0][2]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(taught, optimizer, weights, batches)

    monkeypatch.setattr(finetuning, "_step", narrow)
    result = run_to_end(finetune([(case, correct(case, truth, FIVE))], make_model(), replace(QUICK, batch=8)))

    assert sizes == [4, 2, 2]  # 5 slices, one of them held out
    assert result.notes == ("cpu ran out of memory: 2 slices a step instead of 4.",)


def test_no_memory_at_all_is_said(monkeypatch):
    case, truth = make_case()

    def fails(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(finetuning, "_step", fails)
    with pytest.raises(TrainingError, match=r"cpu ran out of memory\. The model is unchanged"):
        run_to_end(finetune([(case, correct(case, truth, AXIAL[:1]))], make_model(), QUICK))


@pytest.mark.parametrize("known", [True, False])
def test_a_taught_model_is_made_for_the_same_images_as_its_parent(known):
    model, (case, truth) = make_model(), make_case()
    told = {"domain": {"cases": 7}} if known else {}
    model = Model(replace(model.record, training=told), model.network)

    result = run_to_end(finetune([(case, correct(case, truth, AXIAL))], model, QUICK))

    assert result.model.record.training.get("domain") == told.get("domain")
