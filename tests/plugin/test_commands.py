"""The real menus of napari: what the manifest promises is there, and does something."""

import warnings

import pytest

from napari_brainseg.plugin.widgets.commands import workbench_of
from napari_brainseg.plugin.widgets.workbench import Workbench

MENUS = {
    "napari/layers/segment": "napari-brainseg.segment",
    "napari/layers/annotate": "napari-brainseg.confirm_slice",
    "napari/layers/measure": "napari-brainseg.write_volumes",
    "napari/layers/data": "napari-brainseg.export",
}


@pytest.fixture
def viewer(make_napari_viewer, own_home):
    viewer = make_napari_viewer()
    yield viewer
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, Workbench):
            widget.close_down()


def _commands(menu):
    from napari._app_model import get_app_model

    return [item.command.id for item in get_app_model().menus.get_menu(menu) if hasattr(item, "command")]


@pytest.mark.parametrize(("menu", "command"), MENUS.items())
def test_the_layers_menus_hold_our_commands(viewer, menu, command):
    assert command in _commands(menu)


def test_the_plugins_menu_docks_the_workbench_once(viewer):
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command("napari-brainseg.workbench").result()
    docked = [w for w in viewer.window.dock_widgets.values() if isinstance(w, Workbench)]

    assert len(docked) == 1
    assert workbench_of(viewer) is docked[0]


def test_the_workbench_of_the_menu_works_on_the_viewers_own_layers(viewer, case_folder, qtbot):
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command("napari-brainseg.workbench").result()
    workbench = workbench_of(viewer)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        workbench.open_paths([case_folder])
        qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)
        workbench.segment_control.start_from(workbench.segment_panel.start_box.itemData(0))

    assert workbench.viewer is viewer
    assert workbench.bridge.layer is viewer.layers["segmentation"]


def test_a_command_opens_the_workbench_and_says_what_is_missing(viewer):
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command("napari-brainseg.segment").result()

    assert workbench_of(viewer).case is None
    assert viewer.status == "Open a case first."


def test_the_samples_are_offered_under_file(viewer):
    from napari._app_model import get_app_model
    from napari._app_model.constants import MenuId

    titles = []
    for item in get_app_model().menus.get_menu(MenuId.FILE_SAMPLES):
        submenu = getattr(item, "submenu", None)
        entries = get_app_model().menus.get_menu(submenu) if submenu is not None else [item]
        titles += [entry.command.title for entry in entries if hasattr(entry, "command")]
    assert any("4-channel volume" in title for title in titles)
    assert any("3-channel slices" in title for title in titles)
