import numpy as np
import pytest
from case_files import CASE_ID, write_case

from napari_brainseg.cases.sample_files import lgg_sample
from napari_brainseg.plugin.layers import Role, identity_of
from napari_brainseg.plugin.readers import get_reader
from napari_brainseg.plugin.widgets.split_layers import SplitBy
from napari_brainseg.plugin.widgets.working_labels import StartFrom


@pytest.fixture
def case_folder(tmp_path):
    """All four channels."""
    return write_case(tmp_path / "data")


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


def test_a_duplicated_part_of_a_split_means_what_the_part_means(opened):
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    enhancing = int(opened.bridge.counts[3])
    split = opened.correct_panel.split
    split.split(SplitBy.REGION)
    part = split.layers[2]
    data, attributes, _ = part.as_layer_data_tuple()
    copy = opened.viewer.add_labels(data.copy(), **{**attributes, "name": "ET copy"})
    split.join()

    assert part.name == "ET"
    assert identity_of(copy).role is Role.LABELS
    opened.segment_control.start_from(StartFrom("layer", copy))
    assert opened.bridge.layer is copy
    assert opened.bridge.counts[1:4].tolist() == [0, 0, enhancing]


def test_a_duplicated_channel_outlives_a_change_of_the_case(opened, qtbot):
    first = opened.case
    data, attributes, _ = opened.layers.ours(Role.CHANNEL)[-1].as_layer_data_tuple()
    copy = opened.viewer.add_image(data, **{**attributes, "name": "my flair"})

    opened.case_control.attach(first.labels.path)
    qtbot.waitUntil(lambda: opened.case is not first, timeout=20_000)

    assert copy in opened.viewer.layers
    assert len(opened.layers.ours(Role.CHANNEL)) == 4


def test_dropped_slices_of_one_patient_become_one_case(workbench, qtbot):
    tifs = sorted(path for path in lgg_sample().glob("*.tif") if "_mask" not in path.name)
    for path in tifs[:3]:
        _drop(workbench.viewer, path)
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)
    assert workbench.case.geometry.shape[0] == 3

    _drop(workbench.viewer, tifs[3])
    qtbot.waitUntil(lambda: workbench.case.geometry.shape[0] == 4, timeout=20_000)
    assert {identity_of(layer).case_id for layer in workbench.viewer.layers} == {workbench.case.id}


def test_files_of_two_cases_that_are_dropped_together_are_both_listed(workbench, tmp_path, qtbot):
    for number in (1, 2):
        folder = write_case(tmp_path, f"Brats18_Test_{number}_1", labels=False)
        _drop(workbench.viewer, next(folder.glob("*_flair.nii.gz")))
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)

    assert [found.id for found in workbench.case_control.opening.files] == ["Brats18_Test_1_1", "Brats18_Test_2_1"]
    assert {identity_of(layer).case_id for layer in workbench.viewer.layers} == {workbench.case.id}


def test_another_patient_with_the_same_case_id_by_drop_is_not_mixed_in(opened, tmp_path, qtbot):
    other, first = write_case(tmp_path / "other patient", labels=False), opened.case
    _drop(opened.viewer, next(other.glob("*_flair.nii.gz")))
    qtbot.waitUntil(lambda: opened.case is not first, timeout=20_000)

    assert list(opened.case.channels) == ["flair"]
    assert opened.case.paths["flair"][0].parent == other
    assert len(opened.layers.ours()) == 1
