from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_brainseg.plugin.widgets.scroll_column import ScrollColumn


@pytest.fixture
def column(qtbot: Any) -> Any:
    """Ten labels of 100 pixels each in a column that shows three of them."""
    content = QWidget()
    rows = QVBoxLayout(content)
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setSpacing(0)
    labels = [QLabel(str(number)) for number in range(10)]
    for label in labels:
        label.setFixedHeight(100)
        rows.addWidget(label)
    area = ScrollColumn(content)
    qtbot.addWidget(area)
    area.resize(200, 300)
    area.show()
    qtbot.waitExposed(area)
    return area, labels


def test_what_is_asked_comes_into_view_for_who_is_looking_there(column: Any, qtbot: Any) -> None:
    area, labels = column
    area.keep_in_view(labels[1], labels[6])
    qtbot.waitUntil(lambda: not labels[6].visibleRegion().isEmpty(), timeout=5000)


@pytest.mark.parametrize("hidden", [False, True])
def test_nothing_moves_for_who_looks_elsewhere(column: Any, qtbot: Any, hidden: bool) -> None:
    area, labels = column
    near = labels[1 if hidden else 8]
    near.setVisible(not hidden)
    area.keep_in_view(near, labels[6])
    qtbot.wait(200)
    assert area.verticalScrollBar().value() == 0
