import numpy as np
import pytest

from napari_brainseg.annotation.edits import Edit
from napari_brainseg.annotation.person_changes import changed_by_person, is_by_program

SHAPE = (1, 2, 5)


def edit(source, *indices):
    values = np.zeros(len(indices), np.uint8)
    return Edit(np.array(indices), values, values + 1, source, SHAPE)


@pytest.mark.parametrize(
    ("source", "program"),
    [("brush", False), ("undo of brush", False), ("model run lgg 1", True), ("redo of start from x", True)],
)
def test_a_source_says_who_made_a_change(source, program):
    assert is_by_program(source) is program


def test_who_changed_a_voxel_last_counts():
    steps = [edit("brush", 1, 2, 3), edit("model run lgg 1", 2, 3, 4), edit("fill", 3)]

    mask = changed_by_person(steps, SHAPE)

    assert np.flatnonzero(mask).tolist() == [1, 3]
    assert not changed_by_person([], SHAPE).any()
