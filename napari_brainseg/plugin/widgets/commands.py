"""What napari's own menus call: the workbench of the viewer, opened where it is not, and its actions."""

from __future__ import annotations

import napari.viewer

from napari_brainseg.plugin.widgets.workbench import Workbench

PLUGIN, WIDGET = "napari-brainseg", "Brain segmentation"


def workbench_of(viewer: napari.viewer.Viewer) -> Workbench:
    """Return the workbench docked in `viewer`, docking and showing it where needed."""
    for dock in viewer.window.dock_widgets.values():
        if isinstance(dock, Workbench):
            return dock
    _, workbench = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    assert isinstance(workbench, Workbench)
    return workbench


def segment(viewer: napari.viewer.Viewer) -> None:
    """Press Segment of the workbench."""
    workbench_of(viewer).press("Segment")


def confirm_slice(viewer: napari.viewer.Viewer) -> None:
    """Confirm the slice shown."""
    workbench_of(viewer).press("Confirm")


def write_volumes(viewer: napari.viewer.Viewer) -> None:
    """Write the volumes of the working labels as CSV."""
    workbench_of(viewer).press("CSV")


def export(viewer: napari.viewer.Viewer) -> None:
    """Export the working labels."""
    workbench_of(viewer).press("Export")
