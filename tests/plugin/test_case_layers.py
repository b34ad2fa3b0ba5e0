import numpy as np
import pytest
from case_files import CASE_ID, write_case

from napari_brainseg.plugin.layers import Role, identity_of
from napari_brainseg.plugin.readers import get_reader


def _drop(viewer, path):
    """Add what the plugin's reader gives for one file, as napari does for each file of a drop."""
    for data, attributes, kind in get_reader(str(path))(str(path)):
        getattr(viewer, f"add_{kind}")(data, **attributes)


def test_four_dropped_files_become_one_case(workbench, case_folder, qtbot):
    viewer = workbench.viewer
    for path in sorted(case_folder.glob("*.nii.gz")):
        _drop(viewer, path)
    dropped = {id(layer) for layer in viewer.layers}
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)

    assert sorted(workbench.case.channels) == ["flair", "t1", "t1ce", "t2"]
    assert [layer.name for layer in viewer.layers] == ["t2", "t1ce", "t1", "flair", "reference"]
    channels = workbench.layers.ours(Role.CHANNEL)
    assert {id(layer) for layer in channels} <= dropped
    assert [layer.name for layer in channels if layer.visible] == ["flair"]
    assert not any(layer.editable for layer in viewer.layers)


def test_a_file_dropped_later_joins_the_open_case(workbench, case_folder, qtbot):
    for channel in ("flair", "t1"):
        _drop(workbench.viewer, case_folder / f"{CASE_ID}_{channel}.nii.gz")
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)
    assert workbench.case.missing == ("t1ce", "t2")

    _drop(workbench.viewer, case_folder / f"{CASE_ID}_t2.nii.gz")
    qtbot.waitUntil(lambda: workbench.case.missing == ("t1ce",), timeout=20_000)
    assert len(workbench.layers.ours(Role.CHANNEL)) == 3


def test_layers_that_were_there_before_the_dock_are_taken(make_napari_viewer, case_folder, own_home, qtbot):
    from napari_brainseg.plugin.widgets.workbench import Workbench

    viewer = make_napari_viewer()
    _drop(viewer, case_folder)
    workbench = Workbench(viewer)
    viewer.window.add_dock_widget(workbench, name="Brain segmentation", area="right")
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)

    assert len(viewer.layers) == 5
    workbench.close_down()


def test_a_duplicate_becomes_a_version_of_its_own(opened):
    viewer = opened.viewer
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    working = opened.bridge.layer
    data, attributes, kind = working.as_layer_data_tuple()
    copy = viewer.add_labels(data.copy(), **{**attributes, "name": "a copy"})

    mine, other = identity_of(working), identity_of(copy)
    assert kind == "labels"
    assert other.layer_id != mine.layer_id
    assert (other.role, mine.role) == (Role.LABELS, Role.WORKING)
    assert opened.bridge.layer is working
    words = [opened.segment_panel.start_box.itemText(n) for n in range(opened.segment_panel.start_box.count())]
    assert "layer a copy" in words


def test_a_renamed_layer_stays_what_it_is(opened):
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    opened.bridge.layer.name = "mine"
    opened.viewer.layers["flair"].name = "something"

    assert [layer.name for layer in opened.layers.ours(Role.WORKING)] == ["mine"]
    assert opened.folds["Correct"].summary.full_text.removeprefix("working on: ").startswith("mine")
    opened.press("CSV")


def test_deleting_the_working_layer_leaves_a_form_that_works(opened):
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    opened.viewer.layers.remove(opened.bridge.layer)

    assert opened.bridge.layer is None
    assert not opened.export_panel.labels_button.isEnabled()
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    assert opened.bridge.layer is not None


def test_a_foreign_labels_layer_on_the_grid_can_be_started_from(opened):
    data = np.zeros(opened.case.geometry.shape, np.int32)
    data[2, 5:9, 5:9] = 4
    opened.viewer.add_labels(data, name="from elsewhere", scale=opened.case.geometry.spacing)
    box = opened.segment_panel.start_box
    index = next(n for n in range(box.count()) if box.itemText(n) == "layer from elsewhere")

    opened.segment_control.start_from(box.itemData(index))

    assert (opened.bridge.layer.data == np.where(data == 4, 3, 0)).all()


@pytest.mark.parametrize("value", [7, 200])
def test_foreign_values_are_refused_in_a_sentence(opened, value):
    data = np.full(opened.case.geometry.shape, value, np.int32)
    layer = opened.viewer.add_labels(data, name="odd", scale=opened.case.geometry.spacing)
    box = opened.segment_panel.start_box
    index = next(n for n in range(box.count()) if box.itemText(n) == "layer odd")
    opened.segment_control.start_from(box.itemData(index))

    assert str(value) in opened.segment_panel.error.text()
    assert opened.bridge.layer is None
    assert layer in opened.viewer.layers


def test_another_case_by_drop_replaces_the_open_one(opened, tmp_path, qtbot):
    other = write_case(tmp_path / "more", "Brats18_Test_2_1", labels=False)
    for path in sorted(other.glob("*.nii.gz")):
        _drop(opened.viewer, path)
    qtbot.waitUntil(lambda: opened.case.id == "Brats18_Test_2_1", timeout=20_000)

    assert {identity_of(layer).case_id for layer in opened.viewer.layers} == {"Brats18_Test_2_1"}


def test_labels_of_one_patient_never_lie_over_another_with_the_same_case_id(opened, tmp_path, qtbot):
    other, first = write_case(tmp_path / "other patient"), opened.case
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    working = opened.bridge.layer
    working.paint((2, 10, 10), 1)

    opened.open_paths([other])
    qtbot.waitUntil(lambda: opened.case is not first, timeout=20_000)

    assert opened.case.id == first.id
    assert working not in opened.viewer.layers
    assert opened.bridge.layer is None or opened.bridge.layer is not working
