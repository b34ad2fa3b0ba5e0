"""A real viewer with the workbench docked, a small case, a small model, and an editing bridge alone."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from case_files import write_case

from napari_brainseg.cases.case import BRATS_CHANNELS
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.plugin.layers import LayerIdentity, Role, labels_layer

_seen_modules = 0


@pytest.fixture(autouse=True)
def no_search_among_modules() -> None:
    """After every test with a window napari collects garbage; spare it what lives on in imported modules.

    Here, before a test, nothing of the last one is alive that would be kept for ever.
    """
    global _seen_modules
    if len(sys.modules) > _seen_modules + 100:
        _seen_modules = len(sys.modules)
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def plugins_found_once() -> Iterator[None]:
    """For every window napari looks for installed plugins, which stay the same; read their manifests once."""
    from npe2 import PluginManifest

    discover = PluginManifest.discover
    found = functools.cache(lambda paths: tuple(discover(paths=paths)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda paths=(): iter(found(tuple(paths))))
        yield


@pytest.fixture(scope="session", autouse=True)
def filters_read_once() -> Iterator[None]:
    """For every image layer vispy reads the same file of filters; read it once."""
    from vispy.visuals import image, volume

    read = functools.cache(image.load_spatial_filters)
    with pytest.MonkeyPatch.context() as patch:
        for module in (image, volume):
            patch.setattr(module, "load_spatial_filters", read)
        yield


@pytest.fixture
def case_folder(tmp_path: Path) -> Path:
    """Two of the four channels: each layer that napari makes takes a tenth of a second."""
    return write_case(tmp_path / "data", channels=("flair", "t1ce"))


@pytest.fixture(scope="session")
def kept_window(qapp: Any) -> Iterator[Any]:
    """A real viewer that the tests of one process use in turn, since a window takes longer to make than most tests."""
    from napari import Viewer
    from napari._qt.qt_viewer import QtViewer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("napari._qt.threads.status_checker.StatusChecker.start", lambda thread: None)
        viewer = Viewer(show=False, show_welcome_screen=False)
    QtViewer._instances.discard(viewer.window._qt_viewer)  # where make_napari_viewer looks for windows left behind
    yield viewer
    viewer.close()


@pytest.fixture
def clean_window(kept_window: Any) -> Iterator[Any]:
    """The viewer of this process, as empty as a new one before and after.

    Override it with `make_napari_viewer` where the window is shown, drawn or closed: a second drawing, with the layers
    of another test, can crash in OpenGL.
    """
    from napari.settings import get_settings

    get_settings().reset()
    yield kept_window
    with kept_window.layers.batched_update():
        kept_window.layers.clear()
    for dock in list(kept_window.window.dock_widgets.values()):
        kept_window.window.remove_dock_widget(dock)
    kept_window.dims.ndisplay, kept_window.dims.order = 2, (0, 1)
    kept_window.reset_view()
    get_settings().reset()


@pytest.fixture
def workbench(clean_window: Any, own_home: Path) -> Iterator[Any]:
    """A workbench docked in a viewer that is not shown."""
    from napari_brainseg.plugin.widgets.workbench import Workbench

    workbench = Workbench(clean_window)
    clean_window.window.add_dock_widget(workbench, name="Brain segmentation", area="right")
    yield workbench
    workbench.close_down()


@pytest.fixture
def opened(workbench: Any, case_folder: Path, qtbot: Any) -> Any:
    """The workbench with the case open."""
    workbench.open_paths([case_folder])
    qtbot.waitUntil(lambda: workbench.case is not None, timeout=20_000)
    return workbench


@pytest.fixture
def tiny_model(own_home: Path) -> str:
    """A UNeXt that was never trained, saved where the user's models are; its answer is noise, but always the same."""
    import torch

    from napari_brainseg.model_store.model import Model, new_network, save_model
    from napari_brainseg.model_store.store import ModelRecord

    torch.manual_seed(0)
    record = ModelRecord(
        name="tiny",
        version="1",
        title="an untrained model",
        network={"name": "unext", "options": {"widths": (8, 8, 8, 8, 8)}},
        channels=BRATS_CHANNELS,
        scheme_id="brats2017",
        outputs=("WT", "TC", "ET"),
    )
    save_model(Model(record, new_network(record)), own_home / "models" / "tiny", "# tiny\n\nNot trained.")
    return "tiny"


@pytest.fixture
def viewer(qapp: Any) -> Any:
    """napari's own viewer without its window, which takes no time to make; override it where the canvas matters."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def bridge(viewer: Any) -> Iterator[Any]:
    """An editing bridge on a small working layer, whose slice 2 holds a square of oedema."""
    from napari_brainseg.plugin.widgets.editing_bridge import EditingBridge

    labels = np.zeros((6, 30, 40), np.uint8)
    labels[2, 10:20, 10:20] = 2
    identity = LayerIdentity("case", Role.WORKING, "segmentation")
    data, attributes, _ = labels_layer(labels, BRATS2017, (3.0, 1.0, 1.0), identity)
    layer = viewer.add_labels(data, **attributes)
    bridge = EditingBridge(viewer)
    bridge.attach(layer, BRATS2017, (3.0, 1.0, 1.0))
    viewer.dims.set_current_step(0, 2)
    yield bridge
    bridge.close()


@pytest.fixture
def heard(bridge: Any) -> SimpleNamespace:
    """What the bridge has told of so far."""
    log = SimpleNamespace(edited=[], changed=[], said=[], foreign=[], dirty=[])
    bridge.edited.connect(log.edited.append)
    bridge.changed.connect(log.changed.append)
    bridge.said.connect(log.said.append)
    bridge.foreign_found.connect(log.foreign.append)
    bridge.dirty_changed.connect(log.dirty.append)
    return log
