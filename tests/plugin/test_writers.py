"""napari's File > Save for a labels layer of a case."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nifti_files import ORIENTATIONS, SHAPE, labels, lps_affine, picture, stored

from napari_brainseg.base.errors import LabelError, OutputError
from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import BRATS2023
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.plugin.layers import LayerIdentity, Role, case_layers, labels_layer
from napari_brainseg.plugin.writers import write_labels_layer


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case that is stored turned about."""
    axes, flips = ORIENTATIONS[29]
    (tmp_path / "c").mkdir()
    stored(picture(), lps_affine(), axes, flips).to_filename(tmp_path / "c" / "c_flair.nii.gz")
    stored(labels(), lps_affine(), axes, flips).to_filename(tmp_path / "c" / "c_seg.nii.gz")
    return read_case(tmp_path / "c")


def working(case: Case) -> tuple[np.ndarray, dict[str, object]]:
    """A working layer of the case in the 2023 scheme, with one voxel of the enhancing tumour."""
    values = np.zeros(SHAPE, np.uint8)
    values[1, 2, 3] = 3
    identity = LayerIdentity(case.id, Role.WORKING, "segmentation", scheme_id=BRATS2023.id)
    data, attributes, _ = labels_layer(
        values, BRATS2023, case.geometry.spacing, identity, target=Segmentation.empty(case)
    )
    return data, attributes


def test_a_layer_is_written_on_its_source_grid_in_its_source_values(case: Case, tmp_path: Path) -> None:
    data, attributes = working(case)
    (written,) = write_labels_layer(str(tmp_path / "new"), data, attributes)
    assert written == str(tmp_path / "new.nii.gz")
    back, source = nib.load(written), nib.load(tmp_path / "c" / "c_seg.nii.gz")
    assert back.affine.tobytes() == source.affine.tobytes()
    axes, flips = ORIENTATIONS[29]
    expected = stored(np.where(data == 3, 4, 0).astype(np.uint8), lps_affine(), axes, flips)
    np.testing.assert_array_equal(np.asarray(back.dataobj), np.asarray(expected.dataobj))


def test_the_reference_can_be_saved_elsewhere_but_never_over_itself(case: Case, tmp_path: Path) -> None:
    data, attributes, _ = case_layers(case)[-1]
    (written,) = write_labels_layer(str(tmp_path / "copy.nii"), data, attributes)
    source = nib.load(tmp_path / "c" / "c_seg.nii.gz")
    np.testing.assert_array_equal(np.asarray(nib.load(written).dataobj), np.asarray(source.dataobj))
    with pytest.raises(OutputError, match="never written"):
        write_labels_layer(str(tmp_path / "c" / "c_seg.nii.gz"), data, attributes)


def test_a_name_that_was_not_typed_replaces_nothing(case: Case, tmp_path: Path) -> None:
    data, attributes = working(case)
    write_labels_layer(str(tmp_path / "new.nii.gz"), data, attributes)
    with pytest.raises(OutputError, match="exists"):
        write_labels_layer(str(tmp_path / "new"), data, attributes)
    write_labels_layer(str(tmp_path / "new.nii.gz"), data, attributes)  # the dialog has asked


def test_layers_of_no_case_and_foreign_values_are_refused(case: Case, tmp_path: Path) -> None:
    data, attributes = working(case)
    with pytest.raises(OutputError, match="mine is not known to belong to a case"):
        write_labels_layer(str(tmp_path / "a.nii"), data, {"name": "mine", "metadata": {}})
    with pytest.raises(OutputError, match="another shape than c"):
        write_labels_layer(str(tmp_path / "a.nii"), data[:2], attributes)
    foreign = data.astype(np.int64)
    foreign[2, 0, 0] = 259  # 3, were it to wrap
    with pytest.raises(LabelError, match="Slice 2 holds the value 255"):
        write_labels_layer(str(tmp_path / "a.nii"), foreign, attributes)
    assert not (tmp_path / "a.nii").exists()


def test_napari_saves_a_layer_through_this_writer(make_napari_viewer, case: Case, tmp_path: Path) -> None:
    viewer = make_napari_viewer()
    data, attributes = working(case)
    layer = viewer.add_labels(data, **attributes)
    layer.name = "renamed"
    assert layer.save(str(tmp_path / "saved.nii.gz")) == [str(tmp_path / "saved.nii.gz")]
    assert int(np.asarray(nib.load(tmp_path / "saved.nii.gz").dataobj).max()) == 4
