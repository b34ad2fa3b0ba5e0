from pathlib import Path

import pytest

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.training.session import record_of
from napari_brainseg.training.settings import read_settings

CONFIGS = Path(__file__).parents[2] / "docs" / "studies"


@pytest.mark.parametrize("name", ["lgg", "brats"])
def test_the_shipped_configurations_are_valid(name: str) -> None:
    settings = read_settings(CONFIGS / f"{name}.yaml", ["data=somewhere", "out=elsewhere", "epochs=2"])
    assert settings.epochs == 2
    assert settings.data == Path("somewhere")


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    with pytest.raises(TrainingError, match="Did you mean 'epochs'"):
        read_settings(CONFIGS / "lgg.yaml", ["epoch=2"])


def test_a_missing_key_is_named() -> None:
    with pytest.raises(TrainingError, match=r"lgg\.yaml lacks data, out"):
        read_settings(CONFIGS / "lgg.yaml")


def test_a_senseless_value_is_refused() -> None:
    with pytest.raises(TrainingError, match="epochs is 0"):
        read_settings(CONFIGS / "lgg.yaml", ["data=a", "out=b", "epochs=0"])


def test_numbers_that_yaml_reads_as_text_are_numbers() -> None:
    texts = ["rate=2e-3", "schedule_options={least: 1e-5}", "optimizer_options.betas=[9e-1, 0.99]"]
    read = read_settings(CONFIGS / "lgg.yaml", ["data=a", "out=b", *texts, "loss={bce_dice: {smooth: 1e-5}}"])
    assert (read.rate, read.schedule_options, read.optimizer_options) == (2e-3, {"least": 1e-5}, {"betas": [0.9, 0.99]})
    assert read.loss == {"bce_dice": {"smooth": 1e-5}}


def test_a_model_is_told_to_miss_the_channels_that_it_loses_in_training() -> None:
    given = ["data=a", "out=b", "augmentation={drop_channel: [4e-1, 0, 0.4]}"]
    assert record_of(read_settings(CONFIGS / "lgg.yaml", given)).trained_to_miss == ("pre", "post")
    assert (
        record_of(read_settings(CONFIGS / "lgg.yaml", [*given[:2], "augmentation.drop_channel=0"])).trained_to_miss
        == ()
    )
    for wrong, told in (
        ("[0.4, 0]", "2 chances for 3 channels"),
        ("[0.4, 2, 0]", "is 2; it must be from 0 to 1"),
        ("[0.4, much]", r"must be a number, or a list of numbers"),
    ):
        with pytest.raises(TrainingError, match=told):
            record_of(read_settings(CONFIGS / "lgg.yaml", [*given[:2], f"augmentation.drop_channel={wrong}"]))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("epochs=2.5", r"epochs is 2\.5; it must be a whole number"),
        ("epochs=true", "epochs is True; it must be a whole number"),
        ("rate=.nan", "rate is nan; it must be a number"),
        ("clip=null", "clip has no value"),
        ("data=null", "data has no value"),
        ("size=64", r"size is 64; it must be a list of whole numbers"),
        ("size=[-64, 64]", r"size is \[-64, 64\]; its numbers must be above 0"),
        ("channels=[]", "channels is .* one name or more"),
        ("channels=[pre, pre]", "channels is .* each once"),
        ("outputs=[1]", r"outputs is \[1\]; it must be a list of names"),
        ("network=[unext]", r"network is \['unext'\]; it must be text"),
        ("options={1: 2}", r"options is \{1: 2\}; it must be options by name"),
        ("loss=[bce, soft_dice]", "loss is .* losses by name"),
        ("loss={bce: 5}", "loss is .* losses by name"),
        ("trackers=5", "trackers is 5; it must be a list of names"),
        ("mask_edges=maybe", "mask_edges is 'maybe'; it must be true or false"),
        ("seed=9999999999999999999", "seed is 9999999999999999999; it must be between"),
        ("name=a/b", "name is 'a/b'"),
        ("name=pictures", "name is 'pictures'"),
        ("name=''", "name is ''"),
        ("epochs.x=5", "sets an option of epochs, which has none"),
    ],
)
def test_a_value_of_another_kind_is_named(override: str, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        read_settings(CONFIGS / "lgg.yaml", ["data=a", "out=b", override])


def test_a_run_begins_in_one_way() -> None:
    with pytest.raises(TrainingError, match="imagenet or with start_from"):
        read_settings(CONFIGS / "lgg.yaml", ["data=a", "out=b", "imagenet=true", "start_from=lgg"])


def test_nothing_is_right_where_nothing_is_the_default() -> None:
    nothing = [f"{key}=null" for key in ("labels", "source", "loss", "options", "trackers", "highlight", "patience")]
    read = read_settings(CONFIGS / "lgg.yaml", ["data=a", "out=b", *nothing])
    assert (read.labels, read.source, read.loss, read.trackers, read.patience) == (None, "", {}, (), 0)


def test_numbers_are_good_names() -> None:
    assert read_settings(CONFIGS / "lgg.yaml", ["data=2018", "out=b", "split_name=1"]).split_name == "1"


def test_an_option_can_be_given_to_a_loss_that_is_named_alone() -> None:
    read = read_settings(CONFIGS / "lgg.yaml", ["data=a", "out=b", "loss=bce_dice", "loss.bce_dice={dice: 2}"])
    assert read.loss == {"bce_dice": {"dice": 2}}


def test_broken_yaml_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("epochs: [1\nbatch: 2\n", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"run\.yaml cannot be read as YAML") as caught:
        read_settings(tmp_path / "run.yaml")
    assert "\n" not in str(caught.value)
