import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from small_folds import write_folds
from small_models import write_small_model

from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.sample_files import write_volume_files
from napari_brainseg.cli import main
from napari_brainseg.model_store.store import find_model, list_models, read_record
from napari_brainseg.training.splits import Split, write_splits


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


def test_measure_records_what_the_cases_look_like(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_small_model(tmp_path / "m", "first")
    for seed in (1, 2):
        case = make_volume_phantom(seed, (6, 24, 24), (22.0, 8.0, 8.0))
        write_volume_files(case, tmp_path / "data" / case.id)
    write_splits({"first": Split(("Phantom_001",), ("Phantom_002",))}, tmp_path / "split.json")
    words = ["models", "measure", str(folder), str(tmp_path / "data")]

    assert main(words) == 0
    assert read_record(folder).training["domain"]["cases"] == 2
    assert main([*words, "--split", str(tmp_path / "split.json")]) == 0
    assert read_record(folder).training["domain"]["cases"] == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"1 case was measured: {folder}"


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


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with lgg-2, fine-tuned from lgg, and lgg-3, fine-tuned from lgg-2."""
    parent = find_model("lgg")
    for number, after in ((2, 0.75), (3, 0.875)):
        folder = tmp_path / "project" / "models" / f"lgg-{number}"
        folder.mkdir(parents=True)
        weights = save({"w": np.full((2, 2), number, np.float16)})
        (folder / "weights.safetensors").write_bytes(weights)
        training = {
            "parent": {"name": parent.name, "version": "1", "sha256": parent.weights_sha256},
            "data": [{"case": "TCGA_1", "slices": ["axial slice 1", "axial slice 5"]}],
            "settings": {"steps": 10 * number, "rate": 0.001},
            "sha256": hashlib.sha256(weights).hexdigest(),
        }
        scores = {"confirmed": {"before": {"WT": 0.5}, "after": {"WT": after}}}
        taught = replace(parent, name=folder.name, parent=parent.name, training=training, scores=scores)
        (folder / "model.json").write_text(taught.to_json())
        parent = read_record(folder)
    return tmp_path / "project"


def names(project: Path) -> list[str]:
    return sorted(path.name for path in (project / "models").iterdir())


def test_the_family_is_listed_below_what_it_comes_from(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["list"]):
        assert main(["models", *words, "--project", str(project)]) == 0
        lines = capsys.readouterr().out.splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("lgg "))
        assert lines[start + 3] == "  lgg·2  (lgg-2)  Fine-tuned from lgg with 2 slices in 1 case."
        assert lines[start + 6] == "    lgg·3  (lgg-3)  Fine-tuned from lgg·2 with 2 slices in 1 case."
        assert "from lgg·2; Dice on its confirmed slices WT 0.500 → 0.875" in lines[start + 8]


def test_a_model_whose_parent_is_gone_says_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(project / "models" / "lgg-2")
    assert main(["models", "--project", str(project)]) == 0
    assert capsys.readouterr().out.startswith(
        "lgg·3  (lgg-3)  Fine-tuned from lgg·2 with 2 slices in 1 case. That model is not here.\n"
    )


def test_rename_keeps_the_family_together(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "rename", "lgg·2", "mine", "--project", str(project)]) == 0
    assert capsys.readouterr().out.strip() == str(project / "models" / "mine")
    assert main(["models", "rollback", "lgg-3", "--project", str(project)]) == 0
    assert f"Go on with mine: {project / 'models' / 'mine'}" in capsys.readouterr().out


def test_compare_prints_columns_and_what_differs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "compare", "lgg-2", "lgg-3", "--project", str(project)]) == 0
    lines = capsys.readouterr().out.splitlines()
    words = [line.split() for line in lines]
    assert words[0] == ["lgg·2", "lgg·3"]
    assert ["steps", "20", "30"] in words
    assert ["rate", "0.001", "0.001"] not in words
    assert ["confirmed", "after", "WT", "0.750", "0.875", "+0.125"] in words
    assert "lgg·3 was fine-tuned from lgg·2." in lines
    assert main(["models", "compare", "lgg-2", "lgg-3", "--all", "--project", str(project)]) == 0
    assert ["rate", "0.001", "0.001"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_rollback_names_the_model_to_go_on_with(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "rollback", "lgg-3", "--project", str(project)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "lgg·3 was fine-tuned from lgg·2 with 2 slices in 1 case.",
        f"Go on with lgg-2: {project / 'models' / 'lgg-2'}",
    ]
    assert names(project) == ["lgg-2", "lgg-3"]
    assert main(["models", "rollback", "lgg-3", "--delete", "--project", str(project)]) == 0
    assert names(project) == ["lgg-2"]


def test_rollback_deletes_nothing_where_there_is_nothing_to_go_back_to(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(project / "models" / "lgg-2")
    assert main(["models", "rollback", "lgg-3", "--delete", "--project", str(project)]) == 2
    assert "lgg-2, from which lgg·3 was fine-tuned, is not there any more" in capsys.readouterr().err
    assert names(project) == ["lgg-3"]


def test_a_model_goes_to_another_project_by_zip(
    project: Path, tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "to-ann.zip"
    assert main(["models", "export", "lgg-3", str(out), "--project", str(project)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(out),
        "It names what the model learnt from (TCGA_1): see whether these names may be passed on.",
    ]
    assert main(["models", "export", "lgg-3", str(out), "--project", str(project)]) == 2
    assert main(["models", "import", str(out), "--project", str(tmp_path / "ann")]) == 0
    assert names(tmp_path / "ann") == ["lgg-3"]
    assert main(["models", "import", str(out), "--name", "from Bob"]) == 0
    assert [one.folder for one in list_models() if one.name == "from Bob"] == [own_home / "models" / "from Bob"]
    assert main(["models", "import", str(out)]) == 2
    assert "is here already" in capsys.readouterr().err


def test_ensemble_joins_models_in_the_users_folder_or_another(
    tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folds = [str(fold.folder) for fold in write_folds(tmp_path)]
    assert main(["models", "ensemble", "both", *folds]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "What its members' cases look like cannot be joined: brainseg models measure records it anew.",
        str(own_home / "models" / "both"),
    ]
    assert main(["models", "ensemble", "both", *folds]) == 2
    assert "There is a model both already" in capsys.readouterr().err
    assert main(["models", "ensemble", "both", *folds, "--out", str(tmp_path / "there")]) == 0
    assert read_record(tmp_path / "there" / "both").network["options"]["members"] == 2
    assert main(["models", "export", str(tmp_path / "there" / "both"), str(tmp_path)]) == 0
    assert "It names what the model learnt from (b, c, d …)" in capsys.readouterr().out


def test_average_says_in_the_card_how_it_was_made_without_places(tmp_path: Path, own_home: Path) -> None:
    folds = [str(fold.folder) for fold in write_folds(tmp_path)]
    assert main(["models", "average", "mean", *folds]) == 0
    card = find_model("mean").card
    assert "`brainseg train --config m.yaml data=FOLDER out=FOLDER split_name=fold0 && brainseg train" in card
    assert "&& brainseg models average mean FOLDER/m FOLDER/m`" in card
    assert str(tmp_path) not in card


def test_delete_asks_for_yes_and_tells_of_the_children(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "delete", "lgg-2", "--project", str(project)]) == 2
    assert "Add --yes to do it." in capsys.readouterr().out
    assert names(project) == ["lgg-2", "lgg-3"]
    assert main(["models", "delete", "lgg-2", "--yes", "--project", str(project)]) == 0
    assert "lgg·3 was fine-tuned from it. It can be used as before" in capsys.readouterr().out
    assert names(project) == ["lgg-3"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["delete", "lgg", "--yes"], "came with the program"),
        (["delete", "lgg"], "came with the program"),
        (["rename", "lgg", "x"], "came with the program"),
        (["rename", "lgg-2", "brats", "--project", "P"], "There is a model brats already"),
        (["compare", "lgg", "nothing"], "There is no model 'nothing'"),
        (["rollback", "lgg"], "there is nothing to go back to"),
        (["import", "nowhere.zip"], "nowhere.zip cannot be imported: No such file"),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str], sentence: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", *(str(project) if word == "P" else word for word in words)]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert find_model("lgg").weights_path.is_file()


def test_a_model_called_like_a_command_still_shows_its_card(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "models" / "lgg-2").rename(project / "models" / "export")
    (project / "models" / "export" / "README.md").write_text("# its card")
    assert main(["models", "list", "export", "--project", str(project)]) == 0
    assert "# its card" in capsys.readouterr().out
