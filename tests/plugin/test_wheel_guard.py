import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QComboBox, QDoubleSpinBox, QLabel, QSlider, QVBoxLayout, QWidget

from napari_brainseg.plugin.widgets.scroll_column import ScrollColumn
from napari_brainseg.plugin.widgets.wheel_guard import WheelGuard


def _turn(widget):
    place = QPointF(widget.rect().center())
    event = QWheelEvent(
        place,
        QPointF(widget.mapToGlobal(widget.rect().center())),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    event.accept()
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


@pytest.fixture
def column(qtbot):
    content = QWidget()
    layout = QVBoxLayout(content)
    box, slider, number = QComboBox(), QSlider(Qt.Orientation.Horizontal), QDoubleSpinBox()
    box.addItems(["a", "b", "c"])
    box.setCurrentIndex(1)
    for field in (slider, number):
        field.setValue(50)
    area = ScrollColumn(content)
    qtbot.addWidget(area)
    guard = WheelGuard(area)
    for field in (box, slider, number):
        layout.addWidget(field)  # after the guard: panels grow later too
    filler = QLabel()
    filler.setFixedHeight(2000)
    layout.addWidget(filler)
    area.resize(300, 200)
    with qtbot.waitExposed(area):
        area.show()
    qtbot.waitUntil(lambda: area.verticalScrollBar().maximum() > 0)
    return area, guard, (box, slider, number)


def _value(field):
    return field.currentIndex() if isinstance(field, QComboBox) else field.value()


def test_the_wheel_changes_nothing_under_it_and_goes_on_to_the_column(column):
    _, _, fields = column
    for field in fields:
        assert field.focusPolicy() != Qt.FocusPolicy.WheelFocus
        before = _value(field)
        assert not _turn(field), "Qt hands an event of the mouse on to the column, which scrolls"
        assert _value(field) == before


def test_the_wheel_turns_the_field_that_has_the_keyboard(column, qtbot):
    area, _, (box, _slider, number) = column
    area.activateWindow()
    for field in (box, number):
        field.setFocus()
        qtbot.waitUntil(field.hasFocus)
        before = _value(field)
        _turn(field)
        assert _value(field) != before
