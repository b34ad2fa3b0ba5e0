"""Which way round: the convention as numbers, the camera in a real viewer, and what is really drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from napari.settings import get_settings
from numpy.typing import NDArray
from qtpy.QtWidgets import QApplication

from napari_brainseg.plugin.layers import METADATA_KEY, LayerIdentity, Role
from napari_brainseg.plugin.widgets.orientation import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    EdgeLetters,
    camera_orientation,
    edge_letters,
    screen_directions,
    settled_order,
)
from napari_brainseg.plugin.widgets.orientation_letters import UNKNOWN, OrientedView

SHAPE = (24, 60, 50)
LETTERS = {
    AXIAL: EdgeLetters(left="R", right="L", top="A", bottom="P"),
    CORONAL: EdgeLetters(left="R", right="L", top="S", bottom="I"),
    SAGITTAL: EdgeLetters(left="A", right="P", top="S", bottom="I"),
}
NEUROLOGICAL = {
    AXIAL: EdgeLetters(left="L", right="R", top="A", bottom="P"),
    CORONAL: EdgeLetters(left="L", right="R", top="S", bottom="I"),
    SAGITTAL: LETTERS[SAGITTAL],
}


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    viewer = make_napari_viewer(show=True)
    identity = LayerIdentity("case", Role.CHANNEL, "flair")
    viewer.add_image(np.zeros(SHAPE, np.float32), scale=(2, 1, 1), units=("mm",) * 3, metadata={METADATA_KEY: identity})
    return viewer


@pytest.fixture
def view(viewer: Any) -> Iterator[OrientedView]:
    view = OrientedView(viewer)
    view.show(True)
    yield view
    view.close()


def _bright(viewer: Any) -> tuple[float, float]:
    """Return where the white voxels are on the screenshot: (down, right), 0 to 1 of the canvas."""
    QApplication.processEvents()
    shot = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    # Pure green, which no letter and no scale bar has.
    found = np.argwhere((shot[..., 1] > 120) & (shot[..., 0] < 60) & (shot[..., 2] < 60))
    assert len(found) > 20, "the voxels are not on the screen"
    return tuple(found.mean(axis=0) / shot.shape[:2])  # type: ignore[return-value]


def _painted(viewer: Any, block: tuple[slice, slice, slice]) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[block] = 1
    viewer.add_labels(
        labels, scale=(2, 1, 1), units=("mm",) * 3, opacity=1.0, colormap={0: "transparent", 1: "lime", None: "red"}
    )


def test_every_order_of_axes_is_shown_upright(view: OrientedView, viewer: Any) -> None:
    for order in permutations(range(3)):
        # From axial each time, as from coronal one of them is napari's roll.
        viewer.dims.order = AXIAL
        viewer.dims.order = order
        upright = {0: AXIAL, 1: CORONAL, 2: SAGITTAL}[order[0]]
        assert tuple(viewer.dims.order) == upright
        assert view.letters == LETTERS[upright]
        view.set_neurological(True)
        assert view.letters == NEUROLOGICAL[upright]
        view.set_neurological(False)


def test_rolling_visits_the_three_planes_and_comes_back(view: OrientedView, viewer: Any) -> None:
    visited = []
    for _ in range(6):
        visited.append(tuple(viewer.dims.order))
        viewer.dims.roll()
    assert visited == [AXIAL, SAGITTAL, CORONAL] * 2


def test_settled_order_leaves_an_order_alone_that_is_upright() -> None:
    for order in (AXIAL, CORONAL, SAGITTAL):
        assert settled_order(order, AXIAL) == order
    assert settled_order((0, 1, 3, 2), (0, 1, 2, 3)) == (0, 1, 2, 3)


@pytest.mark.parametrize("order", [AXIAL, CORONAL, SAGITTAL])
@pytest.mark.parametrize("neurological", [False, True])
def test_a_3d_view_is_never_a_mirror_image(order: tuple[int, int, int], neurological: bool) -> None:
    orientation = camera_orientation(order, neurological=neurological)
    right, up = screen_directions(orientation)
    towards = np.array([1.0 if orientation[0] == "towards" else -1.0, 0, 0])
    patient = np.zeros((3, 3))
    for row, direction in enumerate((right, up, towards)):
        patient[row, list(order)] = direction
    # Rows: right, up and towards the viewer, a right-handed frame. Columns X, Y, Z: left, posterior, superior, another.
    assert np.linalg.det(patient[:, ::-1]) == pytest.approx(1)


def test_an_oblique_direction_gets_two_letters() -> None:
    half = np.sqrt(0.5)
    assert edge_letters(np.array([0, half, half]), np.array([1.0, 0, 0])) == EdgeLetters("AR", "PL", "S", "I")


def test_a_voxel_at_the_patients_left_is_on_the_right_of_the_screen(view: OrientedView, viewer: Any) -> None:
    _painted(viewer, (slice(None), slice(None), slice(40, 50)))
    for order in (AXIAL, CORONAL):
        viewer.dims.order = order
        assert _bright(viewer)[1] > 0.55
        view.set_neurological(True)
        assert _bright(viewer)[1] < 0.45
        view.set_neurological(False)


def test_anterior_is_up_and_in_sagittal_on_the_left(view: OrientedView, viewer: Any) -> None:
    _painted(viewer, (slice(None), slice(0, 10), slice(None)))
    assert _bright(viewer)[0] < 0.45
    viewer.dims.order = SAGITTAL
    assert _bright(viewer)[1] < 0.45


def test_superior_is_up(view: OrientedView, viewer: Any) -> None:
    _painted(viewer, (slice(19, 24), slice(None), slice(None)))
    for order in (CORONAL, SAGITTAL):
        viewer.dims.order = order
        assert _bright(viewer)[0] < 0.45


def test_3d_letters_follow_what_is_drawn(view: OrientedView, viewer: Any) -> None:
    _painted(viewer, (slice(None), slice(None), slice(42, 50)))
    viewer.dims.ndisplay = 3
    viewer.reset_view()
    assert _bright(viewer)[1] > 0.55
    assert view.letters == LETTERS[AXIAL]
    # Half a turn about the axis from foot to head: the patient's left comes to the other side.
    viewer.scene.camera.angles = (0, 0, 180)
    letters = view.letters
    assert letters is not None
    position = _bright(viewer)
    side = {"L": letters.left, "R": letters.right}
    assert (position[1] > 0.55) == (side["R"] == "L")
    assert (position[1] < 0.45) == (side["L"] == "L")


def _shown_texts(viewer: Any) -> dict[str, str]:
    overlays = viewer.canvas.overlays
    return {key: overlays[key].text for key in overlays if key.startswith("brainseg_") and overlays[key].visible}


def test_the_letters_are_drawn_at_their_edges(view: OrientedView, viewer: Any) -> None:
    assert _shown_texts(viewer) == {
        "brainseg_left": "R", "brainseg_right": "L", "brainseg_top": "A", "brainseg_bottom": "P"
    }  # fmt: skip
    QApplication.processEvents()
    shot = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int).min(axis=2)
    height, width = shot.shape
    middle = slice(height // 2 - 20, height // 2 + 20), slice(width // 2 - 20, width // 2 + 20)
    assert (shot[middle[0], :40] > 180).any()
    assert (shot[middle[0], -40:] > 180).any()
    assert (shot[:40, middle[1]] > 180).any()
    assert (shot[-40:, middle[1]] > 180).any()


def test_letters_follow_a_camera_that_somebody_else_flips(view: OrientedView, viewer: Any) -> None:
    viewer.scene.camera.orientation2d = ("up", "left")
    assert view.letters == EdgeLetters(left="L", right="R", top="P", bottom="A")
    assert _shown_texts(viewer)["brainseg_top"] == "P"


def test_letters_follow_a_layer_that_is_turned_or_flipped(view: OrientedView, viewer: Any) -> None:
    viewer.layers[0].scale = (2, 1, -1)
    assert view.letters == EdgeLetters(left="L", right="R", top="A", bottom="P")
    assert _shown_texts(viewer)["brainseg_left"] == "L"
    viewer.layers[0].scale = (2, 1, 1)
    # napari's "rotate layers" by a quarter turn.
    quarter = np.eye(4)
    quarter[1:3, 1:3] = [[0, 1], [-1, 0]]
    viewer.layers[0].affine = quarter
    letters = view.letters
    assert letters is not None
    assert {letters.top, letters.bottom} == {"L", "R"}


def test_letters_follow_the_channel_that_is_shown(view: OrientedView, viewer: Any) -> None:
    identity = LayerIdentity("case", Role.CHANNEL, "t1")
    turned = viewer.add_image(
        np.zeros(SHAPE, np.float32), scale=(2, 1, -1), units=("mm",) * 3, metadata={METADATA_KEY: identity}
    )
    assert _shown_texts(viewer)["brainseg_left"] == "L"
    turned.visible = False
    assert _shown_texts(viewer)["brainseg_left"] == "R"


def test_a_preference_reset_does_not_flip_the_case(view: OrientedView, viewer: Any) -> None:
    application = get_settings().application
    viewer.dims.order = CORONAL
    application.vertical_axis_orientation = "up"
    application.horizontal_axis_orientation = "left"
    application.depth_axis_orientation = "away"
    assert view.letters == LETTERS[CORONAL]
    application.horizontal_axis_orientation = "right"
    application.vertical_axis_orientation = "down"
    assert view.letters == LETTERS[CORONAL]


def test_the_users_own_orientation_comes_back(viewer: Any) -> None:
    viewer.scene.camera.orientation = ("away", "up", "left")
    view = OrientedView(viewer)
    view.show(True)
    assert [str(v) for v in viewer.scene.camera.orientation] == ["away", "down", "right"]
    view.close()
    assert [str(v) for v in viewer.scene.camera.orientation] == ["away", "up", "left"]
    assert _shown_texts(viewer) == {}
    viewer.dims.order = (1, 2, 0)
    assert tuple(viewer.dims.order) == (1, 2, 0), "the view still listens after closing"


def test_a_preference_changed_meanwhile_comes_back(viewer: Any) -> None:
    view = OrientedView(viewer)
    view.show(True)
    get_settings().application.vertical_axis_orientation = "up"
    view.close()
    assert str(viewer.scene.camera.orientation[1]) == "up"


def test_an_unknown_orientation_is_said_and_shown_as_stored(view: OrientedView, viewer: Any) -> None:
    view.show(False)
    assert view.letters is None
    assert _shown_texts(viewer) == {"brainseg_top": UNKNOWN}
    viewer.dims.order = (1, 2, 0)
    assert tuple(viewer.dims.order) == (1, 2, 0)
    assert [str(v) for v in viewer.scene.camera.orientation[1:]] == ["down", "right"]
    view.set_neurological(True)
    assert [str(v) for v in viewer.scene.camera.orientation[1:]] == ["down", "right"]


def test_without_a_case_nothing_is_touched(viewer: Any) -> None:
    before = viewer.scene.camera.orientation
    view = OrientedView(viewer)
    viewer.dims.order = (1, 2, 0)
    assert viewer.scene.camera.orientation == before
    assert tuple(viewer.dims.order) == (1, 2, 0)
    assert view.letters is None
    view.close()


def test_data_are_never_touched(view: OrientedView, viewer: Any) -> None:
    data: NDArray[np.float32] = viewer.layers[0].data
    view.set_neurological(True)
    viewer.dims.order = CORONAL
    assert viewer.layers[0].data is data
    assert not data.any()
