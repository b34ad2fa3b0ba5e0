from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from journals import NOTE, SHAPE, journal_bytes, random_steps

from napari_brainseg.annotation.edits import Edit
from napari_brainseg.annotation.journal_format import (
    JournalNote,
    Moment,
    NewerJournalError,
    decode_journal,
    encode_start,
    encode_step,
)
from napari_brainseg.cases.reading import OpenOptions


def test_the_note_and_the_labels_after_the_last_step_come_back():
    steps, states = random_steps(6)
    contents = decode_journal(journal_bytes(steps, states[0]))
    assert contents.note == NOTE
    assert contents.moment == Moment(6, 1006.0)
    np.testing.assert_array_equal(contents.labels(), states[-1])
    assert contents.labels().flags.writeable


def test_a_note_keeps_everything_that_opening_the_case_again_needs():
    options = OpenOptions(
        channels={"flair": Path("f.nii")}, scheme="msd", labels=Path("s.nii"), spacing=(1.0, 2.0, 3.0)
    )
    note = replace(NOTE, options=options, spacing=None)
    again = JournalNote.from_json(note.to_json())
    assert (again, again.options) == (note, options)


def test_wherever_a_file_ends_it_holds_a_state_that_there_was():
    steps, states = random_steps(5)
    start = journal_bytes([], states[0])
    data = journal_bytes(steps, states[0])
    ends = [len(journal_bytes(steps[:n], states[0])) for n in range(len(steps) + 1)]
    for size in range(len(data) + 1):
        if size < len(start):
            with pytest.raises(ValueError, match=r"no journal|cut short"):
                decode_journal(data[:size])
            continue
        whole = sum(end <= size for end in ends) - 1
        contents = decode_journal(data[:size])
        assert contents.moment.number == whole
        np.testing.assert_array_equal(contents.labels(), states[whole])


@pytest.mark.parametrize("seed", range(20))
def test_a_changed_byte_ends_the_journal_before_its_step(seed):
    steps, states = random_steps(5)
    start = len(journal_bytes([], states[0]))
    data = bytearray(journal_bytes(steps, states[0]))
    place = int(np.random.default_rng(seed).integers(start, len(data)))
    data[place] ^= 1 + seed
    whole = sum(len(journal_bytes(steps[:n], states[0])) <= place for n in range(1, len(steps) + 1))
    np.testing.assert_array_equal(decode_journal(bytes(data)).labels(), states[whole])


def test_what_a_crash_of_the_system_left_as_zeros_is_no_step():
    steps, states = random_steps(2)
    np.testing.assert_array_equal(decode_journal(journal_bytes(steps, states[0]) + bytes(500)).labels(), states[-1])


def test_a_step_that_does_not_follow_is_not_made():
    steps, states = random_steps(3)
    data = journal_bytes(steps[:1], states[0]) + encode_step(steps[2], Moment(3, 1003.0))
    contents = decode_journal(data)
    assert contents.moment.number == 1
    np.testing.assert_array_equal(contents.labels(), states[1])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no journal"),
        (b"\x1f\x8b something else\n", "no journal"),
        (b"napari-brainseg journal one\n", "no journal"),
        (b"napari-brainseg journal 1\n", "note is cut short"),
    ],
)
def test_what_is_no_journal_is_refused(data, why):
    with pytest.raises(ValueError, match=why):
        decode_journal(data)


def test_a_newer_journal_is_told_from_a_damaged_one():
    data = journal_bytes([], np.zeros(SHAPE, np.uint8)).replace(b"journal 1\n", b"journal 2\n", 1)
    with pytest.raises(NewerJournalError):
        decode_journal(data)


def test_labels_of_another_size_than_noted_are_refused():
    data = encode_start(NOTE, np.zeros((3, 4, 6), np.uint8), Moment(0, 0.0))
    with pytest.raises(ValueError, match="reshape"):
        decode_journal(data).labels()


def test_a_stroke_takes_little_room():
    shape = (155, 240, 240)
    rows, columns = np.mgrid[100:110, 100:110]
    indices = np.ravel_multi_index((np.full(100, 70), rows.ravel(), columns.ravel()), shape).astype(np.uint32)
    edit = Edit(indices, np.zeros(100, np.uint8), np.ones(100, np.uint8), "brush", shape)
    assert len(encode_step(edit, Moment(1, 1.7e9))) < 200
