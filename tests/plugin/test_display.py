"""Overlay, outlines, channels, smoothness and scale bar on the real canvas, and that closing puts all of it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_brainseg.cases.case import BRATS_CHANNELS, Case, Naming
from napari_brainseg.cases.labels import BRATS2017
from napari_brainseg.cases.volume import Geometry, Volume
from napari_brainseg.plugin.layers import LayerIdentity, Role, case_layers, labels_layer
from napari_brainseg.plugin.widgets.class_visibility import hide_classes
from napari_brainseg.plugin.widgets.display import Display

SHAPE = (6, 40, 40)


def _case(affine: Any, spacing: tuple[float, float, float] | None) -> Case:
    geometry = Geometry(SHAPE, spacing, affine)
    present = ("flair", "t1", "t2")
    channels = {name: Volume(np.full(SHAPE, 100 * (n + 1), np.float32), geometry) for n, name in enumerate(present)}
    return Case("case", channels, BRATS_CHANNELS, geometry, None, BRATS2017, Naming.BRATS_2017)


@pytest.fixture
def case() -> Case:
    return _case(np.diag([-1.0, -1, 2, 1]), (2.0, 1.0, 1.0))


def _add(viewer: Any, data: tuple[Any, dict[str, Any], str]) -> Any:
    array, attributes, kind = data
    return getattr(viewer, f"add_{'labels' if kind == 'labels' else 'image'}")(array, **attributes)


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any], case: Case) -> Any:
    viewer = make_napari_viewer(show=True)
    for data in case_layers(case):
        _add(viewer, data)
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, 5:35, 5:35] = 3
    identity = LayerIdentity("case", Role.WORKING, "segmentation", scheme_id="brats2017")
    _add(viewer, labels_layer(labels, BRATS2017, (2, 1, 1), identity))
    return viewer


@pytest.fixture
def display(viewer: Any, case: Case) -> Iterator[Display]:
    display = Display(viewer)
    display.show_case(case)
    yield display
    display.close()


def test_colour_blind_colours_reach_every_labels_layer_and_keep_hidden_classes_hidden(
    viewer: Any, display: Display
) -> None:
    layer = viewer.layers["segmentation"]
    usual = layer.colormap.color_dict[1].tolist()
    hide_classes(layer, BRATS2017, {3})
    display.set_colour_blind(True)
    identity = LayerIdentity("case", Role.LABELS, "second", scheme_id="brats2017")
    second = _add(viewer, labels_layer(np.zeros(SHAPE, np.uint8), BRATS2017, (2, 1, 1), identity))
    for labels in (layer, second):
        assert labels.colormap.color_dict[1][:3].tolist() == pytest.approx(BRATS2017.classes[0].safe_colour, abs=1e-6)
    assert layer.colormap.color_dict[3][3] == 0
    display.close()
    assert layer.colormap.color_dict[1].tolist() == usual
    assert layer.colormap.color_dict[3][3] == 0


def _yellow(viewer: Any) -> int:
    """Return how many pixels of the screenshot are coloured by the overlay."""
    QApplication.processEvents()
    shot = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    return int((shot[..., 0] - shot[..., 2] > 60).sum())


def _visible(viewer: Any) -> set[str]:
    return {layer.name for layer in viewer.layers if layer.visible}


def test_overlay_off_and_on_as_it_was(display: Display, viewer: Any) -> None:
    viewer.add_labels(np.zeros(SHAPE, np.uint8), name="hidden", visible=False)
    layer = viewer.layers["segmentation"]
    layer.mode = "paint"
    assert _yellow(viewer) > 1000
    display.overlay_off()
    assert not display.overlay_visible
    assert _yellow(viewer) == 0
    assert _visible(viewer) == {"flair"}
    display.overlay_off()
    display.overlay_on()
    assert display.overlay_visible
    assert _visible(viewer) == {"flair", "segmentation"}
    assert layer.mode == "paint"
    display.overlay_on()
    assert _visible(viewer) == {"flair", "segmentation"}


def test_held_shows_again_tapped_stays(display: Display, viewer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_brainseg.plugin.widgets.display.TAP_SECONDS", -1.0)
    display.hold_overlay(True)
    assert not display.overlay_visible
    display.hold_overlay(False)
    assert display.overlay_visible
    monkeypatch.setattr("napari_brainseg.plugin.widgets.display.TAP_SECONDS", 1e9)
    display.hold_overlay(True)
    display.hold_overlay(False)
    assert not display.overlay_visible
    display.hold_overlay(True)
    display.hold_overlay(False)
    assert display.overlay_visible


def test_a_layer_deleted_while_the_overlay_is_off(display: Display, viewer: Any) -> None:
    display.overlay_off()
    viewer.layers.remove(viewer.layers["segmentation"])
    display.overlay_on()
    assert _visible(viewer) == {"flair"}


def test_outlines_and_filled(display: Display, viewer: Any, case: Case) -> None:
    filled = _yellow(viewer)
    display.outline_toggle()
    assert display.outlined
    assert 0 < _yellow(viewer) < filled / 2
    identity = LayerIdentity("case", Role.LABELS, "second")
    second = _add(viewer, labels_layer(np.zeros(SHAPE, np.uint8), BRATS2017, (2, 1, 1), identity))
    assert second.opacity == viewer.layers["segmentation"].opacity == 1.0, "a line that can be seen"
    assert second.contour == 1, "labels that come later are drawn like the others"
    display.outline_toggle()
    assert _yellow(viewer) == filled
    assert second.contour == 0
    assert second.opacity == viewer.layers["segmentation"].opacity == 0.4


def test_channels_by_number_in_the_fields_order(display: Display, viewer: Any) -> None:
    active = viewer.layers.selection.active
    for number, name in ((2, "t1"), (4, "t2"), (1, "flair")):
        display.show_channel(number)
        assert _visible(viewer) == {name, "segmentation"}
        assert viewer.status == f"Channel {number}: {name}"
    display.show_channel(3)
    assert _visible(viewer) == {"flair", "segmentation"}, "a missing channel leaves the picture as it is"
    assert viewer.status == "This case has no t1ce."
    display.show_channel(5)
    assert viewer.status == "There is no channel 5."
    assert viewer.layers.selection.active is active


def test_a_renamed_channel_is_still_found(display: Display, viewer: Any) -> None:
    viewer.layers["t2"].name = "my favourite"
    display.show_channel(4)
    assert _visible(viewer) == {"my favourite", "segmentation"}


def test_channels_without_being_told_their_order(display: Display, viewer: Any) -> None:
    display.set_channels(())
    display.show_channel(2)
    assert _visible(viewer) == {"t1", "segmentation"}


def test_images_smooth_or_plain_and_labels_nearest(display: Display, viewer: Any, case: Case) -> None:
    channels = [viewer.layers[name] for name in ("flair", "t1", "t2")]
    assert {layer.interpolation2d for layer in channels} == {"linear"}
    display.smooth_toggle()
    assert not display.smooth
    assert {layer.interpolation2d for layer in channels} == {"nearest"}
    late = _add(viewer, next(data for data in case_layers(case) if data[1]["name"] == "t1"))
    assert late.interpolation2d == "nearest"
    display.smooth_toggle()
    assert late.interpolation2d == "linear"
    foreign = viewer.add_image(np.zeros(SHAPE, np.float32))
    assert foreign.interpolation2d == "nearest", "the user's own images are the user's"


def test_the_scale_bar_is_shown_where_mm_are_known(display: Display, viewer: Any) -> None:
    assert viewer.canvas.overlays.scale_bar.visible
    viewer.layers.clear()
    unknown = _case(None, None)
    for data in case_layers(unknown):
        _add(viewer, data)
    display.show_case(unknown)
    assert not viewer.canvas.overlays.scale_bar.visible
    assert viewer.canvas.overlays["brainseg_top"].text == "orientation unknown"
    display.show_case(replace(unknown, geometry=Geometry(SHAPE, None, np.eye(4))))
    assert viewer.canvas.overlays["brainseg_top"].text == "A"
    display.show_case(None)
    assert "brainseg_top" not in viewer.canvas.overlays


def test_painting_is_2d_unless_asked_for(display: Display, viewer: Any) -> None:
    assert viewer.dims.ndisplay == 2
    assert viewer.layers["segmentation"].n_edit_dimensions == 2


def test_neurological_only_mirrors_the_picture(display: Display, viewer: Any) -> None:
    before = viewer.layers["flair"].data
    display.set_neurological(True)
    assert display.view.neurological
    assert viewer.canvas.overlays["brainseg_left"].text == "L"
    assert viewer.layers["flair"].data is before


def test_closing_puts_everything_back(viewer: Any, case: Case) -> None:
    camera = viewer.scene.camera.orientation
    viewer.layers["t1"].interpolation2d = "cubic"
    viewer.layers["segmentation"].contour = 2
    display = Display(viewer)
    display.show_case(case)
    display.set_neurological(True)
    display.outline_toggle()
    display.smooth_toggle()
    display.overlay_off()
    display.close()
    display.close()
    assert viewer.scene.camera.orientation == camera
    assert viewer.layers["t1"].interpolation2d == "cubic"
    assert viewer.layers["flair"].interpolation2d == "nearest"
    assert viewer.layers["segmentation"].contour == 2
    assert viewer.layers["segmentation"].opacity == 0.4
    assert viewer.layers["segmentation"].visible
    assert not viewer.canvas.overlays.scale_bar.visible
    assert not [key for key in viewer.canvas.overlays if key.startswith("brainseg_")]
    late = _add(viewer, case_layers(case)[0])
    assert late.interpolation2d == "nearest", "it still listens after closing"
