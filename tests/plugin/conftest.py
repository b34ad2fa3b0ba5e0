"""A real viewer with the workbench docked, a small case and a small model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from case_files import write_case

from napari_brainseg.cases.case import BRATS_CHANNELS


@pytest.fixture
def case_folder(tmp_path: Path) -> Path:
    return write_case(tmp_path / "data")


@pytest.fixture
def workbench(make_napari_viewer: Callable[..., Any], own_home: Path) -> Iterator[Any]:
    """A workbench docked in a viewer that is not shown."""
    from napari_brainseg.plugin.widgets.workbench import Workbench

    viewer = make_napari_viewer()
    workbench = Workbench(viewer)
    viewer.window.add_dock_widget(workbench, name="Brain segmentation", area="right")
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
