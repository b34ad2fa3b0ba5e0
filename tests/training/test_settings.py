from pathlib import Path

import pytest

from napari_brainseg.base.errors import TrainingError
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
    with pytest.raises(TrainingError, match="data"):
        read_settings(CONFIGS / "lgg.yaml", ["out=x"])


def test_a_senseless_value_is_refused() -> None:
    with pytest.raises(TrainingError, match="epochs is 0"):
        read_settings(CONFIGS / "lgg.yaml", ["data=a", "out=b", "epochs=0"])


def test_numbers_that_yaml_reads_as_text_are_numbers() -> None:
    texts = ["rate=2e-3", "schedule_options={least: 1e-5}", "optimizer_options.betas=[9e-1, 0.99]"]
    read = read_settings(CONFIGS / "lgg.yaml", ["data=a", "out=b", *texts, "loss={bce_dice: {smooth: 1e-5}}"])
    assert (read.rate, read.schedule_options, read.optimizer_options) == (2e-3, {"least": 1e-5}, {"betas": [0.9, 0.99]})
    assert read.loss == {"bce_dice": {"smooth": 1e-5}}
