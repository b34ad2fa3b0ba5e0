"""Files written aside and renamed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_brainseg.base.errors import OutputError
from napari_brainseg.base.paths import refuse_unwritable, written_aside


def test_files_get_the_rights_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").write_text("made by others")

    def refuse(mask: int) -> int:
        raise AssertionError("the mask of the whole process was set")

    monkeypatch.setattr(os, "umask", refuse)
    with written_aside(tmp_path / "ours", overwrite=False) as aside:
        aside.write_text("ours")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def half() -> None:
        with written_aside(tmp_path / "a.txt", overwrite=False) as aside:
            aside.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.txt").write_text("kept")
    with pytest.raises(OutputError, match="exists"):
        half()
    assert (tmp_path / "a.txt").read_text() == "kept"


def test_a_folder_that_cannot_be_made_is_refused_and_one_that_can_is_not_made(tmp_path: Path) -> None:
    refuse_unwritable(tmp_path / "new" / "folder")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match=r"file cannot be written"):
        refuse_unwritable(tmp_path / "file" / "folder")
