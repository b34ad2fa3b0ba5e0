"""The options of opening, as they are typed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from napari_brainseg.base.errors import InputError
from napari_brainseg.cases.reading import OpenOptions
from napari_brainseg.cli.opening import add_opening_arguments, opening_options


def parsed(*arguments: str) -> OpenOptions:
    parser = argparse.ArgumentParser()
    add_opening_arguments(parser)
    return opening_options(parser.parse_args(arguments))


def test_nothing_is_chosen_by_default() -> None:
    assert parsed() == OpenOptions()


def test_channels_are_files_or_an_order() -> None:
    assert parsed("--channels", "FLAIR=a b.nii.gz, t1=c.nii").channels == {
        "flair": Path("a b.nii.gz"),
        "t1": Path("c.nii"),
    }
    assert parsed("--channels", "flair, pre,-").channels == ("flair", "pre", "-")


def test_the_others() -> None:
    options = parsed("--scheme", "msd", "--labels", "d", "--resample", "--spacing", "5,0.9,1")
    assert options == OpenOptions(None, "msd", Path("d"), True, (5.0, 0.9, 1.0))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--channels", "flair=a.nii,t1"), "name files .* or an order"),
        (("--channels", "flair="), "name files"),
        (("--channels", ","), "name files"),
        (("--spacing", "1,2"), "three numbers in mm"),
        (("--spacing", "a,b,c"), "three numbers in mm"),
    ],
)
def test_what_cannot_be_understood_gets_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parsed(*arguments)


def test_a_wrong_scheme_is_answered_with_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--scheme", "brats1999")
    assert "brats2013" in capsys.readouterr().err
