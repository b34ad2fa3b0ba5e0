import os
import time
from pathlib import Path

import numpy as np
import pytest
from journals import NOTE, journal_bytes, random_steps, write_journal

from napari_brainseg.annotation.journal import journal_folder, journal_path, list_journals
from napari_brainseg.base.errors import InputError

STEPS, STATES = random_steps(4)


def test_what_was_kept_is_found_with_its_note_and_time(tmp_path):
    written = write_journal(tmp_path, STEPS, STATES[0])
    journals, damaged = list_journals([tmp_path, tmp_path / "none"])
    assert (journals, damaged) == ([written], [])
    assert journals[0].saved_at.timestamp() == 1004.0
    np.testing.assert_array_equal(journals[0].load(), STATES[-1])


def test_the_newest_comes_first_whichever_folder_it_lies_in(tmp_path):
    older = write_journal(tmp_path / "a", STEPS[:1], STATES[0])
    newest = write_journal(tmp_path / "b", STEPS, STATES[0])
    middle = write_journal(tmp_path / "a", STEPS[:2], STATES[0], layer_id="fedcba987654")
    assert list_journals([tmp_path / "a", tmp_path / "b"])[0] == [newest, middle, older]


def test_each_layer_has_a_file_of_its_own_in_the_user_s_folder(tmp_path, own_home):
    assert journal_folder() == own_home / "journal"
    assert journal_path(tmp_path, NOTE) == tmp_path / "case_1_2-0123456789ab.journal"


def test_discarding_removes_the_file_once_and_for_all(tmp_path):
    found = write_journal(tmp_path, STEPS, STATES[0])
    found.discard()
    found.discard()
    assert list_journals([tmp_path]) == ([], [])
    with pytest.raises(InputError, match="cannot be read"):
        found.load()


def _spoil(folder: Path) -> dict[str, str]:
    """Write files that hold nothing to restore; return what is said of each."""
    whole = journal_bytes(STEPS, STATES[0])
    corrupt = bytearray(whole)
    corrupt[60] ^= 1
    files = {
        "empty": (b"", "no journal"),
        "foreign": (os.urandom(3000), "no journal"),
        "truncated": (whole[:200], "cut short"),
        "corrupt": (bytes(corrupt), "damaged"),
        "newer": (whole.replace(b"journal 1\n", b"journal 12\n", 1), "newer version"),
    }
    for name, (data, _) in files.items():
        (folder / f"{name}-1.journal").write_bytes(data)
    return {name: why for name, (_, why) in files.items()}


def test_files_that_cannot_be_used_are_named_and_hide_no_other(tmp_path):
    found = write_journal(tmp_path, STEPS, STATES[0])
    expected = _spoil(tmp_path)
    journals, damaged = list_journals([tmp_path])
    assert journals == [found]
    assert {file.path.stem.removesuffix("-1") for file in damaged} == set(expected)
    for file in damaged:
        assert file.path.exists()
        assert str(file.path) in file.reason
        assert expected[file.path.stem.removesuffix("-1")] in file.reason
        assert file.reason.endswith(".")


def test_a_folder_in_the_place_of_a_journal_hides_no_other(tmp_path):
    (tmp_path / "folder-1.journal").mkdir()
    found = write_journal(tmp_path, STEPS, STATES[0])
    journals, damaged = list_journals([tmp_path])
    assert journals == [found]
    assert len(damaged) == 1


def test_a_file_that_is_being_written_is_left_alone_until_it_is_abandoned(tmp_path):
    aside = tmp_path / ".writing-abc-case-1.journal"
    aside.write_bytes(b"half")
    assert list_journals([tmp_path]) == ([], [])
    assert aside.exists()
    os.utime(aside, (time.time() - 4000, time.time() - 4000))
    assert list_journals([tmp_path]) == ([], [])
    assert not aside.exists()
