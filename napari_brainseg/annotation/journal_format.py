"""What a journal file holds: what the labels are, the labels it starts from, and every step since then.

After a first line come records. Each is its length and its CRC-32, both unsigned 32-bit little-endian, then a JSON line
that says what it is and, compressed, its voxels: first a `note`, then a `base`, then one `step` for each whole stroke.
A record that a kill cut short does not fit its checksum, so a journal always ends after a whole step.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_brainseg.annotation import reopening
from napari_brainseg.annotation.edits import Edit, flat_indices
from napari_brainseg.cases.labels import LabelArray
from napari_brainseg.cases.reading import OpenOptions
from napari_brainseg.cases.volume import Shape, Spacing

_NAME = b"napari-brainseg journal "
_FORMAT = 1
_FIRST_LINE = _NAME + b"%d\n" % _FORMAT
_FRAME = struct.Struct("<II")
# Fast: nine million mostly equal voxels take a few hundredths of a second, and the file is small anyway.
_COMPRESSION = 1


@dataclass(frozen=True)
class JournalNote:
    """What unsaved labels are.

    Attributes:
        case_id: The case they belong to.
        layer_id: The layer that held them; one file per layer.
        name: The layer's name on screen.
        scheme_id: The scheme of their values.
        shape: (Z, Y, X).
        spacing: mm along (Z, Y, X), or None where unknown.
        case_files: The files of the case's channels, by which it can be opened again.
        options: How they are read to give the case as it was, with its reference labels.
    """

    case_id: str
    layer_id: str
    name: str
    scheme_id: str
    shape: Shape
    spacing: Spacing | None = None
    case_files: tuple[Path, ...] = ()
    options: OpenOptions = field(default_factory=OpenOptions, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return what a journal keeps."""
        return {
            "case_id": self.case_id,
            "layer_id": self.layer_id,
            "name": self.name,
            "scheme_id": self.scheme_id,
            "shape": list(self.shape),
            "spacing": None if self.spacing is None else list(self.spacing),
            "case_files": [str(path) for path in self.case_files],
            "options": reopening.to_json(self.options),
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> JournalNote:
        """Return the note in a record; raise KeyError, TypeError or ValueError where it is none."""
        depth, rows, columns = record["shape"]
        spacing = record["spacing"]
        return cls(
            case_id=str(record["case_id"]),
            layer_id=str(record["layer_id"]),
            name=str(record["name"]),
            scheme_id=str(record["scheme_id"]),
            shape=(int(depth), int(rows), int(columns)),
            spacing=None if spacing is None else (float(spacing[0]), float(spacing[1]), float(spacing[2])),
            case_files=tuple(Path(path) for path in record["case_files"]),
            options=reopening.from_json(record["options"]),
        )


@dataclass(frozen=True)
class Moment:
    """Where a journal stands.

    Attributes:
        number: How many steps the labels have seen; grows by one with each.
        at: When the last of them was finished, in seconds since 1970.
    """

    number: int
    at: float


@dataclass(frozen=True, eq=False)
class JournalContents:
    """A journal file as it was read, its voxels still compressed.

    Attributes:
        note: What the labels are.
        moment: Where they stand after the last whole step.
    """

    note: JournalNote
    moment: Moment
    _base: bytes
    _steps: tuple[bytes, ...]

    def labels(self) -> LabelArray:
        """Return the labels after the last whole step, uint8 (Z, Y, X), program values of the noted scheme.

        Raises:
            ValueError: A record holds other voxels than it says.
        """
        try:
            labels = np.frombuffer(zlib.decompress(self._base), np.uint8).reshape(self.note.shape).copy()
            flat = labels.reshape(-1)
            for body in self._steps:
                indices, after = _unpack(zlib.decompress(body), self.note.shape)
                flat[indices] = after
        except (zlib.error, IndexError) as error:
            raise ValueError(str(error)) from error
        return labels


class NewerJournalError(ValueError):
    """A journal was written by a newer version of this program."""


def encode_start(note: JournalNote, labels: LabelArray, moment: Moment) -> bytes:
    """Return the beginning of a journal: what the labels are, and uint8 labels (Z, Y, X) to start from."""
    base = zlib.compress(np.ascontiguousarray(labels, np.uint8).tobytes(), _COMPRESSION)
    return b"".join(
        (
            _FIRST_LINE,
            _record({"kind": "note", **note.to_json()}),
            _record({"kind": "base", "number": moment.number, "at": moment.at}, base),
        )
    )


def encode_step(edit: Edit, moment: Moment) -> bytes:
    """Return the record of one whole step, which brings the labels to `moment`."""
    head = {"kind": "step", "number": moment.number, "at": moment.at, "source": edit.source, "voxels": edit.voxels}
    return _record(head, zlib.compress(_pack(edit), _COMPRESSION))


def decode_journal(data: bytes) -> JournalContents:
    """Return what a journal file holds up to its last whole step.

    Raises:
        NewerJournalError: A newer version of this program wrote it.
        ValueError: It is no journal, or cut short before its first labels.
    """
    first, _, _ = data.partition(b"\n")
    if not first.startswith(_NAME) or not first.removeprefix(_NAME).isdigit():
        raise ValueError("it is no journal")
    if int(first.removeprefix(_NAME)) > _FORMAT:
        raise NewerJournalError
    records = _records(data, len(first) + 1)
    (head, _), (start, base) = _next(records, "note"), _next(records, "base")
    try:
        note, moment = JournalNote.from_json(head), Moment(int(start["number"]), float(start["at"]))
        steps = []
        for step, body in records:
            if step["kind"] != "step" or step["number"] != moment.number + 1:
                break
            moment = Moment(int(step["number"]), float(step["at"]))
            steps.append(body)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"a record lacks {error}") from error
    return JournalContents(note, moment, base, tuple(steps))


def _record(head: dict[str, Any], body: bytes = b"") -> bytes:
    payload = json.dumps(head).encode() + b"\n" + body
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _records(data: bytes, start: int) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the whole records from `start` on, and stop at the first that is none."""
    while start + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, start)
        payload = data[start + _FRAME.size : start + _FRAME.size + length]
        # A piece of a file that the system had no time to write is zeros, whose checksum is right.
        if not length or len(payload) < length or zlib.crc32(payload) != checksum:
            return
        line, _, body = payload.partition(b"\n")
        head = json.loads(line)
        if not isinstance(head, dict):
            return
        yield head, body
        start += _FRAME.size + length


def _next(records: Iterator[tuple[dict[str, Any], bytes]], kind: str) -> tuple[dict[str, Any], bytes]:
    record = next(records, None)
    if record is None or record[0].get("kind") != kind:
        raise ValueError(f"its {kind} is cut short or damaged")
    return record


def _pack(edit: Edit) -> bytes:
    """Return ascending positions as differences, which are small and compress well, then the values."""
    indices, after = edit.indices, edit.after
    if (indices[1:] < indices[:-1]).any():
        order = np.argsort(indices)
        indices, after = indices[order], after[order]
    steps = np.diff(indices.astype(np.int64), prepend=np.int64(0))
    return steps.astype(_position_type(edit.shape)).tobytes() + after.tobytes()


def _unpack(raw: bytes, shape: Shape) -> tuple[NDArray[np.int64], LabelArray]:
    position = _position_type(shape)
    count = len(raw) // (position.itemsize + 1)
    split = count * position.itemsize
    return np.cumsum(np.frombuffer(raw[:split], position), dtype=np.int64), np.frombuffer(raw[split:], np.uint8)


def _position_type(shape: Shape) -> np.dtype[Any]:
    return np.dtype(flat_indices(np.empty(0, np.int64), shape).dtype).newbyteorder("<")
