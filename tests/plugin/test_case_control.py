import nibabel as nib
import numpy as np
import pytest
import tifffile
from case_files import CASE_ID, CASE_SHAPE, write_case
from nifti_files import save

from napari_brainseg.cases.labels import BRATS2023
from napari_brainseg.cases.sample_files import lgg_sample
from napari_brainseg.plugin.layers import TARGET_KEY, Role
from napari_brainseg.plugin.widgets.channel_form import NONE_TEXT
from napari_brainseg.plugin.widgets.style import PANEL_WIDTH


def _open(workbench, qtbot, *paths):
    workbench.open_paths(list(paths))
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)


def test_files_whose_channel_the_names_do_not_tell_are_asked_for(workbench, tmp_path, qtbot):
    for name in ("first", "second"):
        save(tmp_path / "case" / f"{name}.nii.gz", np.ones(CASE_SHAPE, np.int16))
    workbench.open_paths([tmp_path / "case"])
    form = workbench.case_panel.channel_form
    qtbot.waitUntil(lambda: bool(form.boxes), timeout=20_000)
    assert not form.isHidden()
    assert workbench.case is None
    assert "Choose below" in workbench.case_panel.error.text()

    for channel, name in (("flair", "second"), ("t1", "first")):
        box = form.boxes[channel]
        box.setCurrentIndex(box.findText(f"{name}.nii.gz"))
    form.apply_button.click()
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)
    assert workbench.case.paths["flair"][0].name == "second.nii.gz"
    assert workbench.case.missing == ("t1ce", "t2")
    assert "t2\u00a0–\u00a0(missing)" in workbench.case_panel.details.channels_label.text()


def test_a_channel_on_another_grid_waits_for_the_button(workbench, tmp_path, qtbot):
    folder = write_case(tmp_path)
    save(folder / f"{CASE_ID}_t1.nii.gz", np.ones((5, 20, 18), np.int16))
    _open(workbench, qtbot, folder)
    assert "t1" not in [layer.name for layer in workbench.viewer.layers]
    assert "another grid" in workbench.case_panel.details.notes.text()

    workbench.case_panel.off_grid.buttons["t1"].click()
    qtbot.waitUntil(lambda: "t1" in workbench.case.channels, timeout=20_000)
    assert workbench.viewer.layers["t1"].data.shape == CASE_SHAPE
    assert workbench.case_panel.off_grid.isHidden()


def test_the_spacing_of_tifs_can_be_entered_and_nothing_is_invented_before(workbench, qtbot):
    _open(workbench, qtbot, lgg_sample())
    workbench.segment_control.start_from(workbench.segment_panel.start_box.itemData(0))
    assert {str(unit) for layer in workbench.viewer.layers for unit in layer.units} == {"pixel"}
    row = workbench.case_panel.spacing_row
    assert not row.isHidden()
    assert not row.set_button.isEnabled()

    for box, value in zip(row.boxes, (5.0, 0.9, 0.8), strict=True):
        box.setValue(value)
    row.set_button.click()
    qtbot.waitUntil(lambda: workbench.case.geometry.spacing is not None, timeout=20_000)
    assert {tuple(layer.scale) for layer in workbench.viewer.layers} == {(5.0, 0.9, 0.8)}
    assert {str(unit) for layer in workbench.viewer.layers for unit in layer.units} == {"millimeter"}
    assert workbench.bridge.spacing == (5.0, 0.9, 0.8)
    saved = [layer.metadata[TARGET_KEY] for layer in workbench.layers.ours(Role.WORKING, Role.REFERENCE)]
    assert [target.geometry.spacing for target in saved] == [(5.0, 0.9, 0.8)] * 2


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_entering_a_spacing_keeps_the_slice_and_what_is_seen_of_it(workbench, qtbot, order):
    _open(workbench, qtbot, lgg_sample())
    viewer, row = workbench.viewer, workbench.case_panel.spacing_row
    viewer.dims.order = order
    viewer.dims.set_current_step(order[0], 3)
    workbench.segment_control.start_from(workbench.segment_panel.start_box.itemData(0))
    layer = viewer.layers["flair"]
    viewer.scene.camera.center = (0.0, 2.0, 10.0)
    zoom = viewer.scene.camera.zoom

    for spacing in ((5.0, 0.9, 0.8), (0.5, 0.45, 0.4)):
        row.spacing_entered.emit(spacing)
        qtbot.waitUntil(lambda spacing=spacing: workbench.case.geometry.spacing == spacing, timeout=20_000)
        assert viewer.dims.current_step[order[0]] == 3
        shown = np.take(layer.data, 3, axis=order[0])
        np.testing.assert_array_equal(np.asarray(layer._slice.image.raw), shown)
        centre = np.array(viewer.scene.camera.center)[1:] / np.array(spacing)[list(order[1:])]
        assert centre == pytest.approx((2.0, 10.0))
        assert viewer.scene.camera.zoom * spacing[order[2]] == pytest.approx(zoom)
        assert not row.isHidden(), "a typo can be corrected"
        assert [box.value() for box in row.boxes] == list(spacing)


def test_labels_are_read_by_another_scheme_on_request(workbench, tmp_path, qtbot):
    folder = write_case(tmp_path, labels=False)
    labels = np.zeros(CASE_SHAPE, np.uint8)
    labels[3, 5:9, 5:9] = 2
    save(folder / f"{CASE_ID}_seg.nii.gz", labels)
    _open(workbench, qtbot, folder)
    box = workbench.case_panel.details.scheme_box
    workbench.case_panel.scheme_chosen.emit("brats2023")
    qtbot.waitUntil(lambda: workbench.case.labels.scheme == BRATS2023, timeout=20_000)
    assert box.currentData() == "brats2023"
    assert len(workbench.layers.ours(Role.REFERENCE)) == 1


def test_a_scheme_that_does_not_fit_is_said_and_the_drop_down_goes_back(opened, qtbot):
    box = opened.case_panel.details.scheme_box
    box.setCurrentIndex(box.findData("lgg"))
    opened.case_panel.scheme_chosen.emit("lgg")
    qtbot.waitUntil(lambda: bool(opened.case_panel.error.text()), timeout=20_000)

    assert "4" in opened.case_panel.error.text()
    assert box.currentData() == "brats2017"


def test_labels_can_be_attached_and_started_from_a_file(workbench, tmp_path, qtbot):
    _open(workbench, qtbot, write_case(tmp_path, labels=False))
    labels = np.zeros(CASE_SHAPE, np.uint8)
    labels[3, 5:9, 5:9] = 4
    path = save(tmp_path / "elsewhere" / "mine.nii.gz", labels)

    workbench.segment_control.attach_requested.emit(path)
    qtbot.waitUntil(lambda: workbench.bridge.layer is not None, timeout=20_000)
    assert np.count_nonzero(workbench.bridge.labels == 3) == 16
    assert not workbench.layers.ours(Role.REFERENCE)

    workbench.case_control.attach(path)
    qtbot.waitUntil(lambda: len(workbench.layers.ours(Role.REFERENCE)) == 1, timeout=20_000)


def test_labels_on_another_grid_are_refused_in_a_sentence(opened, tmp_path, qtbot):
    path = save(tmp_path / "small.nii.gz", np.zeros((3, 4, 5), np.uint8))
    opened.case_control.attach(path)
    qtbot.waitUntil(lambda: bool(opened.case_panel.error.text()), timeout=20_000)

    assert "small.nii.gz" in opened.case_panel.error.text()
    assert opened.case.labels.path.name == f"{CASE_ID}_seg.nii.gz"


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_bad_files_are_one_sentence_and_the_open_case_stays(opened, tmp_path, qtbot, content):
    case = opened.case
    bad = tmp_path / "bad_flair.nii.gz"
    bad.write_bytes(content)
    opened.open_paths([bad])
    qtbot.waitUntil(lambda: bool(opened.case_panel.error.text()), timeout=20_000)

    assert "bad_flair.nii.gz" in opened.case_panel.error.text()
    assert opened.case is case
    assert opened.case_panel.busy.isHidden()


def test_labels_of_no_usual_scheme_leave_the_case_open_and_ask_for_theirs(workbench, tmp_path, qtbot):
    folder = write_case(tmp_path, labels=False)
    labels = np.zeros(CASE_SHAPE, np.uint8)
    labels[3, 5:9, 5:9] = 200
    save(folder / f"{CASE_ID}_seg.nii.gz", labels)
    _open(workbench, qtbot, folder)
    details = workbench.case_panel.details
    assert details.scheme_box.isHidden()
    assert "the label values 200" in details.notes.text()

    save(folder / f"{CASE_ID}_seg.nii.gz", np.where(labels == 200, 255, 0).astype(np.uint8))
    workbench.open_paths([folder])
    qtbot.waitUntil(lambda: bool(workbench.case.label_choices), timeout=20_000)
    assert not details.scheme_box.isHidden()
    assert (details.scheme_box.currentIndex(), details.scheme_box.itemData(0)) == (-1, "lgg")
    details.scheme_box.activated.emit(0)
    qtbot.waitUntil(lambda: workbench.case.labels is not None, timeout=20_000)
    assert details.scheme_box.currentData() == "lgg"
    assert len(workbench.layers.ours(Role.REFERENCE)) == 1


def _shown(workbench):
    boxes = workbench.case_panel.channel_form.boxes
    return {channel: box.currentText() for channel, box in boxes.items() if box.currentData() is not None}


def _choose(workbench, qtbot, chosen):
    boxes = workbench.case_panel.channel_form.boxes
    for channel, text in chosen.items():
        boxes[channel].setCurrentIndex(boxes[channel].findText(text))
    former = workbench.case
    workbench.case_panel.channel_form.apply_button.click()
    qtbot.waitUntil(lambda: workbench.case is not former, timeout=20_000)


def test_the_form_shows_the_volumes_that_were_really_read(workbench, tmp_path, qtbot):
    volumes = np.stack([np.full(CASE_SHAPE[::-1], 100 * t + 1, np.int16) for t in range(4)], axis=-1)
    volumes[0, 0] = 0
    nib.Nifti1Image(volumes, np.eye(4)).to_filename(tmp_path / "four.nii")
    _open(workbench, qtbot, tmp_path / "four.nii")
    assert list(_shown(workbench).values()) == ["volume 1", "volume 2", "volume 3", "volume 4"]
    chosen = {"flair": "volume 2", "t1": "volume 1", "t1ce": NONE_TEXT, "t2": "volume 4"}
    _choose(workbench, qtbot, chosen)
    assert int(workbench.case.channels["flair"].data.max()) == 101
    assert _shown(workbench) == {"flair": "volume 2", "t1": "volume 1", "t2": "volume 4"}


def test_the_form_shows_the_order_of_the_colours_that_copies_told(workbench, tmp_path, qtbot):
    for number in (1, 2):
        plane = np.random.default_rng(number).integers(0, 255, (20, 24, 3), np.uint8)
        plane[..., 2] = plane[..., 0]
        tifffile.imwrite(tmp_path / f"P_{number}.tif", plane)
    _open(workbench, qtbot, tmp_path)
    assert _shown(workbench) == {"flair": "colour 1", "pre": "colour 2"}


def test_other_channels_keep_the_spacing_and_the_labels(workbench, tmp_path, qtbot):
    for number in (1, 2):
        plane = np.random.default_rng(number).integers(0, 255, (20, 24, 3), np.uint8)
        (tmp_path / "P").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "P" / f"P_{number}.tif", plane)
    _open(workbench, qtbot, tmp_path / "P")
    workbench.case_panel.spacing_row.spacing_entered.emit((5.0, 0.9, 0.8))
    qtbot.waitUntil(lambda: workbench.case.geometry.spacing is not None, timeout=20_000)
    mask = np.zeros((20, 24), np.uint8)
    mask[3, 4] = 255
    tifffile.imwrite(tmp_path / "P_2_mask.tif", mask)
    workbench.case_control.attach(tmp_path / "P_2_mask.tif")
    qtbot.waitUntil(lambda: workbench.case.labels is not None, timeout=20_000)

    flair = workbench.case.channels["flair"].data
    _choose(workbench, qtbot, {"flair": "colour 1", "pre": "colour 2"})
    np.testing.assert_array_equal(workbench.case.channels["pre"].data, flair)
    assert workbench.case.geometry.spacing == (5.0, 0.9, 0.8)
    assert workbench.case.labels.volume.geometry.spacing == (5.0, 0.9, 0.8)
    np.testing.assert_array_equal(np.argwhere(workbench.case.labels.volume.data), [[1, 3, 4]])
    assert [box.value() for box in workbench.case_panel.spacing_row.boxes] == [5.0, 0.9, 0.8]


def test_no_row_is_wider_than_the_column_because_wrapped_texts_would_be_cut(opened):
    scroll_bar = 10
    opened.grab()  # applies the style
    assert opened.folds["Case"].minimumSizeHint().width() <= PANEL_WIDTH - scroll_bar
