"""Which changes of the labels were made by a person, and which by a program."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_brainseg.annotation.corrections import Mask
from napari_brainseg.annotation.edits import Edit
from napari_brainseg.cases.volume import Shape

# How the sources of a program's edits begin: they make no truth and count as no changes by a person.
PROGRAM = ("model run", "start from")


def is_by_program(source: str) -> bool:
    """Whether an edit of this source gave the labels of a program, be it that a person undid or redid it."""
    return any(words in source for words in PROGRAM)


def changed_by_person(steps: Iterable[Edit], shape: Shape) -> Mask:
    """Return the voxels, bool (Z, Y, X), that a person was the last to change.

    Args:
        steps: What was done and not undone, the oldest first.
        shape: (Z, Y, X) of the labels.
    """
    mask = np.zeros(shape, bool)
    flat = mask.reshape(-1)
    for step in steps:
        flat[step.indices] = not is_by_program(step.source)
    return mask
