from __future__ import annotations

from pathlib import Path

import pytest
from small_models import write_small_model

from napari_brainseg.base.errors import TrainingError
from napari_brainseg.training.folds import SplitPart, find_folds
from napari_brainseg.training.splits import Split, write_splits


@pytest.fixture
def place(tmp_path: Path) -> Path:
    splits = {"f0": Split(("c",), ("a", "b")), "f1": Split(("a", "b"), ("c",)), "whole": Split((), ("b", "c"))}
    write_splits(splits, tmp_path / "s.json")
    return tmp_path


def test_each_model_has_the_part_that_it_was_trained_with(place: Path) -> None:
    models = [write_small_model(place / name, split) for name, split in (("m1", "f1"), ("m0", "f0"))]
    one, two = find_folds(models, SplitPart(place / "s.json"))
    assert (one.title, one.ids) == ("m1 1, split f1", ("c",))
    assert (two.title, two.ids) == ("m0 1, split f0", ("a", "b"))


def test_a_case_is_scored_once(place: Path) -> None:
    models = [write_small_model(place / name, split) for name, split in (("m0", "f0"), ("w", "whole"))]
    with pytest.raises(TrainingError, match=r"b stands in the validation parts of two models \(m0 1, split f0; w 1"):
        find_folds(models, SplitPart(place / "s.json"))
    with pytest.raises(TrainingError, match="stands in the validation parts of two models"):
        find_folds(models[:1] * 2, SplitPart(place / "s.json"))


def test_models_of_two_kinds_are_no_folds(place: Path) -> None:
    models = [write_small_model(place / "m0", "f0"), write_small_model(place / "m1", "f1", outputs=("WT", "TC"))]
    with pytest.raises(TrainingError, match=r"m0 and m1 .* their outputs differ \(WT, TC, ET and WT, TC\)"):
        find_folds(models, SplitPart(place / "s.json"))


def test_a_model_of_no_split_is_named(place: Path) -> None:
    models = [write_small_model(place / "m0", "f0"), write_small_model(place / "m1")]
    with pytest.raises(TrainingError, match="more than one split, and m1 was trained with none of them"):
        find_folds(models, SplitPart(place / "s.json"))
