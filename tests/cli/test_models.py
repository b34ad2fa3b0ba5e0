from dataclasses import replace
from pathlib import Path

import pytest

from napari_brainseg.cli import main
from napari_brainseg.model_store.store import find_model


def test_lists_the_shipped_models_and_prints_a_card(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINSEG_HOME", str(tmp_path))
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "\nlgg " in f"\n{listed}"
    assert "\nbrats " in f"\n{listed}"
    assert main(["models", "lgg"]) == 0
    card = capsys.readouterr().out
    assert "CC BY-NC-SA 4.0" in card
    assert "not for diagnosis" in card


def test_an_unknown_card_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "nothing"]) == 2
    assert "There is no model 'nothing'" in capsys.readouterr().err


def test_a_fine_tuned_model_is_listed_with_its_dice_before_and_after(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "models" / "lgg-2"
    folder.mkdir(parents=True)
    taught = replace(
        find_model("lgg"),
        name="lgg-2",
        parent="lgg",
        folder=None,
        scores={"confirmed": {"before": {"WT": 0.5}, "after": {"WT": 0.75}}},
    )
    (folder / "model.json").write_text(taught.to_json())
    assert main(["models", "--project", str(tmp_path)]) == 0
    assert "from lgg; Dice on its confirmed slices WT 0.500 → 0.750" in capsys.readouterr().out
