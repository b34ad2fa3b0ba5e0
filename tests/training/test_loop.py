"""A run on phantoms written as files: it learns, goes on after a stop as if nothing had been, and leaks nothing."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_brainseg.base.errors import Cancelled, InputError, OutputError, TrainingError
from napari_brainseg.base.progress import CancelToken, Progress, run_to_end
from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.sample_files import write_volume_files
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.writing import write_labels
from napari_brainseg.inference.engine import segment
from napari_brainseg.inference.settings import SegmentSettings
from napari_brainseg.model_store.ensembles import learned_cases
from napari_brainseg.model_store.model import load_model
from napari_brainseg.networks import create_network
from napari_brainseg.training import loop
from napari_brainseg.training.imagenet import load_imagenet
from napari_brainseg.training.loop import EpochReport, train
from napari_brainseg.training.rate_range import RatePoint, find_rate, steepest, write_curve
from napari_brainseg.training.session import open_session
from napari_brainseg.training.settings import TrainingSettings
from napari_brainseg.training.splits import Split, read_split, write_splits

STILL = {"rotation": 0, "scale": 0, "shift": 0, "flip": 0, "intensity": 0, "noise": 0}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    ids = []
    for seed in (1, 2):
        case = make_volume_phantom(seed, (12, 48, 48), (11.0, 4.0, 4.0))
        write_volume_files(case, folder / case.id)
        ids.append(case.id)
    write_splits({"phantoms": Split((ids[0],), (ids[1],))}, folder / "split.json")
    return folder


def tiny(cases: Path, out: Path) -> TrainingSettings:
    return TrainingSettings(
        name="tiny",
        title="",
        data=cases,
        split=cases / "split.json",
        split_name="phantoms",
        out=out,
        channels=("flair", "t1", "t1ce", "t2"),
        scheme="brats2017",
        outputs=("WT", "TC", "ET"),
        options={"widths": (4, 8, 10, 15, 20)},
        preprocessing={"crop": True, "zero_background": True},
        size=(48, 48),
        epochs=3,
        batch=4,
        device="cpu",
        precision="32-true",
    )


@pytest.fixture
def settings(cases: Path, tmp_path: Path) -> TrainingSettings:
    return tiny(cases, tmp_path / "run")


@pytest.fixture(scope="module")
def one_epoch(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """The folder and the losses of a run of one epoch, to be copied."""
    short = replace(tiny(cases, tmp_path_factory.mktemp("one") / "run"), epochs=1)
    return short.out, losses_of(short)


@pytest.fixture
def finished(settings: TrainingSettings, one_epoch: tuple[Path, list[float]]) -> TrainingSettings:
    """The settings of a run of one epoch that has ended."""
    shutil.copytree(one_epoch[0], settings.out)
    return replace(settings, epochs=1)


def losses_of(settings: TrainingSettings, *, resume: bool = False) -> list[float]:
    reports: list[Progress] = []
    run_to_end(train(settings, resume=resume), reports.append)
    return [r.loss for r in reports if isinstance(r, EpochReport)]


def columns(path: Path) -> dict[str, list[str]]:
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_the_loss_falls_and_every_epoch_is_logged(settings: TrainingSettings) -> None:
    losses = losses_of(replace(settings, epochs=8, rate=1e-2))
    assert losses[-1] < 0.85 * losses[0]
    log = columns(settings.out / "log.csv")
    assert [float(value) for value in log["loss"]] == pytest.approx(losses, rel=1e-3)
    assert {"dice_WT", "dice_TC", "dice_ET", "rate", "images_per_second", "data_share"} <= set(log)
    assert (settings.out / "curves.png").stat().st_size > 1000
    assert list((settings.out / "tensorboard").iterdir())


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(settings: TrainingSettings) -> None:
    whole = losses_of(settings)
    stopped = replace(settings, out=settings.out.with_name("stopped"))
    token, first = CancelToken(), []

    def stop_after_the_first(report: Progress) -> None:
        if isinstance(report, EpochReport):
            first.append(report.loss)
            token.cancel()

    with pytest.raises(Cancelled):
        run_to_end(train(stopped, token), stop_after_the_first)
    torch.manual_seed(99)
    assert [*first, *losses_of(stopped, resume=True)] == pytest.approx(whole, abs=1e-6)


def test_a_run_that_lies_there_is_not_written_over_unasked(finished: TrainingSettings) -> None:
    with pytest.raises(TrainingError, match=r"holds a run already\. Add --resume"):
        run_to_end(train(finished))


def test_cases_that_lack_a_channel_are_noted(settings: TrainingSettings, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(settings.data, data)
    (data / "Phantom_001" / "Phantom_001_t1.nii.gz").unlink()
    reports: list[Progress] = []
    run_to_end(train(replace(settings, data=data, epochs=1)), reports.append)
    (note,) = (report.message for report in reports if report.message.startswith("note"))
    assert note == "note: 1 case lacks channels, which are learned from as empty (Phantom_001 t1)"
    assert json.loads((settings.out / "settings.json").read_text())["lacking"] == {"Phantom_001": ["t1"]}


def test_a_run_of_other_settings_is_not_gone_on_with(finished: TrainingSettings) -> None:
    other = replace(finished, rate=0.5, data=finished.data / "nowhere")
    with pytest.raises(TrainingError, match=r"last\.pt belongs to other settings \(rate was 0\.002, not 0\.5\)"):
        run_to_end(train(other, resume=True))  # said before the data are looked for


def test_what_a_killed_run_was_writing_is_removed(finished: TrainingSettings) -> None:
    (finished.out / ".writing-abc-last.pt").write_text("half")
    (finished.out / ".writing-def").mkdir()
    (finished.out / ".writing-def" / "weights.safetensors").write_text("half")
    run_to_end(train(finished, resume=True))
    assert not list(finished.out.glob(".writing-*"))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _change_a_weight(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _lose_the_optimizer(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    del state["optimizer"]
    torch.save(state, path)


@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        _change_a_weight,
        _lose_the_optimizer,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("hello world"),
        lambda path: torch.save([1, 2], path),
    ],
)
def test_a_damaged_checkpoint_is_one_sentence(damage: Callable[[Path], object], finished: TrainingSettings) -> None:
    damage(finished.out / "last.pt")
    with pytest.raises(TrainingError, match=r"last\.pt is damaged\. Remove it"):
        run_to_end(train(finished, resume=True))
    assert load_model(finished.out / "tiny").record.name == "tiny"


def test_the_model_records_its_scores_split_and_settings(settings: TrainingSettings) -> None:
    model = run_to_end(train(replace(settings, epochs=1), command="brainseg train"))
    assert list(model.record.scores["validation"]["cases"]) == ["Phantom_002"]
    assert model.record.training["settings"]["seed"] == 1
    assert "data" not in model.record.training["settings"]
    saved = load_model(settings.out / "tiny")
    assert saved.record.scores == model.record.scores
    assert saved.record.training["domain"]["cases"] == 1  # not the validation's
    assert saved.record.training["domain"]["spacing"] == [[11.0, 11.0], [4.0, 4.0], [4.0, 4.0]]
    told = json.loads((settings.out / "settings.json").read_text())
    assert told["cases"] == {"train": ["Phantom_001"], "validation": ["Phantom_002"], "test": []}
    assert saved.record.training["cases"] == told["cases"]
    assert saved.record.training["command"] == "brainseg train"
    assert told["torch"] == torch.__version__


def test_accumulated_batches_are_one_large_batch(settings: TrainingSettings) -> None:
    # Without batch norm and augmentation, and with a loss that is a mean over voxels, both make the same steps.
    plain = replace(
        settings,
        network="monai_segresnet",
        options={"width": 8, "blocks_down": [1, 1], "blocks_up": [1]},
        loss={"bce": {}},
        augmentation=STILL,
        optimizer="sgd",
        schedule="none",
        rate=0.1,
        empty_share=0.0,
        central_slices=4,
        epochs=2,
    )
    large = losses_of(replace(plain, batch=4))
    small = losses_of(replace(plain, batch=2, accumulate=2, out=settings.out.with_name("small")))
    assert small == pytest.approx(large, rel=1e-5)


def test_the_moving_average_is_what_is_judged_and_saved(settings: TrainingSettings) -> None:
    run_to_end(train(replace(settings, epochs=1, average=0.999, rate=0.1)))
    averaged = load_model(settings.out / "tiny").network.state_dict()
    torch.manual_seed(settings.seed)
    fresh = create_network("unext", in_channels=4, out_channels=3, widths=(4, 8, 10, 15, 20)).state_dict()
    weight = "encoder.0.0.weight"
    assert (averaged[weight] - fresh[weight]).abs().max() < 0.01


def test_fixed_layers_stay_those_of_imagenet(settings: TrainingSettings) -> None:
    options = {"widths": (8, 8, 8, 8), "fixed_stages": 2, "fixed_filters": True}
    begun = {"network": "efficientnet_unet", "options": options, "imagenet": True}
    run_to_end(train(replace(settings, **begun, channels=settings.channels[:3], epochs=1)))
    given = create_network("efficientnet_unet", in_channels=3, out_channels=3, **options)
    load_imagenet(given)
    learned, before = load_model(settings.out / "tiny").network.state_dict(), given.state_dict()
    filters = "stages.4.0.2.weight"  # of 5 x 5
    for name in ("stem.0.weight", "stages.0.0.0.weight", "stages.1.1.4.bias", filters):
        torch.testing.assert_close(learned[name], before[name].half().float(), rtol=0, atol=0)
    mixing = "stages.4.0.0.weight"
    assert not torch.allclose(learned[mixing], before[mixing], atol=1e-4)


def test_the_last_epoch_can_be_chosen_though_another_had_a_better_score(settings: TrainingSettings) -> None:
    # At a rate of this size the network is soon worse than it was.
    wild = replace(settings, epochs=3, rate=10.0, schedule="none", optimizer="sgd")
    weights = []
    for choose in ("best", "last"):
        run_to_end(train(replace(wild, choose=choose, out=settings.out / choose)))
        checkpoint = torch.load(settings.out / choose / "last.pt", weights_only=True)
        own = load_model(settings.out / choose / "tiny").network.state_dict()
        weights.append((own["encoder.0.0.weight"], checkpoint["network"]["encoder.0.0.weight"]))
        assert (checkpoint["best_epoch"] == 3) == (choose == "last")
    assert not torch.allclose(*weights[0], atol=1e-3)
    assert torch.allclose(*weights[1], atol=1e-3)


@pytest.mark.parametrize(
    ("choice", "words"), [({"choose": "first"}, "best or last"), ({"choose": "last", "patience": 2}, "patience=0")]
)
def test_a_choice_of_epoch_that_makes_no_sense_is_refused(settings: TrainingSettings, choice: dict, words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        replace(settings, **choice)


def test_a_run_without_progress_ends_early(settings: TrainingSettings) -> None:
    # Group norm keeps no running statistics: at next to no rate every epoch scores the same as the first.
    still = replace(
        settings,
        network="monai_segresnet",
        options={"width": 8, "blocks_down": [1, 1], "blocks_up": [1]},
        rate=1e-12,
        schedule="none",
    )
    assert len(losses_of(replace(still, epochs=9, patience=2))) == 3


def test_patches_train_a_network_of_volumes(settings: TrainingSettings) -> None:
    volumes = replace(
        settings,
        network="monai_segresnet",
        options={"width": 8, "blocks_down": [1, 1], "blocks_up": [1]},
        sampling="patches",
        size=(8, 32, 32),
        batch=2,
        oversample=4,
        epochs=4,
        rate=1e-2,
    )
    losses = losses_of(volumes)
    assert losses[-1] < losses[0]
    record = load_model(settings.out / "tiny").record
    assert (record.spatial_dims, record.window) == (3, (8, 32, 32))


def test_the_border_can_choose_the_best_epoch(settings: TrainingSettings) -> None:
    run_to_end(train(replace(settings, monitor="hd95_WT")))
    log = [float(value) for value in columns(settings.out / "log.csv")["hd95_WT"]]
    assert all(value < 0 for value in log)
    state = torch.load(settings.out / "last.pt", weights_only=True)
    assert (state["best"], state["best_epoch"]) == (pytest.approx(max(log)), log.index(max(log)) + 1)


def test_labels_of_another_folder_stand_in_for_those_beside_the_images(
    settings: TrainingSettings, tmp_path: Path
) -> None:
    exported = tmp_path / "exported"
    for seed in (1, 2):
        case = make_volume_phantom(seed, (12, 48, 48), (11.0, 4.0, 4.0))
        oedema = np.full(case.geometry.shape, 2, np.uint8)
        write_labels(Segmentation.for_case(case, oedema, case.scheme), exported / f"{case.id}_seg.nii.gz")
    session = run_to_end(open_session(replace(settings, labels=exported)))
    assert set(session.data.labels.unique().tolist()) - {0} == {2}
    assert np.unique(session.validation[0].labels).tolist() == [2]
    assert set(run_to_end(open_session(settings)).data.labels.unique().tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("how", ["join", "replace"])
def test_a_highlighter_goes_with_the_model(how: str, settings: TrainingSettings, tmp_path: Path) -> None:
    write_splits({"two": Split(("Phantom_001", "Phantom_002"), ("Phantom_003",))}, tmp_path / "split.json")
    data = tmp_path / "data"
    shutil.copytree(settings.data, data)
    case = make_volume_phantom(3, (12, 48, 48), (11.0, 4.0, 4.0))
    write_volume_files(case, data / case.id)
    chosen = replace(settings, data=data, split=tmp_path / "split.json", split_name="two", highlight=how, epochs=1)
    model = run_to_end(train(replace(chosen, highlight_epochs=1)))
    result = run_to_end(segment(case, load_model(settings.out / "tiny"), SegmentSettings(device="cpu")))
    assert result.labels.shape == (12, 48, 48)
    assert model.record.network["highlight"] == how


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_where_slices_wait_does_not_change_a_run(
    cache: str, settings: TrainingSettings, one_epoch: tuple[Path, list[float]]
) -> None:
    assert losses_of(replace(settings, epochs=1, cache=cache)) == pytest.approx(one_epoch[1], abs=1e-6)


def test_a_case_that_breaks_in_the_middle_costs_nothing(settings: TrainingSettings, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(settings.data, data)
    breaking = replace(settings, data=data, cache="none")

    def damage(report: Progress) -> None:
        if isinstance(report, EpochReport):
            (data / "Phantom_001" / "Phantom_001_t1.nii.gz").write_bytes(b"nothing")

    with pytest.raises(InputError, match="Phantom_001_t1"):
        run_to_end(train(breaking), damage)
    whole = replace(breaking, data=settings.data)
    assert len(losses_of(whole, resume=True)) == settings.epochs - 1


def test_a_full_disk_keeps_the_last_checkpoint(settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    real, saved = torch.save, []

    def full(state: object, path: Path) -> None:
        if saved:
            Path(path).write_bytes(b"half")
            raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")
        saved.append(path)
        real(state, path)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match=r"last\.pt could not be written"):
        run_to_end(train(settings))
    monkeypatch.undo()
    assert [p.name for p in settings.out.glob("*.pt")] == ["last.pt"]
    assert len(losses_of(settings, resume=True)) == settings.epochs - 1


def test_cases_of_the_split_that_are_not_there_are_named(settings: TrainingSettings, tmp_path: Path) -> None:
    write_splits({"phantoms": Split(("Gone_1",), ("Gone_2",))}, tmp_path / "split.json")
    with pytest.raises(TrainingError, match="Gone_1"):
        run_to_end(train(replace(settings, split=tmp_path / "split.json")))


def test_a_loss_that_is_not_finite_stops_with_the_case_named_and_the_best_kept(
    settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = loop.compute_loss

    def after_the_first_epoch(report: Progress) -> None:
        if isinstance(report, EpochReport):
            monkeypatch.setattr(loop, "compute_loss", lambda *args: broken(*args) * float("nan"))

    with pytest.raises(TrainingError, match=r"epoch 2 .*Phantom_001"):
        run_to_end(train(settings), after_the_first_epoch)
    assert load_model(settings.out / "tiny").record.scores["validation"]["mean"]


def test_the_rate_is_found_by_raising_it(settings: TrainingSettings) -> None:
    points = run_to_end(find_rate(replace(settings, optimizer="sgd", augmentation=STILL), steps=25, highest=10.0))
    rates = [point.rate for point in points]
    assert rates[0] == pytest.approx(1e-6)
    assert all(b / a == pytest.approx(1e7 ** (1 / 24)) for a, b in pairwise(rates))
    assert write_curve(points, settings.out).stat().st_size > 1000


def test_the_steepest_place_of_a_curve() -> None:
    losses = [1.0, 1.0, 0.9, 0.5, 0.4, 0.4, 2.0]
    assert steepest([RatePoint(10.0**i, loss) for i, loss in enumerate(losses)]) == 10.0


def test_a_loss_that_bounces_at_high_rates_is_not_the_steepest_place() -> None:
    falling = [1.6] * 40 + [1.6 - 0.05 * i for i in range(1, 13)]
    bouncing = [1.0, 1.2, 0.9, 1.2, 0.95, 1.2, 1.0, 1.1]
    points = [RatePoint(float(i), loss) for i, loss in enumerate([*falling, *bouncing * 3])]
    assert 40 <= steepest(points) <= 52


def test_a_run_that_begins_with_a_model_records_its_cases_and_warns_of_those_that_validate(
    finished: TrainingSettings, tmp_path: Path
) -> None:
    first = finished.out / "tiny"
    splits = read_split(finished.split, "phantoms")
    write_splits({"turned": Split(splits.validation, splits.train)}, tmp_path / "turned.json")
    begun = replace(finished, start_from=str(first), out=tmp_path / "begun")
    turned = replace(begun, split=tmp_path / "turned.json", split_name="turned", out=tmp_path / "turned")
    reports: list[Progress] = []
    run_to_end(train(begun), reports.append)
    assert not any(one.message.startswith("note") for one in reports)
    first_command = '"command": ""'
    described = (first / "model.json").read_text()
    assert first_command in described
    (first / "model.json").write_text(described.replace(first_command, '"command": "train a", "imagenet": true'))
    run_to_end(train(turned, command="train b"), reports.append)
    notes = [one.message for one in reports if one.message.startswith("note")]
    assert len(notes) == 1
    assert notes[0].startswith(f"note: {first} learned from 1 of the cases that validate, such as {splits.train[0]}:")

    record = load_model(turned.out / "tiny").record
    assert learned_cases(record) == {*splits.train, *splits.validation}
    assert record.training["settings"]["start_from"] == "FOLDER/tiny"
    assert record.training["command"] == "train a && train b"
    assert f"Learned from before, by the model that it began with (1): {splits.train[0]}" in record.card
    assert "The encoder began with the weights of EfficientNet-Lite0" in record.card
