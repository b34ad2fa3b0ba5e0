"""From a file in any orientation to the screen, and from a brush stroke on the screen back to the place in the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from nifti_files import ORIENTATIONS, lps_affine, picture, stored
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_brainseg.cases.case import Case
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.reading import read_case
from napari_brainseg.cases.segmentation import Segmentation
from napari_brainseg.cases.writing import write_labels
from napari_brainseg.plugin.layers import LayerIdentity, Role, case_layers, labels_layer
from napari_brainseg.plugin.widgets.canvas import canvas_widget
from napari_brainseg.plugin.widgets.display import Display

AXIAL, CORONAL, SAGITTAL = (0, 1, 2), (1, 0, 2), (2, 0, 1)


def _read(folder: Path, array: Any, degrees: float, axes: tuple[int, ...], flips: tuple[bool, ...]) -> Case:
    folder.mkdir()
    stored(array, lps_affine(degrees), axes, flips).to_filename(folder / "case_flair.nii.gz")
    return read_case(folder)


def _show(viewer: Any, case: Case) -> Any:
    viewer.layers.clear()
    for array, attributes, _ in case_layers(case):
        viewer.add_image(array, **attributes)
    identity = LayerIdentity(case.id, Role.WORKING, "segmentation")
    empty = np.zeros(case.geometry.shape, np.uint8)
    array, attributes, _ = labels_layer(empty, BRATS2017, case.geometry.spacing, identity)
    return viewer.add_labels(array, **attributes)


@pytest.mark.parametrize("degrees", [0.0, 20.0], ids=["straight", "oblique"])
def test_all_48_orientations_give_one_picture_and_one_set_of_letters(tmp_path: Path, degrees: float) -> None:
    viewer = ViewerModel()
    display = Display(viewer)
    seen = set()
    for n, (axes, flips) in enumerate(ORIENTATIONS):
        case = _read(tmp_path / str(n), picture(), degrees, axes, flips)
        (array, attributes, _), *_ = case_layers(case)
        viewer.add_image(array, **attributes)
        display.show_case(case)
        np.testing.assert_array_equal(viewer.layers["flair"].data, picture())
        for order in (AXIAL, CORONAL, SAGITTAL):
            viewer.dims.order = order
            seen.add((order, tuple(str(v) for v in viewer.scene.camera.orientation), str(display.view.letters)))
        viewer.layers.clear()
    display.close()
    assert len(seen) == 3, "one camera and one set of letters per plane"


@pytest.mark.parametrize(
    ("axes", "flips"),
    [((0, 1, 2), (True, True, False)), ((2, 0, 1), (False, True, True))],
    ids=["RAS", "mixed"],
)
def test_a_stroke_on_the_right_of_the_screen_is_at_the_patients_left_in_the_file(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, axes: tuple[int, ...], flips: tuple[bool, ...]
) -> None:
    case = _read(tmp_path / "case", picture((20, 40, 36)), 0.0, axes, flips)
    viewer = make_napari_viewer(show=True)
    layer = _show(viewer, case)
    display = Display(viewer)
    display.show_case(case)
    canvas = canvas_widget(viewer)
    layer.mode, layer.selected_label, layer.brush_size = "paint", 1, 3
    for n, order in enumerate((AXIAL, CORONAL)):
        viewer.dims.order = order
        viewer.reset_view()
        QApplication.processEvents()
        viewer.screenshot(canvas_only=True, flash=False)
        layer.data = np.zeros(case.geometry.shape, np.uint8)
        # Right of the middle, and above it: anterior in axial, superior in coronal.
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center() + QPoint(60, -40))
        assert layer.data.any()
        path = write_labels(Segmentation.for_case(case, layer.data, BRATS2017), tmp_path / f"{n}.nii.gz")
        written = nib.Nifti1Image.from_filename(path)
        middle = nib.affines.apply_affine(written.affine, (np.array(written.shape) - 1) / 2)
        painted = nib.affines.apply_affine(written.affine, np.argwhere(np.asarray(written.dataobj) == 1)).mean(axis=0)
        right, anterior, superior = painted - middle
        assert right < -1, "patient's left"
        assert (anterior if order == AXIAL else superior) > 1
    display.close()
