"""The strip against napari's own slider, in a window that is really laid out."""

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QScrollBar

from napari_brainseg.plugin.widgets.canvas import slice_sliders


@pytest.fixture
def clean_window(make_napari_viewer):
    """A window of its own, since it is shown here."""
    return make_napari_viewer()


@pytest.fixture
def shown(opened, qtbot):
    """A workbench in a window on the screen, with labels to work on."""
    opened.segment_control.start_from(opened.segment_panel.start_box.itemData(0))
    window = opened.viewer.window._qt_window
    window.resize(1400, 900)
    window.show()
    qtbot.waitExposed(window)
    qtbot.waitUntil(lambda: opened.strip.isVisible(), timeout=5000)
    return opened


def slider(workbench):
    [bar] = [bar for bar in slice_sliders(workbench.viewer).findChildren(QScrollBar) if bar.isVisible()]
    return bar


def ends(strip, widget):
    left = strip.mapFromGlobal(widget.mapToGlobal(QPoint(0, 0))).x()
    return left, left + widget.width()


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_it_lies_along_the_slider_of_the_plane_shown(shown, qtbot, order):
    shown.viewer.dims.order = order
    qtbot.wait(50)
    strip = shown.strip
    left, width = strip.span()

    assert (left, left + width) == ends(strip, slider(shown))
    bottom = strip.mapToGlobal(QPoint(0, strip.height())).y()
    assert 0 <= slice_sliders(shown.viewer).mapToGlobal(QPoint(0, 0)).y() - bottom <= 10
    assert strip.state.total == shown.case.geometry.shape[order[0]]


def test_a_click_beside_the_slider_goes_to_that_slice(shown, qtbot):
    strip = shown.strip
    left, width = strip.span()
    total = strip.state.total

    for index in (0, total - 1, total // 2):
        x = round(left + (index + 0.5) / total * width)
        QTest.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(x, strip.height() // 2))
        assert shown.viewer.dims.current_step[0] == index
        assert strip.state.here == index


def test_it_follows_a_window_that_is_resized(shown, qtbot):
    before = shown.strip.span()
    shown.viewer.window._qt_window.resize(1000, 700)
    qtbot.waitUntil(lambda: shown.strip.span() != before, timeout=5000)
    left, width = shown.strip.span()
    assert (left, left + width) == ends(shown.strip, slider(shown))


def test_in_3d_there_is_no_slider_and_no_slice(shown):
    shown.viewer.dims.ndisplay = 3
    assert shown.strip.state.here is None
    assert shown.strip.span() == (0.0, float(shown.strip.width()))


def test_closing_takes_it_out_of_napari_s_window(shown, qtbot):
    around = slice_sliders(shown.viewer).parentWidget()
    strip, layout = shown.strip, around.layout()
    count = layout.count()
    assert strip.parent() is around

    shown.close_down()

    assert layout.count() == count - 1
    assert strip.parent() is None
