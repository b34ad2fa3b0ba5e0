import subprocess
import sys
from pathlib import Path

from napari_brainseg.plugin.widgets.journal_lock import JournalLocks, in_use, lock_of


def test_a_file_is_in_use_while_its_lock_is_held(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    assert not in_use(path)
    lock = lock_of(path)
    assert lock.tryLock(0)
    assert in_use(path)
    lock.unlock()
    assert not in_use(path)


def test_a_program_that_crashed_holds_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    code = (
        "import os, pathlib, sys; from napari_brainseg.plugin.widgets.journal_lock import lock_of; "
        "lock = lock_of(pathlib.Path(sys.argv[1])); assert lock.tryLock(0); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert path.with_name("a.journal.lock").exists()
    assert not in_use(path)


def test_a_place_that_cannot_be_locked_is_not_in_use(tmp_path: Path) -> None:
    assert not in_use(tmp_path / "nowhere" / "a.journal")


def test_a_window_holds_what_it_is_told_to_until_it_lets_go(tmp_path: Path) -> None:
    one, other = tmp_path / "a.journal", tmp_path / "b.journal"
    locks = JournalLocks()
    locks.hold(one)
    locks.hold(one)
    locks.hold(other)
    assert in_use(one)
    locks.release(one)
    locks.release(one)
    assert not in_use(one)
    assert in_use(other)
