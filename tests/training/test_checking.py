"""What is wrong with a run is said before its data are looked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from napari_brainseg.base.errors import BrainsegError, MissingExtraError, OutputError
from napari_brainseg.base.progress import run_to_end
from napari_brainseg.training.session import open_session
from napari_brainseg.training.settings import TrainingSettings
from napari_brainseg.training.tracking import trackers


@pytest.fixture
def settings(tmp_path: Path) -> TrainingSettings:
    return TrainingSettings(
        name="tiny",
        title="",
        data=tmp_path / "nowhere",
        split=tmp_path / "nowhere.json",
        split_name="none",
        out=tmp_path / "run",
        channels=("flair",),
        scheme="brats2017",
        outputs=("WT", "TC", "ET"),
        options={"widths": (4, 8, 10, 15, 20)},
        device="cpu",
    )


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"post_processing": {"min_shape": 1}}, "no post-processing step 'min_shape'"),
        ({"monitor": "dise"}, "no score 'dise' to monitor. Did you mean 'dice'"),
        ({"monitor": "dice_XX"}, "no score 'dice_XX'"),
        ({"loss": {"bce_dise": {}}}, "Did you mean 'bce_dice'"),
        ({"loss": {"bce_dice": {"reduces": "batch"}}}, "no option 'reduces'"),
        ({"optimizer": "adamm"}, "Did you mean 'adam"),
        ({"optimizer": "sgd", "optimizer_options": {"speed": 1}}, "'sgd' .*speed"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"network": "unexd"}, "Did you mean 'unext'"),
        ({"options": {"breadth": 3}}, "breadth"),
        ({"outputs": ("WT", "XX")}, "no region 'XX'"),
        ({"outputs": ("background", "XX")}, "no class 'XX'"),
        ({"trackers": ("abacus",)}, "no tracker 'abacus'"),
        ({"augmentation": {"rotations": 3}}, "no option 'rotations'. Did you mean 'rotation'"),
        ({"augmentation": {"paste": 0.5}, "sampling": "patches", "size": (8, 8, 8)}, "pasted into slices alone"),
        ({"preprocessing": {"blurr": 3}}, "no option 'blurr'. Did you mean 'blur'"),
        ({"preprocessing": {"clip": 5}}, "preprocessing.clip is 5; it must be two numbers"),
        ({"preprocessing": {"edges": 7}}, "preprocessing.edges is 7; it must be true or false"),
        ({"preprocessing": {"clip": (90, 10)}}, "the lower one first"),
        ({"channels": ("flair", "t1ca")}, "no channel 't1ca'. Did you mean 't1ce'"),
        ({"outputs": ("background",)}, "background alone"),
        ({"options": {"widths": (-4, 8, 10, 15, 20)}}, "'unext' does not take these options"),
        ({"options": {"widths": (0, 8, 10, 15, 20)}}, "a layer without weights"),
        ({"start_from": "nowhere"}, "no model 'nowhere'"),
        ({"start_from": "brats"}, "weights of brats do not fit"),
        ({"imagenet": True}, "network=efficientnet_unet alone"),
        ({"network": "efficientnet_unet", "options": {"fixed_stages": 1}}, "stay as they are drawn"),
        ({"scheme": "brats"}, "brats2017"),
    ],
)
def test_a_wrong_name_is_said_at_once(changes: dict[str, Any], said: str, settings: TrainingSettings) -> None:
    with pytest.raises(BrainsegError, match=said):
        run_to_end(open_session(replace(settings, **changes)))


def test_right_names_get_as_far_as_the_data(settings: TrainingSettings) -> None:
    with pytest.raises(BrainsegError, match=r"nowhere\.json cannot be read"):
        run_to_end(open_session(replace(settings, monitor="slice_dice", loss={"weighted_cross_entropy": {}})))


def test_a_tracker_that_is_not_installed_names_its_extra(
    settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"napari-brainseg\[mlflow\]"):
        run_to_end(open_session(replace(settings, trackers=("mlflow",))))


def test_a_folder_that_cannot_be_made_is_said_before_the_data_are_looked_for(settings: TrainingSettings) -> None:
    settings.out.write_text("a file")
    with pytest.raises(OutputError, match=r"run cannot be written"):
        run_to_end(open_session(replace(settings, out=settings.out / "of this")))
    with pytest.raises(BrainsegError, match=r"nowhere\.json"):
        run_to_end(open_session(replace(settings, out=settings.out.with_name("new") / "folder")))
    assert not settings.out.with_name("new").exists()
