"""`brainseg corrections export` and `import`."""

from __future__ import annotations

from pathlib import Path

import pytest
from case_files import write_case
from corrected_cases import add_brats, add_lgg

from napari_brainseg.annotation.project import Project
from napari_brainseg.cli import main


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.open_or_create(tmp_path / "project")


def corrections(*arguments: object) -> int:
    return main(["corrections", *map(str, arguments)])


def test_out_to_nnunet_and_back(project, tmp_path, capsys) -> None:
    case = add_brats(project, tmp_path / "data")
    raw = tmp_path / "raw"

    status = corrections("export", project.folder, raw, "--format", "nnunet", "--name", "Mine", "--id", 7)

    folder = raw / "Dataset007_Mine"
    assert status == 0
    assert capsys.readouterr().out == (
        f"{folder}: 1 case with flair, t1, t1ce, t2; labels 1 oedema, 2 necrotic and non-enhancing core, "
        "3 enhancing tumour\n"
    )

    other = tmp_path / "other"
    assert corrections("import", folder, "--project", other) == 0
    out, error = capsys.readouterr()
    assert (
        out == f"{case.id}: 22.2% of the voxels confirmed, read as Decathlon\n{other}: 1 case imported as confirmed\n"
    )
    assert error == ""
    assert [c.id for c, _ in Project.open(other).corrections()] == [case.id]

    assert corrections("import", folder, "--project", other) == 0
    out, error = capsys.readouterr()
    assert out == f"{other}: 0 cases imported as confirmed\n"
    assert error.startswith(f"Left out: {case.id} is confirmed in the project already")
    assert corrections("import", folder, "--project", other, "--overwrite") == 0
    assert "1 case imported" in capsys.readouterr().out


def test_out_to_monai_with_chosen_cases_and_channels(project, tmp_path, capsys) -> None:
    add_brats(project, tmp_path / "data")
    lgg = add_lgg(project, tmp_path / "data")
    out = tmp_path / "list"

    status = corrections(
        "export", project.folder, out, "--format", "monai", "--cases", lgg.id, "--channels", "FLAIR, pre"
    )

    printed = capsys.readouterr().out.splitlines()
    assert status == 0
    assert printed[0].startswith(f"{lgg.id}: the files say no spacing, so that other programs take 1 mm.")
    assert printed[1] == f"{out}: 1 case with flair, pre; labels 1 FLAIR abnormality"
    assert sorted(p.name for p in out.iterdir()) == ["dataset.json", "imagesTr", "labelsTr", "masksTr"]


def test_what_cannot_be_imported_is_told_on_stderr(tmp_path, capsys) -> None:
    write_case(tmp_path / "data", "a_1", labels=False)
    assert corrections("import", tmp_path / "data", "--project", tmp_path / "project") == 2
    out, error = capsys.readouterr()
    assert error == "Left out: a_1 has no labels, so there is nothing to confirm.\n"
    assert out.endswith("0 cases imported as confirmed\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "PROJECT", "OUT", "--format", "monai"], "is confirmed, so there is nothing to export"),
        (["export", "OUT", "OUT", "--format", "monai"], "holds no project.json"),
        (["export", "PROJECT", "OUT", "--format", "monai", "--id", "7"], "--name and --id are nnU-Net's"),
        (["export", "PROJECT", "OUT", "--format", "nnunet", "--id", "0"], "from 1 to 999, not 0"),
        (["import", "OUT", "--project", "PROJECT"], "out does not exist. Give a folder of labelled cases"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(project, tmp_path, capsys, arguments, sentence) -> None:
    places = {"PROJECT": str(project.folder), "OUT": str(tmp_path / "out")}
    assert corrections(*(places.get(part, part) for part in arguments)) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1
