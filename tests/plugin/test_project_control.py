import nibabel as nib
import numpy as np
import pytest

from napari_brainseg.annotation.corrections import ConfirmedSlice, Correction, mask_of
from napari_brainseg.annotation.project import Project
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.reading import read_case
from napari_brainseg.plugin.widgets.place_row import PlaceRow
from napari_brainseg.plugin.widgets.project_control import ProjectControl

SHAPE = (4, 5, 6)
SLICES = (ConfirmedSlice(0, 2),)


@pytest.fixture
def case(tmp_path):
    image = nib.Nifti1Image(np.arange(120, dtype=np.int16).reshape(6, 5, 4) + 1, np.diag([-1.0, -1.0, 1.0, 1.0]))
    (tmp_path / "a").mkdir()
    nib.save(image, tmp_path / "a" / "a_flair.nii.gz")
    return read_case(tmp_path / "a")


@pytest.fixture
def control(tmp_path, qtbot):
    row = PlaceRow("Project")
    qtbot.addWidget(row)
    made = ProjectControl(row)
    made.open(tmp_path / "project")
    yield made
    made.close()


def look(control, case, qtbot):
    with qtbot.waitSignal(control.kept_found, timeout=20000) as found:
        control.look_for(case)
    return found.args[1]


def correction_of(labels):
    return Correction("a", labels, mask_of(SLICES, SHAPE), BRATS2017, SLICES, model="brats 1")


def test_nothing_is_kept_of_a_new_case(control, case, qtbot):
    kept = look(control, case, qtbot)

    assert (kept.labels, kept.correction) == (None, None)


def test_what_was_confirmed_comes_back_without_saved_labels(control, case, qtbot):
    labels = np.full(SHAPE, 2, np.uint8)
    Project.open(control.project.folder).save_correction(case, correction_of(labels))

    kept = look(control, case, qtbot)

    np.testing.assert_array_equal(kept.labels, labels)
    assert (kept.scheme, kept.model) == (BRATS2017, "brats 1")
    assert kept.version.startswith("as confirmed at ")


def test_what_was_confirmed_wins_over_older_labels(control, case, qtbot):
    control.project.save_labels(case, np.ones(SHAPE, np.uint8), BRATS2017)
    control.project.save_correction(case, correction_of(np.full(SHAPE, 3, np.uint8)))

    kept = look(control, case, qtbot)

    assert (kept.labels[2] == 3).all()
    assert (np.delete(kept.labels, 2, axis=0) == 1).all()
    assert kept.correction.slices == SLICES


def test_a_correction_that_was_taken_back_is_none(control, case, qtbot):
    control.project.save_correction(case, correction_of(np.ones(SHAPE, np.uint8)))
    nothing = Correction("a", np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, bool), BRATS2017, taken_back=SLICES)
    control.project.save_correction(case, nothing)

    assert look(control, case, qtbot).correction is None
