from pathlib import Path

import pytest

from napari_brainseg.cases.phantom import make_volume_phantom
from napari_brainseg.cases.sample_files import write_volume_files
from napari_brainseg.cli import main
from napari_brainseg.training.splits import Split, write_splits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in (1, 2):
        case = make_volume_phantom(seed, (12, 48, 48), (12.0, 4.0, 4.0))
        write_volume_files(case, tmp_path / "data" / case.id)
    (tmp_path / "data" / "Phantom_002" / "Phantom_002_t1.nii.gz").unlink()
    return tmp_path / "data"


def test_writes_one_page_and_says_what_is_odd(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder.parent / "out"
    write_splits({"mine": Split(("Phantom_001",), ("Phantom_002",))}, folder.parent / "s.json")
    arguments = ["explore", str(folder), "--out", str(out), "--split", str(folder.parent / "s.json"), "--augment"]
    assert main(arguments) == 0
    assert [path.name for path in out.iterdir()] == ["explore.html"]
    page = (out / "explore.html").read_text(encoding="utf-8")
    for heading in ("What is odd", "Channels", "Sizes", "Labels", "Splits", "Augmentation", "Every case"):
        assert f"<h2>{heading}</h2>" in page
    printed = capsys.readouterr().out
    assert "Missing channels: 1 case\n" in printed
    assert f"{out / 'explore.html'}: 2 cases" in printed


def test_a_page_is_replaced_only_when_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = folder.parent / "explore.html"
    page.write_text("mine")
    arguments = ["explore", str(folder), "--out", str(folder.parent)]
    assert main(arguments) == 2
    assert "explore.html exists" in capsys.readouterr().err
    assert page.read_text() == "mine"
    assert main([*arguments, "--overwrite"]) == 0
    assert "What is odd" in page.read_text(encoding="utf-8")


def test_an_empty_folder_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "holds no NIfTI image and no tif slice" in printed.err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_nothing_but_damage_gives_a_page_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "c_flair.nii.gz").write_bytes(b"<html>")
    assert main(["explore", str(tmp_path / "c"), "--out", str(tmp_path), "--augment"]) == 0
    assert "c_flair.nii.gz is no NIfTI file" in (tmp_path / "explore.html").read_text(encoding="utf-8")
    assert "Unreadable cases: 1 case" in capsys.readouterr().out
