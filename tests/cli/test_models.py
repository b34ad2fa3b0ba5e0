from pathlib import Path

import pytest

from napari_brainseg.cli import main


def test_lists_the_shipped_models_and_prints_a_card(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINSEG_HOME", str(tmp_path))
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "\nlgg " in f"\n{listed}"
    assert "\nbrats " in f"\n{listed}"
    assert main(["models", "--card", "lgg"]) == 0
    card = capsys.readouterr().out
    assert "CC BY-NC-SA 4.0" in card
    assert "not for diagnosis" in card


def test_an_unknown_card_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--card", "nothing"]) == 2
    assert "There is no model 'nothing'" in capsys.readouterr().err
