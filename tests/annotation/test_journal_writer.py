from __future__ import annotations

import hashlib
import itertools
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from journals import NOTE, SHAPE, NoLocks, random_steps

from napari_brainseg.annotation import journal_writer
from napari_brainseg.annotation.journal import journal_path, list_journals
from napari_brainseg.annotation.journal_writer import JournalWriter

STEPS, STATES = random_steps(6)


class Locks(NoLocks):
    """Remembers what is held."""

    def __init__(self):
        self.held = set()

    def hold(self, path):
        assert not path.exists() or path in self.held, "taken before the file is there"
        self.held.add(path)

    def release(self, path):
        self.held.discard(path)


@pytest.fixture
def told():
    return []


@pytest.fixture
def locks():
    return Locks()


@pytest.fixture
def writer(told, locks):
    writer = JournalWriter(locks, told.append)
    writer.follow(STATES[0])
    yield writer
    writer.close()


def begin(writer, *folders, at_once=False, note=NOTE):
    writer.begin(note, lambda: folders, at_once=at_once)


def on_disk(folder):
    """The labels and the number of steps of the only journal in a folder."""
    [journal], damaged = list_journals([folder])
    assert not damaged
    return journal.load(), journal.moment.number


def size(folder):
    return journal_path(folder, NOTE).stat().st_size


def test_every_step_is_on_disk_within_a_second(writer, tmp_path):
    begin(writer, tmp_path)
    for number, step in enumerate(STEPS, 1):
        writer.add(step)
        deadline = time.monotonic() + 1.5
        while not (found := list_journals([tmp_path])[0]) or found[0].moment.number < number:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        np.testing.assert_array_equal(found[0].load(), STATES[number])


def test_steps_that_come_thick_and_fast_do_not_put_each_other_off(writer, tmp_path):
    begin(writer, tmp_path)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        writer.add(STEPS[0])
        time.sleep(0.001)
        if list_journals([tmp_path])[0]:
            break
    assert on_disk(tmp_path)[1] > 1


def test_only_what_changed_is_added(writer, tmp_path):
    begin(writer, tmp_path)
    writer.add(STEPS[0])
    assert writer.flush()
    before = journal_path(tmp_path, NOTE).read_bytes()
    writer.add(STEPS[1])
    writer.flush()
    after = journal_path(tmp_path, NOTE).read_bytes()
    assert after.startswith(before)
    assert 0 < len(after) - len(before) < 250
    np.testing.assert_array_equal(on_disk(tmp_path)[0], STATES[2])


def test_steps_before_the_labels_were_unsaved_are_in_the_labels_it_starts_from(writer, tmp_path):
    writer.add(STEPS[0])
    writer.flush()
    assert list_journals([tmp_path]) == ([], [])
    begin(writer, tmp_path)
    writer.add(STEPS[1])
    writer.flush()
    labels, number = on_disk(tmp_path)
    assert number == 2
    np.testing.assert_array_equal(labels, STATES[2])


def test_a_stroke_that_is_not_over_leaves_no_file_but_labels_that_are_unsaved_as_they_are_do(writer, tmp_path):
    begin(writer, tmp_path)
    writer.flush()
    assert list_journals([tmp_path]) == ([], [])
    begin(writer, tmp_path, at_once=True)
    writer.flush()
    np.testing.assert_array_equal(on_disk(tmp_path)[0], STATES[0])


def test_what_is_saved_at_once_is_never_written(writer, tmp_path):
    begin(writer, tmp_path / "never")
    writer.add(STEPS[0])
    writer.saved()
    writer.flush()
    assert not (tmp_path / "never").exists()


def test_saving_deletes_the_file_and_the_next_step_begins_another(writer, locks, tmp_path):
    begin(writer, tmp_path)
    writer.add(STEPS[0])
    writer.flush()
    assert locks.held == {journal_path(tmp_path, NOTE)}
    writer.saved()
    writer.flush()
    assert list(tmp_path.iterdir()) == []
    assert locks.held == set()
    begin(writer, tmp_path)
    writer.add(STEPS[1])
    writer.flush()
    np.testing.assert_array_equal(on_disk(tmp_path)[0], STATES[2])


def test_a_layer_that_is_left_keeps_its_file_until_it_is_saved_later(writer, locks, tmp_path):
    begin(writer, tmp_path)
    writer.add(STEPS[0])
    writer.leave()
    writer.follow(np.zeros(SHAPE, np.uint8))
    other = replace(NOTE, layer_id="other")
    begin(writer, tmp_path, note=other)
    writer.add(STEPS[1])
    writer.saved()
    writer.flush()
    np.testing.assert_array_equal(on_disk(tmp_path)[0], STATES[1])
    assert locks.held == {journal_path(tmp_path, NOTE)}

    writer.leave()
    writer.follow(STATES[1])
    begin(writer, tmp_path, at_once=True)
    writer.saved()  # before it could be written again
    writer.flush()
    assert list(tmp_path.iterdir()) == []


def test_closing_writes_what_is_unsaved_and_lets_it_go(writer, locks, tmp_path):
    begin(writer, tmp_path)
    writer.add(STEPS[0])
    writer.close()
    np.testing.assert_array_equal(on_disk(tmp_path)[0], STATES[1])
    assert locks.held == set()
    assert not writer.flush(), "nobody waits for a thread that has ended"


def test_a_file_is_deleted_once_another_holds_its_labels(writer, tmp_path):
    old = tmp_path / "old.journal"
    old.write_bytes(b"x")
    (tmp_path / "file").write_text("x")
    begin(writer, tmp_path / "file" / "no")
    writer.add(STEPS[0])
    writer.replaces(old)
    writer.flush()
    assert old.exists()
    begin(writer, tmp_path / "new", at_once=True)
    writer.flush()
    assert not old.exists()
    np.testing.assert_array_equal(on_disk(tmp_path / "new")[0], STATES[1])


def test_a_journal_that_has_grown_starts_again_from_newer_labels(writer, tmp_path, monkeypatch):
    monkeypatch.setattr(journal_writer, "SPARE_BYTES", 0)
    begin(writer, tmp_path)
    sizes = []
    for number in range(40):
        writer.add(STEPS[number % 2])
        writer.flush()
        sizes.append(size(tmp_path))
    limit = (journal_writer.GROWTH + 1) * sizes[0]
    assert max(sizes) < limit
    assert any(later < earlier for earlier, later in itertools.pairwise(sizes))
    labels, number = on_disk(tmp_path)
    assert number == 40
    expected = STATES[0].reshape(-1).copy()
    for n in range(40):
        expected[STEPS[n % 2].indices] = STEPS[n % 2].after
    np.testing.assert_array_equal(labels.reshape(-1), expected)


def test_where_the_best_place_cannot_be_written_the_next_is_taken(writer, told, tmp_path):
    (tmp_path / "file").write_text("x")
    begin(writer, tmp_path / "file" / "no", tmp_path / "home")
    writer.add(STEPS[0])
    writer.flush()
    np.testing.assert_array_equal(on_disk(tmp_path / "home")[0], STATES[1])
    assert told == [""]


def test_no_place_is_said_and_tried_again(writer, told, tmp_path, monkeypatch):
    monkeypatch.setattr(journal_writer, "RETRY_SECONDS", 0.1)
    blocked = tmp_path / "file"
    blocked.write_text("x")
    begin(writer, blocked)
    writer.add(STEPS[0])
    writer.flush()
    assert told[-1].startswith(f"{blocked} cannot be written")
    writer.add(STEPS[1])
    blocked.unlink()
    deadline = time.monotonic() + 5
    while told[-1]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    np.testing.assert_array_equal(on_disk(blocked)[0], STATES[2])


def test_a_full_disk_loses_nothing_that_was_on_it(writer, told, tmp_path, monkeypatch):
    begin(writer, tmp_path)
    writer.add(STEPS[0])
    writer.flush()

    def half_written(self, records):
        with journal_path(tmp_path, NOTE).open("ab") as file:
            file.write(records[: len(records) // 2])
        raise OSError(28, "No space left on device")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal_writer._OpenJournal, "add", half_written)
        patch.setattr("tempfile.mkstemp", full)
        writer.add(STEPS[1])
        writer.flush()
        assert "No space left" in told[-1]
        np.testing.assert_array_equal(on_disk(tmp_path)[0], STATES[1])
    writer.add(STEPS[2])
    writer.flush()
    assert told[-1] == ""
    np.testing.assert_array_equal(on_disk(tmp_path)[0], STATES[3])


def test_a_folder_that_somebody_deleted_is_made_again(writer, tmp_path):
    begin(writer, tmp_path / "case")
    writer.add(STEPS[0])
    writer.flush()
    journal_path(tmp_path / "case", NOTE).unlink()
    (tmp_path / "case").rmdir()
    writer.add(STEPS[1])
    writer.flush()
    np.testing.assert_array_equal(on_disk(tmp_path / "case")[0], STATES[2])


def test_another_place_takes_over_and_the_old_file_goes(writer, tmp_path):
    begin(writer, tmp_path / "a")
    writer.add(STEPS[0])
    writer.flush()
    begin(writer, tmp_path / "b", at_once=True)
    writer.flush()
    assert list((tmp_path / "a").iterdir()) == []
    np.testing.assert_array_equal(on_disk(tmp_path / "b")[0], STATES[1])


def test_labels_in_another_order_of_memory_are_followed(told, tmp_path):
    writer = JournalWriter(NoLocks(), told.append)
    writer.follow(np.asfortranarray(STATES[0]))
    begin(writer, tmp_path)
    writer.add(STEPS[0])
    writer.close()
    np.testing.assert_array_equal(on_disk(tmp_path)[0], STATES[1])


# What a person does, without a window: strokes of a few thousand voxels in a volume, each as fast as a hand could, now
# and then a model run over all of it, an undo, and labels that are saved. The log has the number, the time and the
# digest of each state before it exists, and is written past every buffer.
PAINTING = """
import hashlib, os, sys, time
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[3])
from journals import NOTE, NoLocks
from dataclasses import replace
from napari_brainseg.annotation import journal_writer
from napari_brainseg.annotation.edits import EditHistory
from napari_brainseg.annotation.editing import LabelEditor
from napari_brainseg.cases.labels import BRATS2017

folder, log = Path(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
journal_writer.SPARE_BYTES = 0
shape, rng = (40, 96, 96), np.random.default_rng(int(sys.argv[4]))
data = np.zeros(shape, np.uint8)
editor, history = LabelEditor(data, BRATS2017), EditHistory()
writer = journal_writer.JournalWriter(NoLocks(), lambda sentence: None)
writer.follow(data)
writer.begin(replace(NOTE, shape=shape), lambda: [folder], at_once=False)
number = 0
while True:
    kind = rng.integers(20)
    if kind == 0:
        data[:] = rng.integers(0, 4, shape)
        edit = editor.absorb(data, "model run").edit
    elif kind == 1 and history.next_undo is not None:
        edit = history.undo()
        editor.write(data, edit)
    else:
        z, y, x = rng.integers(0, 36), rng.integers(0, 80), rng.integers(0, 80)
        data[z:z + 3, y:y + 16, x:x + 16] = rng.integers(1, 4)
        edit = editor.absorb(data, "brush").edit
    if edit is None:
        continue
    if kind != 1:
        history.push(edit)
    number += 1
    digest = hashlib.sha256(data.tobytes()).hexdigest()
    os.write(log, f"{number} {time.time():.4f} {digest}\\n".encode())
    writer.add(edit)
    time.sleep(rng.uniform(0, 0.06))
"""


def test_after_a_kill_at_any_moment_a_state_of_at_most_two_seconds_before_is_there(tmp_path):
    """Twenty processes are really killed, each at a random moment."""
    kills = [_Kill(tmp_path / str(n), n) for n in range(20)]
    for group in range(0, len(kills), 4):
        running = kills[group : group + 4]
        for kill in running:
            kill.start()
        for kill in sorted(running, key=lambda kill: kill.seconds):
            kill.end()
        for kill in running:
            kill.check()


class _Kill:
    """One process that paints, and is killed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seconds = random.uniform(0.0, 3.5)
        self._folder, self._log, self._seed = folder / "journal", folder / "log.txt", seed

    def start(self) -> None:
        self._log.parent.mkdir()
        arguments = [self._folder, self._log, Path(__file__).parent.parent, self._seed]
        self._process = subprocess.Popen([sys.executable, "-c", PAINTING, *map(str, arguments)])

    def end(self) -> None:
        """Kill it so many seconds after its first stroke."""
        deadline = time.monotonic() + 60
        while not self._log.exists() or not self._log.stat().st_size:
            assert self._process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        began = float(self._log.read_text().split()[1])
        time.sleep(max(0.0, began + self.seconds - time.time()))
        self._process.kill()
        self._process.wait()
        self._killed = time.time()

    def check(self) -> None:
        states = {}
        for line in self._log.read_text().splitlines():
            number, at, digest = line.split()
            states[int(number)] = float(at), digest
        # What was finished two seconds before the kill must be there.
        due = max((number for number, (at, _) in states.items() if at < self._killed - 2), default=0)
        journals, damaged = list_journals([self._folder])
        assert damaged == []
        if not journals:
            assert due == 0
            return
        [journal] = journals
        number = journal.moment.number
        assert due <= number <= max(states)
        assert hashlib.sha256(journal.load().tobytes()).hexdigest() == states[number][1]


def test_the_file_goes_through_to_the_disk(writer, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    begin(writer, tmp_path)
    writer.add(STEPS[0])
    writer.flush()
    writer.add(STEPS[1])
    writer.flush()
    assert synced[1] == size(tmp_path) > synced[0] > 0
