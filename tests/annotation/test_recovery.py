import gzip
from pathlib import Path

import numpy as np
import pytest

from napari_brainseg.annotation.recovery import (
    RecoveryNote,
    list_recoveries,
    recovery_folder,
    recovery_path,
    write_recovery,
)
from napari_brainseg.base.errors import InputError, OutputError

NOTE = RecoveryNote(
    case_id="case 1/2",
    layer_id="0123456789abcdef",
    name="segmentation",
    scheme_id="brats2017",
    shape=(3, 4, 5),
    spacing=(2.0, 1.0, 1.0),
    case_files=(Path("a_flair.nii.gz"), Path("a_t1.nii.gz")),
)


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, 4, NOTE.shape).astype(np.uint8)


def test_labels_and_note_come_back(labels, tmp_path):
    write_recovery(labels, NOTE, tmp_path)
    (found,) = list_recoveries(tmp_path)
    np.testing.assert_array_equal(found.load(), labels)
    assert found.load().flags.writeable
    assert found.note.saved_at is not None
    assert (found.note.case_id, found.note.scheme_id, found.note.shape, found.note.spacing, found.note.case_files) == (
        NOTE.case_id,
        NOTE.scheme_id,
        NOTE.shape,
        NOTE.spacing,
        NOTE.case_files,
    )


def test_one_file_per_layer_in_the_user_s_folder(labels, tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINSEG_HOME", str(tmp_path))
    first = write_recovery(labels, NOTE)
    second = write_recovery(labels * 0, NOTE)
    assert first.path == second.path == recovery_path(tmp_path / "recovery", NOTE)
    assert recovery_folder() == tmp_path / "recovery"
    (found,) = list_recoveries()
    assert not found.load().any()


def test_discarding_removes_the_file_once_and_for_all(labels, tmp_path):
    found = write_recovery(labels, NOTE, tmp_path)
    found.discard()
    found.discard()
    assert list_recoveries(tmp_path) == []
    with pytest.raises(InputError, match="cannot be read"):
        found.load()


def test_no_folder_means_no_recoveries(tmp_path):
    assert list_recoveries(tmp_path / "none") == []


def test_damaged_files_are_left_out_and_left_alone(labels, tmp_path):
    found = write_recovery(labels, NOTE, tmp_path)
    broken = tmp_path / "broken-1.recovery.gz"
    broken.write_bytes(found.path.read_bytes()[:20])
    (tmp_path / "empty-1.recovery.gz").write_bytes(b"")
    with gzip.open(tmp_path / "other-1.recovery.gz", "wb") as file:
        file.write(b'{"some": "thing"}\n')
    assert [r.path for r in list_recoveries(tmp_path)] == [found.path]
    assert broken.exists()


def test_a_file_cut_short_is_refused_when_it_is_loaded(labels, tmp_path):
    found = write_recovery(np.random.default_rng(1).integers(0, 255, NOTE.shape).astype(np.uint8), NOTE, tmp_path)
    found.path.write_bytes(found.path.read_bytes()[:-12])
    with pytest.raises(InputError, match="cannot be read"):
        found.load()


def test_a_folder_that_cannot_be_written_is_an_error_in_words(labels, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        write_recovery(labels, NOTE, tmp_path / "file" / "recovery")


def test_the_older_file_stays_when_writing_fails(labels, tmp_path, monkeypatch):
    found = write_recovery(labels, NOTE, tmp_path)

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_recovery(labels * 0, NOTE, tmp_path)
    np.testing.assert_array_equal(found.load(), labels)
    assert [p.name for p in tmp_path.iterdir()] == [found.path.name]
