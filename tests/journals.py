"""Small journals, for tests of what keeps and restores unsaved work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_brainseg.annotation.edits import Edit, flat_indices
from napari_brainseg.annotation.journal import Journal, journal_path
from napari_brainseg.annotation.journal_format import JournalNote, Moment, encode_start, encode_step
from napari_brainseg.cases.labels import LabelArray

SHAPE = (3, 4, 5)
NOTE = JournalNote(
    case_id="case 1/2",
    layer_id="0123456789abcdef",
    name="segmentation",
    scheme_id="brats2017",
    shape=SHAPE,
    spacing=(2.0, 1.0, 1.0),
    case_files=(Path("a_flair.nii.gz"), Path("a_t1.nii.gz")),
)


class NoLocks:
    """Locks of a window that is alone."""

    def hold(self, path: Path) -> None:
        """Hold nothing."""

    def release(self, path: Path) -> None:
        """Release nothing."""


def random_steps(count: int, shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> tuple[list[Edit], list[LabelArray]]:
    """Return steps of random voxels, in no order, and the labels before the first and after each of them."""
    rng = np.random.default_rng(seed)
    states, steps = [rng.integers(0, 4, shape).astype(np.uint8)], []
    for number in range(count):
        flat = states[-1].reshape(-1)
        indices = rng.permutation(flat.size)[: rng.integers(1, flat.size // 2)]
        after = (flat[indices] + rng.integers(1, 4, indices.size).astype(np.uint8)) % 4
        steps.append(Edit(flat_indices(indices, shape), flat[indices], after, f"brush {number}", shape))
        states.append(states[-1].copy())
        states[-1].reshape(-1)[indices] = after
    return steps, states


def journal_bytes(steps: list[Edit], start: LabelArray, note: JournalNote = NOTE) -> bytes:
    """Return a journal of labels and steps, the first one second after 1970 + 1000 s."""
    records = [encode_step(step, Moment(n + 1, 1001.0 + n)) for n, step in enumerate(steps)]
    return encode_start(note, start, Moment(0, 1000.0)) + b"".join(records)


def write_journal(folder: Path, steps: list[Edit], start: LabelArray, **facts: object) -> Journal:
    """Write a journal as a window that was killed leaves it."""
    note = replace(NOTE, **facts)  # type: ignore[arg-type]
    path = journal_path(folder, note)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(journal_bytes(steps, start, note))
    return Journal(path, note, Moment(len(steps), 1000.0 + len(steps)))
